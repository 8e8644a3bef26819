//! `SendMessage`: what a message wants, done once a message id.

use std::{collections::BTreeMap, future::Future};

use access::Principal;
use desk::{AskSkill, Call, Desk, DeskError, Idempotency, OpenCase};
use echo_core::CallId;
use serde::Serialize;
use serde_json::Value;

use crate::{
    fault::Fault,
    message::{Message, Wanted},
};

/// The intake form by which a text opens a case, and its field for the text.
const FORM: (&str, &str) = ("general-help", "what_happened");

/// Does what a message wants, unless it was done before; the call that it made.
pub(crate) async fn send(desk: &Desk, principal: &Principal, message: &Message) -> Result<CallId, Fault> {
    let wanted = message.wanted()?;
    let body = serde_json::to_vec(message).map_err(|e| Fault::invalid(e.to_string()))?;
    let path = format!("{}/SendMessage", crate::PATH);
    let idempotency = Idempotency::new(&message.id, "A2A", &path, &body).map_err(|_| {
        Fault::invalid("messageId: write 1 to 255 printable ASCII characters, such as a UUID")
    })?;
    let call = Call { principal: principal.clone(), idempotency: Some(idempotency) };
    let made = match wanted {
        Wanted::Skill { skill, case, question } => {
            once(desk, &call, desk.ask(&call, &case, AskSkill { skill, question })).await?
        }
        Wanted::Case { text, customer } => {
            let open = OpenCase {
                customer,
                device: None,
                form: FORM.0.to_owned(),
                answers: BTreeMap::from([(FORM.1.to_owned(), text)]),
            };
            let mut view = once(desk, &call, desk.open_case(&call, open)).await?;
            // A case that was just opened has one call: its triage.
            view["calls"][0].take()
        }
    };
    let id = made["id"].as_str().and_then(|id| id.parse().ok());
    id.ok_or_else(|| DeskError::Internal("a kept answer names no call".to_owned()).into())
}

async fn once<T: Serialize>(
    desk: &Desk,
    call: &Call,
    work: impl Future<Output = Result<T, DeskError>>,
) -> Result<Value, DeskError> {
    if let Some(kept) = kept(desk, call).await? {
        return Ok(kept);
    }
    match work.await {
        // The same message was done by another connection in the meantime.
        Err(DeskError::InFlight) => kept(desk, call).await?.ok_or(DeskError::InFlight),
        done => serde_json::to_value(done?).map_err(|e| DeskError::Internal(e.to_string())),
    }
}

async fn kept(desk: &Desk, call: &Call) -> Result<Option<Value>, DeskError> {
    let Some(reply) = desk.replay(call).await? else { return Ok(None) };
    serde_json::from_str(&reply.body).map(Some).map_err(|e| DeskError::Internal(e.to_string()))
}
