//! `GET /v1/proofs`: list the fulfilment proofs that you may see, newest first.

use axum::{extract::State, http::StatusCode, response::Response};
use utoipa::ToSchema;

use crate::{
    body::json,
    caller::Caller,
    problem::Problem,
    query::{Asked, PageQuery},
    schema::{Digest, Id, Page, Time},
    state::Shared,
};

/// A fulfilment proof: posture before, change, posture after.
#[derive(ToSchema)]
pub struct Proof {
    /// Its id.
    pub id: Id,
    /// In which case.
    pub case: Id,
    /// Whose.
    pub customer: Id,
    /// On which device.
    pub device: Id,
    /// Of which run.
    pub run: Id,
    /// What is attested.
    pub fulfilment: Fulfilment,
    /// What was done, step by step: `run`, `plan`, `outcome`, `steps`, `started`, `finished`.
    #[schema(value_type = Object)]
    pub report: serde_json::Value,
    /// Digest of the signed proof, by which receipts and ledgers name it.
    pub digest: Digest,
}

/// That a change did what it was for.
#[derive(ToSchema)]
pub struct Fulfilment {
    /// The proof's own id.
    pub proof: Id,
    /// For whom.
    pub customer: Id,
    /// In which case.
    pub case: Id,
    /// On which device.
    pub device: Id,
    /// By which run.
    pub run: Id,
    /// With which proposed edits.
    pub change_set: Id,
    /// The playbooks that were applied: `id`, `version`, `digest`.
    #[schema(value_type = Vec<Object>)]
    pub playbooks: Vec<serde_json::Value>,
    /// The digest of the plan that was approved.
    pub plan: Digest,
    /// The posture before the change.
    pub before: Posture,
    /// The posture after the change.
    pub after: Posture,
    /// Checks that failed before and do not after.
    pub fixed: Vec<u32>,
    /// Checks that failed before and still do.
    pub still_failing: Vec<u32>,
    /// Checks that fail after and did not before.
    pub newly_failing: Vec<u32>,
    /// The digest of the diff.
    pub diff: Digest,
    /// When the run began.
    pub started: Time,
    /// When the run ended.
    pub finished: Time,
}

/// What one scan found.
#[derive(ToSchema)]
pub struct Posture {
    /// Which scan.
    pub scan: Id,
    /// The digest of its report.
    pub report: Digest,
    /// The score, 0 to 100.
    pub score: u8,
    /// How many checks passed.
    pub passed: u32,
    /// How many checks failed.
    pub failed: u32,
    /// The failed checks.
    pub failed_checks: Vec<u32>,
}

/// List the fulfilment proofs that you may see, newest first.
#[utoipa::path(
    get, path = "/v1/proofs", tag = "cases", security(("bearer" = [])), params(PageQuery),
    responses((status = 200, description = "A page of them.", body = Page<Proof>))
)]
pub(crate) async fn list_proofs(
    State(shared): State<Shared>,
    caller: Caller,
    Asked(query): Asked<PageQuery>,
) -> Result<Response, Problem> {
    let page = shared.desk.proofs(&caller.principal, &query.page()?).await?;
    Ok(json(StatusCode::OK, &page))
}
