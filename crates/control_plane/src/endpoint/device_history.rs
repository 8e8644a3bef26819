//! `GET /v1/devices/{id}/history`: how a device did of late.

use axum::{extract::State, http::StatusCode, response::Response};
use echo_core::{DeviceId, Page as DeskPage};
use utoipa::ToSchema;

use crate::{
    body::json,
    caller::Caller,
    path::Named,
    problem::Problem,
    schema::{Id, Page, Time},
    state::Shared,
};

/// One point of a device's history.
#[derive(ToSchema)]
pub struct Point {
    /// When, by the device's clock.
    pub at: Time,
    /// CPU utilization, 0 to 1.
    pub cpu: f64,
    /// Memory in use, in bytes.
    pub memory_used: u64,
    /// Runnable threads, averaged over one minute.
    pub load_1: f64,
    /// Bytes received since the machine started.
    pub rx_bytes: u64,
    /// Bytes sent since the machine started.
    pub tx_bytes: u64,
}

/// Read the rolling history of a device's metrics, oldest first: at most the last 360 points.
#[utoipa::path(
    get, path = "/v1/devices/{id}/history", tag = "devices", security(("bearer" = [])),
    params(("id" = Id, Path, description = "Which device.")),
    responses((status = 200, description = "All points, on one page.", body = Page<Point>))
)]
pub(crate) async fn read_history(
    State(shared): State<Shared>,
    caller: Caller,
    Named(id): Named<DeviceId>,
) -> Result<Response, Problem> {
    let items = shared.desk.device_history(&caller.principal, &id).await?;
    Ok(json(StatusCode::OK, &DeskPage { items, next: None }))
}
