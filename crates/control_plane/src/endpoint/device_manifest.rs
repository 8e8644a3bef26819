//! `GET /v1/device/manifest`: the calling device's certified manifest, made anew when it is due.

use axum::{extract::State, http::StatusCode, response::Response};

use crate::{body::json, caller::Caller, problem::Problem, schema::Envelope, state::Shared};

/// Read the calling device's certified manifest.
///
/// It is certified anew, for the same device, key and customer, when the last certificate is not by the issuer's key of
/// today or ends within 30 days. Ask once a day, and keep what comes when it is another one.
#[utoipa::path(
    get, path = "/v1/device/manifest", tag = "device", security(("bearer" = [])),
    responses((status = 200, description = "The node manifest (`application/vnd.echo.node-manifest.v1+json`), signed by the device issuer.", body = Envelope))
)]
pub(crate) async fn read_device_manifest(
    State(shared): State<Shared>,
    caller: Caller,
) -> Result<Response, Problem> {
    Ok(json(StatusCode::OK, &shared.desk.device_manifest(&caller.principal).await?))
}
