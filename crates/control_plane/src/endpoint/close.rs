//! `POST /v1/cases/{id}/close`: close a case and draw its invoice.

use axum::{extract::State, http::StatusCode, response::Response};
use echo_core::CaseId;

use crate::{
    body::Nothing,
    endpoint::case::CaseView,
    idempotency::{self, Command},
    path::Named,
    schema::Id,
    state::Shared,
};

/// Close a case and draw its invoice.
#[utoipa::path(
    post, path = "/v1/cases/{id}/close", tag = "cases", security(("bearer" = [])),
    params(("id" = Id, Path, description = "Which one.")),
    responses((status = 200, description = "Closed.", body = CaseView))
)]
pub(crate) async fn close_case(
    State(shared): State<Shared>,
    Named(id): Named<CaseId>,
    command: Command<Nothing>,
) -> Response {
    let done = shared.desk.close_case(&command.call, &id).await;
    idempotency::answer(&shared.desk, &command.call, StatusCode::OK, done).await
}
