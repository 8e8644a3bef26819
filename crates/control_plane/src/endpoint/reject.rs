//! `POST /v1/change-sets/{id}/reject`: reject a change set: nothing is changed on the device.

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

/// Reject a change set: nothing is changed on the device.
#[utoipa::path(
    post, path = "/v1/change-sets/{id}/reject", tag = "cases", security(("bearer" = [])),
    params(("id" = Id, Path, description = "Which one.")),
    responses((status = 200, description = "Rejected.", body = ChangeSet))
)]
pub(crate) async fn reject(
    State(shared): State<Shared>,
    Named(id): Named<ChangeSetId>,
    command: Command<Nothing>,
) -> Response {
    let done = shared.desk.reject(&command.call, &id).await;
    idempotency::answer(&shared.desk, &command.call, StatusCode::OK, done).await
}
