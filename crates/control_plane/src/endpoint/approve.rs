//! `POST /v1/change-sets/{id}/approve`: approve a change set: the device applies exactly this plan, or nothing.

use axum::{extract::State, http::StatusCode, response::Response};
use echo_core::ChangeSetId;

use crate::{
    body::Nothing,
    endpoint::change_set::ChangeSet,
    idempotency::{self, Command},
    path::Named,
    schema::Id,
    state::Shared,
};

/// Approve a change set: the device applies exactly this plan, or nothing.
#[utoipa::path(
    post, path = "/v1/change-sets/{id}/approve", tag = "cases", security(("bearer" = [])),
    params(("id" = Id, Path, description = "Which one.")),
    responses((status = 200, description = "Approved.", body = ChangeSet))
)]
pub(crate) async fn approve(
    State(shared): State<Shared>,
    Named(id): Named<ChangeSetId>,
    command: Command<Nothing>,
) -> Response {
    let done = shared.desk.approve(&command.call, &id).await;
    idempotency::answer(&shared.desk, &command.call, StatusCode::OK, done).await
}
