//! `GET /v1/overview`: the state of the house at a glance.

use axum::{extract::State, http::StatusCode, response::Response};
use utoipa::ToSchema;

use crate::{body::json, caller::Caller, endpoint::case::TimelineEntry, problem::Problem, state::Shared};

/// The state of the house, as far as the caller may see it.
#[derive(ToSchema)]
pub struct Overview {
    /// Cases by state: pairs of a state and a number.
    #[schema(value_type = Vec<Vec<Value>>)]
    pub cases: Vec<(String, u64)>,
    /// Devices that are heard from.
    pub devices_online: u64,
    /// Devices that are not.
    pub devices_away: u64,
    /// Findings that need attention.
    pub open_findings: u64,
    /// Invoices that wait for payment.
    pub open_invoices: u64,
    /// Entries in the genesis ledger.
    pub genesis_size: u64,
    /// Entries in the aeterna ledger.
    pub aeterna_size: u64,
    /// What happened last, newest first.
    pub recent: Vec<TimelineEntry>,
}

/// Read the state of the house at a glance.
#[utoipa::path(
    get, path = "/v1/overview", tag = "house", security(("bearer" = [])),
    responses((status = 200, description = "The overview.", body = Overview))
)]
pub(crate) async fn overview(State(shared): State<Shared>, caller: Caller) -> Result<Response, Problem> {
    Ok(json(StatusCode::OK, &shared.desk.overview(&caller.principal).await?))
}
