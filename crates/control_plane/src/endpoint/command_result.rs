//! `POST /v1/device/commands/{id}/result`: a device's signed answer.

use axum::{extract::State, http::StatusCode, response::Response};
use echo_core::CommandId;
use utoipa::ToSchema;

use crate::{
    body::JsonBody,
    idempotency::{self, Command},
    path::Named,
    schema::{Envelope, Id},
    state::Shared,
};

/// That a result was taken.
#[derive(ToSchema)]
pub struct ResultTaken {
    /// Which command is done.
    pub command: Id,
}

/// Hand in the signed result of a command.
///
/// The payload is `application/vnd.echo.command-result.v1+json`, signed with the device's key, 8 MiB at most. The
/// same result again gets the same answer; another one is refused.
#[utoipa::path(
    post, path = "/v1/device/commands/{id}/result", tag = "device", security(("bearer" = [])),
    params(("id" = Id, Path, description = "Which command.")), request_body = Envelope,
    responses((status = 200, description = "Taken.", body = ResultTaken))
)]
pub(crate) async fn take_result(
    State(shared): State<Shared>,
    Named(id): Named<CommandId>,
    Command { call, body: JsonBody(envelope) }: Command<JsonBody<trust::Envelope>>,
) -> Response {
    let taken = shared.desk.take_result(&call, &id, envelope).await;
    idempotency::answer(&shared.desk, &call, StatusCode::OK, taken).await
}
