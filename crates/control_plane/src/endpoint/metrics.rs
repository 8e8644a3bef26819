//! `GET /metrics`: the platform's own metrics.

use access::Action;
use axum::{
    extract::State,
    http::header,
    response::{IntoResponse, Response},
};

use crate::{caller::Caller, problem::Problem, state::Shared};

/// What a scraper should take the text for (`OpenMetrics` 1.0, section "Overall Structure").
const OPEN_METRICS: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";

/// Read the platform's own metrics, for a Prometheus-compatible scraper with a technician's token.
#[utoipa::path(
    get, path = "/metrics", tag = "operation", security(("bearer" = [])),
    responses((status = 200, description = "The metrics (OpenMetrics 1.0).", body = String, content_type = "application/openmetrics-text"))
)]
pub(crate) async fn read_metrics(State(shared): State<Shared>, caller: Caller) -> Result<Response, Problem> {
    caller.principal.require(Action::ReadMetrics).map_err(desk::DeskError::from)?;
    let text =
        shared.metrics.text(&shared.desk, shared.streams.taken()).await.map_err(|_| Problem::internal())?;
    Ok(([(header::CONTENT_TYPE, OPEN_METRICS)], text).into_response())
}
