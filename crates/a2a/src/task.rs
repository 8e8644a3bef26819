//! What goes out: a call of a skill as a task (A2A 1.0, section 4.1).

use access::Principal;
use desk::{Desk, SkillCall, SkillCallState};
use dossier::Kind;
use echo_core::Id as _;
use serde_json::{Value, json};

/// The protocol's name for where a call stands.
pub(crate) fn state(call: &SkillCall) -> &'static str {
    match call.state {
        SkillCallState::Running => "TASK_STATE_WORKING",
        SkillCallState::Done => "TASK_STATE_COMPLETED",
        SkillCallState::Failed if call.called_off() => "TASK_STATE_CANCELED",
        SkillCallState::Failed => "TASK_STATE_FAILED",
    }
}

/// Where a call stands, since when, and why it failed.
pub(crate) fn status(call: &SkillCall) -> Value {
    let at = call.finished.unwrap_or(call.started);
    let mut status = json!({"state": state(call), "timestamp": at.to_string()});
    if let Some(error) = &call.error {
        status["message"] = json!({
            "messageId": format!("{}-end", call.id), "role": "ROLE_AGENT", "taskId": call.id.as_str(),
            "contextId": call.case.as_str(), "parts": [{"text": error}],
        });
    }
    status
}

/// The task without its artifacts.
pub(crate) fn bare(call: &SkillCall) -> Value {
    json!({
        "id": call.id.as_str(), "contextId": call.case.as_str(), "status": status(call),
        "metadata": {"skill": call.skill.as_str()},
    })
}

/// The task with its artifacts.
pub(crate) async fn whole(desk: &Desk, principal: &Principal, call: &SkillCall) -> Value {
    let mut task = bare(call);
    let artifacts = artifacts(desk, principal, call).await;
    if !artifacts.is_empty() {
        task["artifacts"] = json!(artifacts);
    }
    task
}

/// What a skill answered, in words first where it has words, and the signed receipt.
pub(crate) async fn artifacts(desk: &Desk, principal: &Principal, call: &SkillCall) -> Vec<Value> {
    let mut artifacts = Vec::new();
    if let Some(output) = &call.output {
        let words = ["answer", "summary", "because"].iter().find_map(|name| output[*name].as_str());
        let mut parts: Vec<Value> = words.map(|words| json!({ "text": words })).into_iter().collect();
        parts.push(json!({"data": output, "mediaType": "application/json"}));
        let name = format!("What {} answered", call.skill);
        artifacts.push(json!({"artifactId": "output", "name": name, "parts": parts}));
    }
    let Some(receipt) = &call.receipt else { return artifacts };
    // A receipt that cannot be read now is read by the next look at the task.
    if let Ok(document) = desk.document(principal, Kind::Receipt, receipt.as_str()).await {
        artifacts.push(json!({
            "artifactId": "receipt", "name": "Receipt",
            "description": "The signed receipt with its inclusion proof.",
            "parts": [{"data": document, "mediaType": "application/json"}],
        }));
    }
    artifacts
}
