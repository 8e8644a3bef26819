//! `GET /v1/events`: what happens, as it happens (server-sent events, WHATWG HTML section 9.2).

use std::{convert::Infallible, time::Duration};

use access::Principal;
use axum::{
    extract::State,
    http::HeaderMap,
    response::{
        IntoResponse, Response, Sse,
        sse::{Event as Sent, KeepAlive},
    },
};
use futures::Stream;
use serde::Deserialize;
use tokio::sync::watch;
use utoipa::{IntoParams, ToSchema};

use crate::{caller::Caller, places::Place, problem::Problem, query::Asked, schema::Time, state::Shared};

/// How often a quiet stream says that it is alive, and asks whether the caller's token still is.
const KEEP_ALIVE: Duration = Duration::from_secs(15);

/// How long to wait after a change before looking: telemetry changes something all the time, and what is looked up
/// once serves all changes of that moment.
const SETTLE: Duration = Duration::from_millis(100);

/// One thing that happened: the `data` of an event of the stream.
#[derive(ToSchema)]
pub struct Event {
    /// What it is about: `case`, `device`, `invoice`, `mesh`, `agent_key`.
    pub topic: String,
    /// Which one.
    pub id: String,
    /// What happened, in words.
    pub what: String,
    /// When.
    pub at: Time,
}

/// From where on to follow.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct EventsQuery {
    /// Events after this one; from now on when neither this nor `Last-Event-ID` is there.
    #[param(minimum = 0)]
    pub after: Option<i64>,
}

/// Follow what happens, as it happens.
///
/// Each event's `id` is its place; its `data` is an `Event`. A stream ends when the access token does, or when the
/// platform stops: come back with `Last-Event-ID`, which browsers do by themselves.
#[utoipa::path(
    get, path = "/v1/events", tag = "house", security(("bearer" = [])),
    params(
        EventsQuery,
        ("Last-Event-ID" = Option<i64>, Header, description = "The last event that was seen; wins over `after`.")
    ),
    responses((status = 200, description = "Events until the stream ends.", body = Event, content_type = "text/event-stream"))
)]
pub(crate) async fn events(
    State(shared): State<Shared>,
    caller: Caller,
    Asked(query): Asked<EventsQuery>,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    let after = match headers.get("last-event-id").map(|id| id.to_str().ok().and_then(|id| id.parse().ok())) {
        Some(Some(seen)) => Some(seen),
        Some(None) => {
            return Err(Problem::bad_request("query", "Last-Event-ID: write the number of the last event"));
        }
        None => query.after,
    };
    let place = shared.streams.take(&caller.principal.subject).ok_or_else(|| {
        Problem::busy("too many event streams are open: close some, or try again in a moment")
    })?;
    // Before the first look, so that nothing falls between the look and the wait.
    let changes = shared.desk.changes();
    let seen = match after {
        Some(after) => after,
        None => shared.desk.last_event().await?,
    };
    // Whether the caller may follow events at all is answered here and not inside the stream.
    let batch = shared.desk.events_after(&caller.principal, seen).await?;
    let follower = Follower { shared, caller, changes, seen, batch: batch.into_iter(), _place: place };
    let keep_alive = KeepAlive::new().interval(KEEP_ALIVE);
    Ok(Sse::new(follower.stream()).keep_alive(keep_alive).into_response())
}

/// One who follows the events.
struct Follower {
    shared: Shared,
    caller: Caller,
    changes: watch::Receiver<u64>,
    seen: i64,
    batch: std::vec::IntoIter<(i64, desk::Event)>,
    _place: Place,
}

impl Follower {
    fn stream(self) -> impl Stream<Item = Result<Sent, Infallible>> {
        futures::stream::unfold(self, async |mut follower| {
            let (seq, event) = follower.next().await?;
            let data = serde_json::to_string(&event).ok()?;
            Some((Ok(Sent::default().id(seq.to_string()).data(data)), follower))
        })
    }

    /// The next event, or nothing when the stream is to end.
    async fn next(&mut self) -> Option<(i64, desk::Event)> {
        loop {
            if let Some((seq, event)) = self.batch.next() {
                self.seen = seq;
                return Some((seq, event));
            }
            self.changes.borrow_and_update();
            let batch = self.shared.desk.events_after(&self.caller.principal, self.seen).await.ok()?;
            if !batch.is_empty() {
                self.still_good().await?;
                self.batch = batch.into_iter();
                continue;
            }
            tokio::select! {
                changed = self.changes.changed() => {
                    changed.ok()?;
                    tokio::time::sleep(SETTLE).await;
                }
                () = self.shared.stopping() => return None,
                () = tokio::time::sleep(KEEP_ALIVE) => self.still_good().await?,
            }
        }
    }

    /// A session that has ended must not go on listening.
    async fn still_good(&self) -> Option<()> {
        let now: Principal = self.shared.desk.authenticate(&self.caller.token).await.ok()?;
        (now == self.caller.principal).then_some(())
    }
}
