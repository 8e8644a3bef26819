//! `POST /v1/agent-keys/{id}/revoke`: end an agent key.

use axum::{extract::State, http::StatusCode, response::Response};
use echo_core::TokenId;

use crate::{
    body::Nothing,
    endpoint::agent_keys::AgentKey,
    idempotency::{self, Command},
    path::Named,
    schema::Id,
    state::Shared,
};

/// Revoke an agent key: it is refused from now on.
///
/// What it called already goes on, and is charged. There is no way back: make another key.
#[utoipa::path(
    post, path = "/v1/agent-keys/{id}/revoke", tag = "house", security(("bearer" = [])),
    params(("id" = Id, Path, description = "Which one.")),
    responses((status = 200, description = "Revoked.", body = AgentKey))
)]
pub(crate) async fn revoke_agent_key(
    State(shared): State<Shared>,
    Named(id): Named<TokenId>,
    command: Command<Nothing>,
) -> Response {
    let done = shared.desk.revoke_agent_key(&command.call, &id).await;
    idempotency::answer(&shared.desk, &command.call, StatusCode::OK, done).await
}
