//! Reading, listing and cancelling tasks.

use access::Principal;
use desk::{Call, Desk, DeskError, SkillCallState};
use echo_core::{CallId, CaseId, PageRequest};
use serde::Deserialize;
use serde_json::{Value, json};

use crate::{fault::Fault, task};

/// How many tasks a page has when nothing is said, and at most.
const PAGE: (u32, u32) = (50, 100);

/// `GetTask`, `CancelTask` and `SubscribeToTask`.
#[derive(Debug, Deserialize)]
pub(crate) struct Named {
    id: String,
}

impl Named {
    /// The call that it names. What is no call's id is no task's.
    pub(crate) fn call(&self) -> Result<CallId, Fault> {
        self.id.parse().map_err(|_| Fault::no_task(&self.id))
    }
}

/// `ListTasks`.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(crate) struct Listing {
    context_id: String,
    status: Option<String>,
    page_size: Option<u32>,
    page_token: String,
    status_timestamp_after: Option<String>,
    include_artifacts: bool,
}

/// One task.
pub(crate) async fn get(desk: &Desk, principal: &Principal, named: &Named) -> Result<Value, Fault> {
    let call = desk.skill_call(principal, &named.call()?).await?;
    Ok(task::whole(desk, principal, &call).await)
}

/// Calls a task off.
pub(crate) async fn cancel(desk: &Desk, principal: &Principal, named: &Named) -> Result<Value, Fault> {
    match desk.call_off(&Call::by(principal.clone()), &named.call()?).await {
        Ok(call) => Ok(task::whole(desk, principal, &call).await),
        Err(DeskError::Conflict(words)) => Err(Fault::not_cancelable(words)),
        Err(error) => Err(error.into()),
    }
}

/// A page of tasks, newest first.
pub(crate) async fn list(desk: &Desk, principal: &Principal, listing: Listing) -> Result<Value, Fault> {
    if listing.status_timestamp_after.is_some() {
        return Err(Fault::invalid(
            "statusTimestampAfter is not offered: tasks come newest first, so read until it",
        ));
    }
    let size = listing.page_size.unwrap_or(PAGE.0);
    if !(1..=PAGE.1).contains(&size) {
        return Err(Fault::invalid(format!("pageSize: write 1 to {}", PAGE.1)));
    }
    let case: Option<CaseId> = match listing.context_id.as_str() {
        "" => None,
        id => Some(id.parse().map_err(|e| Fault::invalid(format!("contextId: {e}")))?),
    };
    let wanted = listing.status.filter(|status| status != "TASK_STATE_UNSPECIFIED");
    let state = match wanted.as_deref() {
        None => None,
        Some("TASK_STATE_WORKING") => Some(SkillCallState::Running),
        Some("TASK_STATE_COMPLETED") => Some(SkillCallState::Done),
        Some("TASK_STATE_FAILED" | "TASK_STATE_CANCELED") => Some(SkillCallState::Failed),
        // No task here is ever in another state.
        Some(_) => return Ok(json!({"tasks": [], "nextPageToken": "", "pageSize": size, "totalSize": 0})),
    };
    let page = PageRequest { cursor: Some(listing.page_token).filter(|t| !t.is_empty()), limit: Some(size) };
    let (found, total) = desk.skill_calls(principal, case.as_ref(), state, &page).await?;
    let mut tasks = Vec::with_capacity(found.items.len());
    // Failed and called off are one state to the desk.
    for call in found.items.iter().filter(|call| wanted.as_deref().is_none_or(|w| w == task::state(call))) {
        tasks.push(if listing.include_artifacts {
            task::whole(desk, principal, call).await
        } else {
            task::bare(call)
        });
    }
    Ok(json!({
        "tasks": tasks, "nextPageToken": found.next.unwrap_or_default(), "pageSize": size, "totalSize": total,
    }))
}
