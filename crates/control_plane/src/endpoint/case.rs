//! `GET /v1/cases/{id}`: one case with everything that hangs under it.

use axum::{extract::State, http::StatusCode, response::Response};
use echo_core::CaseId;
use utoipa::ToSchema;

use crate::{
    body::json,
    caller::Caller,
    endpoint::{
        call::SkillCall,
        cases::{Case, CaseState},
        change_set::ChangeSet,
        findings::Finding,
        invoices::InvoiceRecord,
        proofs::Proof,
        receipts::ReceiptRecord,
    },
    path::Named,
    problem::Problem,
    schema::{Id, Time},
    state::Shared,
};

/// A case with everything that hangs under it.
#[derive(ToSchema)]
pub struct CaseView {
    /// The case.
    pub case: Case,
    /// Whose, by name.
    pub customer_name: String,
    /// The machine's name.
    pub device_name: Option<String>,
    /// What happened, oldest first.
    pub timeline: Vec<TimelineEntry>,
    /// The skill calls, oldest first.
    pub calls: Vec<SkillCall>,
    /// The findings of its scans.
    pub findings: Vec<Finding>,
    /// The changes that were proposed.
    pub change_sets: Vec<ChangeSet>,
    /// The fulfilment proofs.
    pub proofs: Vec<Proof>,
    /// The receipts.
    pub receipts: Vec<ReceiptRecord>,
    /// The bill, once it is drawn.
    pub invoice: Option<InvoiceRecord>,
    /// Cases of the same customer that resemble it, the likest first.
    pub related: Vec<RelatedCase>,
}

/// A case that resembles another one.
#[derive(ToSchema)]
pub struct RelatedCase {
    /// Which.
    pub case: Id,
    /// Its number for people.
    pub number: i64,
    /// One line of what was asked.
    pub title: String,
    /// Where it stands.
    pub state: CaseState,
    /// How much it resembles, 0 to 1.
    pub score: f64,
    /// Whether it says the same again.
    pub duplicate: bool,
}

/// One line of a case's timeline.
#[derive(ToSchema)]
pub struct TimelineEntry {
    /// Its id.
    pub id: Id,
    /// Which case.
    pub case: Id,
    /// Whose.
    pub customer: Id,
    /// When.
    pub at: Time,
    /// Who did it: a person, a device or an agent, by name.
    pub actor: String,
    /// What it is about.
    pub kind: TimelineKind,
    /// One line.
    pub title: String,
    /// More words; may be empty.
    pub detail: String,
    /// The id of what it speaks of.
    pub link: Option<String>,
}

/// What a line of the timeline is about.
#[derive(ToSchema)]
#[schema(rename_all = "snake_case")]
pub enum TimelineKind {
    /// The case was opened.
    Opened,
    /// Triage read it.
    Triaged,
    /// The device was observed.
    Diagnosed,
    /// The posture was compared.
    Scanned,
    /// A question was answered.
    Advised,
    /// A change was proposed.
    Proposed,
    /// Somebody approved a change.
    Approved,
    /// Somebody rejected a change.
    Rejected,
    /// A change was applied.
    Applied,
    /// A fulfilment proof was attested.
    Proven,
    /// An invoice was drawn.
    Billed,
    /// An invoice was paid.
    Settled,
    /// The case was closed.
    Closed,
    /// Calls between nodes of the mesh were granted.
    Granted,
    /// A skill was called over the mesh.
    Called,
    /// Something did not work.
    Failed,
}

/// Read one case with everything that hangs under it.
#[utoipa::path(
    get, path = "/v1/cases/{id}", tag = "cases", security(("bearer" = [])),
    params(("id" = Id, Path, description = "Which case.")),
    responses((status = 200, description = "The case.", body = CaseView))
)]
pub(crate) async fn read_case(
    State(shared): State<Shared>,
    caller: Caller,
    Named(id): Named<CaseId>,
) -> Result<Response, Problem> {
    Ok(json(StatusCode::OK, &shared.desk.case(&caller.principal, &id).await?))
}
