//! A request that changes something: done once a key, and answered with the same words again.

use std::future::Future;

use access::Principal;
use desk::{Call, Desk, DeskError, Idempotency};
use rmcp::model::JsonObject;
use serde::Serialize;
use serde_json::Value;

/// A request under the caller's key: `what` is done, with these arguments.
pub(crate) fn request(
    principal: &Principal,
    what: &str,
    arguments: Option<&JsonObject>,
    key: Option<&str>,
) -> Result<Call, DeskError> {
    let body = serde_json::to_vec(&arguments).map_err(|e| DeskError::Internal(e.to_string()))?;
    let path = format!("{}/{what}", crate::PATH);
    let idempotency = key.map(|key| Idempotency::new(key, "MCP", &path, &body)).transpose()?;
    Ok(Call { principal: principal.clone(), idempotency })
}

/// Does it, unless it was done before; what it answered.
pub(crate) async fn answer<T: Serialize>(
    desk: &Desk,
    call: &Call,
    work: impl Future<Output = Result<T, DeskError>>,
) -> Result<Value, DeskError> {
    if let Some(kept) = kept(desk, call).await? {
        return Ok(kept);
    }
    match work.await {
        // The same request was done by another connection in the meantime.
        Err(DeskError::InFlight) => kept(desk, call).await?.ok_or(DeskError::InFlight),
        done => serde_json::to_value(done?).map_err(|e| DeskError::Internal(e.to_string())),
    }
}

async fn kept(desk: &Desk, call: &Call) -> Result<Option<Value>, DeskError> {
    let Some(reply) = desk.replay(call).await? else { return Ok(None) };
    serde_json::from_str(&reply.body).map(Some).map_err(|e| DeskError::Internal(e.to_string()))
}
