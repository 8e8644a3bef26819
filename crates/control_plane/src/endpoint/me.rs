//! `GET /v1/me`: who the caller is.

use axum::{extract::State, http::StatusCode, response::Response};
use serde::Serialize;
use utoipa::ToSchema;

use crate::{
    body::json,
    caller::Caller,
    endpoint::agent_keys::AgentKey,
    problem::Problem,
    schema::{Id, Role},
    state::Shared,
};

/// Who the caller is.
#[derive(ToSchema)]
pub struct Principal {
    /// The user's, the device's or the agent key's id.
    pub subject: Id,
    /// What people call it.
    pub name: String,
    /// What it may do.
    pub role: Role,
    /// Whose it is; null for the operator's own people.
    pub customer: Option<Id>,
    /// Which device it is; null for people and agents.
    pub device: Option<Id>,
    /// The id of the access token in hand, or of the agent key.
    pub token: Id,
    /// The session that the token belongs to; null for a device's and for an agent's.
    pub family: Option<Id>,
    /// The agent's key: what it may call, and what it may spend and has spent. Only there for agents.
    pub agent_key: Option<AgentKey>,
}

/// What is answered.
#[derive(Serialize)]
struct Me<'a> {
    #[serde(flatten)]
    principal: &'a access::Principal,
    #[serde(skip_serializing_if = "Option::is_none")]
    agent_key: Option<desk::AgentKeyView>,
}

/// Read who you are.
#[utoipa::path(
    get, path = "/v1/me", tag = "sessions", security(("bearer" = [])),
    responses((status = 200, description = "The caller.", body = Principal))
)]
pub(crate) async fn me(State(shared): State<Shared>, caller: Caller) -> Result<Response, Problem> {
    let agent_key = shared.desk.own_agent_key(&caller.principal).await?;
    Ok(json(StatusCode::OK, &Me { principal: &caller.principal, agent_key }))
}
