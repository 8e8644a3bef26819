//! Waiting for a task's end, at once or piece by piece (server-sent events, WHATWG HTML section 9.2).

use std::{collections::VecDeque, convert::Infallible, time::Duration};

use access::Principal;
use axum::response::{
    IntoResponse, Response, Sse,
    sse::{Event, KeepAlive},
};
use desk::{Desk, DeskError, SkillCall, SkillCallState};
use echo_core::CallId;
use futures::Stream;
use serde_json::{Value, json};
use tokio::{
    sync::{OwnedSemaphorePermit, watch},
    time::{Instant, sleep, timeout_at},
};

use crate::{Shared, fault::Fault, task};

/// How long a request waits for a task's end: below what the API gives a request.
const WAIT: Duration = Duration::from_secs(25);
/// How long a stream stays: a device that answers later is followed by subscribing again.
const MAX_STREAM: Duration = Duration::from_mins(10);
/// The shortest time between two looks at a call.
const LOOK_EVERY: Duration = Duration::from_millis(100);
/// How often a quiet stream says that it is alive.
const KEEP_ALIVE: Duration = Duration::from_secs(15);

/// The call once it has ended, or as it stands after [`WAIT`].
pub(crate) async fn wait(desk: &Desk, principal: &Principal, id: &CallId) -> Result<SkillCall, DeskError> {
    let until = Instant::now() + WAIT;
    let mut changes = desk.changes();
    loop {
        changes.mark_unchanged();
        let call = desk.skill_call(principal, id).await?;
        if call.state != SkillCallState::Running || Instant::now() >= until {
            return Ok(call);
        }
        sleep(LOOK_EVERY).await;
        // Whether something changed, or it is time, or nobody is left to change anything: look again.
        let _ = timeout_at(until, changes.changed()).await;
    }
}

/// One who follows a task.
struct Follower {
    shared: Shared,
    principal: Principal,
    request: Value,
    call: CallId,
    changes: watch::Receiver<u64>,
    until: Instant,
    waiting: VecDeque<Value>,
    over: bool,
    _place: OwnedSemaphorePermit,
}

/// Tells a task as it is, and what comes of it until it has ended.
pub(crate) async fn stream(
    shared: Shared,
    principal: Principal,
    request: Value,
    call: CallId,
) -> Result<Response, Fault> {
    let place = shared.streams.clone().try_acquire_owned();
    let place = place.map_err(|_| Fault::busy("too many streams are open: try again in a moment"))?;
    // Before the first look, so that nothing falls between the look and the wait.
    let changes = shared.desk.changes();
    let now = shared.desk.skill_call(&principal, &call).await?;
    let first = json!({ "task": task::whole(&shared.desk, &principal, &now).await });
    let follower = Follower {
        over: now.state != SkillCallState::Running,
        waiting: VecDeque::from([first]),
        until: Instant::now() + MAX_STREAM,
        shared,
        principal,
        request,
        call,
        changes,
        _place: place,
    };
    Ok(Sse::new(follower.stream()).keep_alive(KeepAlive::new().interval(KEEP_ALIVE)).into_response())
}

impl Follower {
    fn stream(self) -> impl Stream<Item = Result<Event, Infallible>> {
        futures::stream::unfold(self, async |mut follower| {
            let result = follower.next().await?;
            let event = json!({"jsonrpc": "2.0", "id": follower.request, "result": result});
            Some((Ok(Event::default().data(event.to_string())), follower))
        })
    }

    async fn next(&mut self) -> Option<Value> {
        loop {
            if let Some(event) = self.waiting.pop_front() {
                return Some(event);
            }
            if self.over {
                return None;
            }
            self.changes.mark_unchanged();
            let call = self.shared.desk.skill_call(&self.principal, &self.call).await.ok()?;
            if call.state != SkillCallState::Running {
                self.end(&call).await;
                continue;
            }
            let mut stopping = self.shared.stopping.clone();
            tokio::select! {
                changed = timeout_at(self.until, self.changes.changed()) => changed.ok()?.ok()?,
                _ = stopping.wait_for(|stop| *stop) => return None,
            }
            sleep(LOOK_EVERY).await;
        }
    }

    /// Puts the last events in line.
    async fn end(&mut self, call: &SkillCall) {
        let (id, context) = (call.id.to_string(), call.case.to_string());
        for artifact in task::artifacts(&self.shared.desk, &self.principal, call).await {
            self.waiting.push_back(json!({ "artifactUpdate": {
                "taskId": id, "contextId": context, "artifact": artifact, "lastChunk": true,
            } }));
        }
        self.waiting.push_back(
            json!({ "statusUpdate": {"taskId": id, "contextId": context, "status": task::status(call)} }),
        );
        self.over = true;
    }
}
