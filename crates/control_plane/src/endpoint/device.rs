//! `GET /v1/devices/{id}`: read one device.

use axum::{extract::State, http::StatusCode, response::Response};
use echo_core::DeviceId;

use crate::{
    body::json, caller::Caller, endpoint::devices::Device, path::Named, problem::Problem, schema::Id,
    state::Shared,
};

/// Read one device.
#[utoipa::path(
    get, path = "/v1/devices/{id}", tag = "devices", security(("bearer" = [])),
    params(("id" = Id, Path, description = "Which one.")),
    responses((status = 200, description = "It.", body = Device))
)]
pub(crate) async fn read_device(
    State(shared): State<Shared>,
    caller: Caller,
    Named(id): Named<DeviceId>,
) -> Result<Response, Problem> {
    Ok(json(StatusCode::OK, &shared.desk.device(&caller.principal, &id).await?))
}
