//! `GET /v1/findings`: posture results that need attention.

use axum::{extract::State, http::StatusCode, response::Response};
use serde::Deserialize;
use utoipa::{IntoParams, ToSchema};

use crate::{
    body::json,
    caller::Caller,
    problem::Problem,
    query::{Asked, page},
    schema::{Id, Page, Severity, Time},
    state::Shared,
};

/// One posture result that needs attention.
#[derive(ToSchema)]
pub struct Finding {
    /// Its id.
    pub id: Id,
    /// Whose.
    pub customer: Id,
    /// On which device.
    pub device: Id,
    /// In which case it was found.
    pub case: Id,
    /// By which scan.
    pub scan: Id,
    /// Against which policy.
    pub policy: String,
    /// The check with its result.
    pub result: CheckResult,
    /// Whether it still needs attention.
    pub state: FindingState,
    /// When it was found.
    pub found: Time,
    /// When a scan no longer showed it.
    pub fixed: Option<Time>,
}

/// One check and what came of it.
#[derive(ToSchema)]
pub struct CheckResult {
    /// The check's number in its policy.
    pub check: u32,
    /// What is wanted, in one line.
    pub title: String,
    /// What came of it: `failed`, for a finding.
    pub outcome: String,
    /// How much a failure matters.
    pub severity: Severity,
    /// Why it is wanted.
    pub rationale: String,
    /// What to do about a failure.
    pub remediation: String,
    /// Which rule decided, with the value seen.
    pub reason: String,
}

/// Whether a finding still needs attention.
#[derive(ToSchema)]
#[schema(rename_all = "snake_case")]
pub enum FindingState {
    /// It does.
    Open,
    /// A later scan no longer shows it.
    Fixed,
}

/// Which findings to list.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct FindingsQuery {
    /// Only those in this state.
    #[param(value_type = Option<FindingState>)]
    pub state: Option<desk::FindingState>,
    /// The `next` of the page before; nothing for the first page.
    #[param(max_length = 100)]
    pub cursor: Option<String>,
    /// How many at most; 50 when not said.
    #[param(minimum = 1, maximum = 200)]
    pub limit: Option<u32>,
}

/// List the findings that you may see, newest first.
#[utoipa::path(
    get, path = "/v1/findings", tag = "cases", security(("bearer" = [])), params(FindingsQuery),
    responses((status = 200, description = "A page of them.", body = Page<Finding>))
)]
pub(crate) async fn list_findings(
    State(shared): State<Shared>,
    caller: Caller,
    Asked(query): Asked<FindingsQuery>,
) -> Result<Response, Problem> {
    let page = page(query.cursor, query.limit)?;
    Ok(json(StatusCode::OK, &shared.desk.findings(&caller.principal, query.state, &page).await?))
}
