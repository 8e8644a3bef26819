//! `GET /readyz`: whether the platform can do its work.

use axum::{extract::State, http::StatusCode, response::Response};
use serde::Serialize;
use utoipa::ToSchema;

use crate::{body::json, schema, state::Shared};

/// Whether the platform can do its work.
#[derive(Serialize, ToSchema)]
pub struct Ready {
    /// Whether it can. What does not hold stands in the platform's log.
    pub ready: bool,
    /// Since when it runs.
    #[schema(value_type = schema::Time)]
    pub started: echo_core::Timestamp,
    /// How many things have to be looked into, such as a witness that contradicts a ledger, and one more when the mesh has
    /// stopped by itself. What is the matter stands in the log; the platform works on.
    pub alarms: usize,
}

/// Ask whether the platform can do its work.
#[utoipa::path(
    get, path = "/readyz", tag = "operation",
    responses(
        (status = 200, description = "It can.", body = Ready),
        (status = 503, description = "It cannot.", body = Ready)
    )
)]
pub(crate) async fn readyz(State(shared): State<Shared>) -> Response {
    let health = shared.desk.health().await;
    for problem in &health.problems {
        // Anybody may ask this, so the words, which may name files, stay here.
        tracing::error!(problem, "not ready");
    }
    for alarm in &health.alarms {
        tracing::error!(alarm, "something has to be looked into");
    }
    if let Some(why) = &health.mesh {
        tracing::error!(why, "the mesh has stopped: start the platform again");
    }
    let alarms = health.alarms.len() + usize::from(health.mesh.is_some());
    let status = if health.ready { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE };
    json(status, &Ready { ready: health.ready, started: health.started, alarms })
}
