//! A skill's tool: one call of the desk, a bounded wait for its end, the receipt.

use std::time::Duration;

use access::Principal;
use agents::Skill;
use desk::{AskSkill, Desk, DeskError, SkillCall, SkillCallState};
use dossier::Kind;
use echo_core::{CallId, CaseId, Id as _};
use rmcp::{
    ErrorData,
    model::{CallToolResult, JsonObject},
};
use serde_json::{Value, json};
use tokio::time::{Instant, sleep, timeout_at};

use crate::{
    arguments::{self, QuestionArguments, SkillArguments},
    failure, once,
};

/// How long a device's answer is waited for when the caller does not say, in seconds.
const WAIT: u8 = 20;
/// The longest wait: below what the API gives a request.
const MAX_WAIT: u8 = 25;
/// The shortest time between two looks at a call.
const LOOK_EVERY: Duration = Duration::from_millis(100);

/// Calls a skill.
pub(crate) async fn call(
    desk: &Desk,
    principal: &Principal,
    skill: Skill,
    given: Option<JsonObject>,
) -> Result<CallToolResult, ErrorData> {
    let kept = given.clone();
    let (case, question, key, wait) = if skill == Skill::AdvisoryAnswer {
        let QuestionArguments { case, question, idempotency_key } = arguments::read(given)?;
        (case, Some(question), idempotency_key, 0)
    } else {
        let SkillArguments { case, wait_seconds, idempotency_key } = arguments::read(given)?;
        (case, None, idempotency_key, wait_seconds.unwrap_or(WAIT).min(MAX_WAIT))
    };
    let case: CaseId = arguments::id("case", &case)?;
    let until = Instant::now() + Duration::from_secs(wait.into());
    let done = async {
        let request = once::request(principal, skill.as_str(), kept.as_ref(), key.as_deref())?;
        let asked = desk.ask(&request, &case, AskSkill { skill, question });
        let made = once::answer(desk, &request, asked).await?;
        let id = made["id"].as_str().and_then(|id| id.parse().ok());
        let id = id.ok_or_else(|| DeskError::Internal("a kept answer names no call".to_owned()))?;
        shown(desk, principal, &id, until).await
    };
    done.await.map(CallToolResult::structured).or_else(|error| failure::of_tool(&error))
}

/// Reads a call that was made before.
pub(crate) async fn read(desk: &Desk, principal: &Principal, id: &CallId) -> Result<Value, DeskError> {
    shown(desk, principal, id, Instant::now()).await
}

/// The call once it has ended, or as it stands at `until`, with its receipt.
async fn shown(desk: &Desk, principal: &Principal, id: &CallId, until: Instant) -> Result<Value, DeskError> {
    let mut changes = desk.changes();
    let call = loop {
        changes.mark_unchanged();
        let call = desk.skill_call(principal, id).await?;
        if call.state != SkillCallState::Running || Instant::now() >= until {
            break call;
        }
        sleep(LOOK_EVERY).await;
        // Whether something changed, or it is time, or nobody is left to change anything: look again.
        let _ = timeout_at(until, changes.changed()).await;
    };
    let receipt = match receipt_of(&call) {
        Some(id) => Some(desk.document(principal, Kind::Receipt, &id).await?),
        None => None,
    };
    Ok(json!({ "call": call, "receipt": receipt }))
}

fn receipt_of(call: &SkillCall) -> Option<String> {
    call.receipt.as_ref().map(|id| id.as_str().to_owned())
}
