//! `POST /v1/devices/{id}/retire`: take a device out of care.

use axum::{extract::State, http::StatusCode, response::Response};
use echo_core::DeviceId;

use crate::{
    body::Nothing,
    endpoint::devices::Device,
    idempotency::{self, Command},
    path::Named,
    schema::Id,
    state::Shared,
};

/// Retire a device: it may not speak any more.
///
/// Its tokens stop working at once, what waited for it fails uncharged, and no new case may name it. Its history,
/// receipts and proofs stay. There is no way back: the machine is enrolled anew, with a new key.
#[utoipa::path(
    post, path = "/v1/devices/{id}/retire", tag = "devices", security(("bearer" = [])),
    params(("id" = Id, Path, description = "Which one.")),
    responses((status = 200, description = "Retired.", body = Device))
)]
pub(crate) async fn retire_device(
    State(shared): State<Shared>,
    Named(id): Named<DeviceId>,
    command: Command<Nothing>,
) -> Response {
    let done = shared.desk.retire_device(&command.call, &id).await;
    idempotency::answer(&shared.desk, &command.call, StatusCode::OK, done).await
}
