//! `GET /v1/change-sets/{id}`: read one change set: a diff, its risk and its rollback.

use axum::{extract::State, http::StatusCode, response::Response};
use echo_core::ChangeSetId;
use utoipa::ToSchema;

use crate::{
    body::json,
    caller::Caller,
    path::Named,
    problem::Problem,
    schema::{Digest, Id, Time},
    state::Shared,
};

/// Proposed edits as a unified diff.
#[derive(ToSchema)]
pub struct ChangeSet {
    /// Its id.
    pub id: Id,
    /// In which case.
    pub case: Id,
    /// Whose.
    pub customer: Id,
    /// On which device.
    pub device: Id,
    /// The call that proposed it.
    pub call: Id,
    /// Which playbooks for which findings, and who must approve.
    pub proposal: Proposal,
    /// What the device says would change.
    pub plan: ChangePlan,
    /// Digest of the plan: what an approval is bound to.
    pub plan_digest: Digest,
    /// Where it stands.
    pub state: ChangeSetState,
    /// When it was proposed.
    pub proposed: Time,
    /// Who decided.
    pub decided_by: Option<String>,
    /// When.
    pub decided: Option<Time>,
    /// The run that applies it.
    pub run: Option<Id>,
    /// The call that applies it.
    pub apply_call: Option<Id>,
}

/// Where a change set stands.
#[derive(ToSchema)]
#[schema(rename_all = "snake_case")]
pub enum ChangeSetState {
    /// It waits for a decision.
    Proposed,
    /// Somebody said no.
    Rejected,
    /// Somebody said yes; the device works on it.
    Approved,
    /// It is on the device, verified.
    Applied,
    /// The device took it back because its verification failed.
    RolledBack,
    /// The device could not or would not do it.
    Failed,
}

/// What remediation proposes.
#[derive(ToSchema)]
pub struct Proposal {
    /// The ids of the playbooks, in the order to run them.
    pub playbooks: Vec<String>,
    /// Which playbook fixes which finding: `finding`, `check`, `playbook`.
    #[schema(value_type = Vec<Object>)]
    pub covers: Vec<serde_json::Value>,
    /// The findings that no playbook fixes.
    pub uncovered: Vec<Id>,
    /// The largest risk of a playbook.
    pub risk: Risk,
    /// Who must approve: `technician` or `customer`.
    pub approval: String,
    /// Why these, in a few sentences.
    pub because: String,
}

/// What a change may break.
#[derive(ToSchema)]
#[schema(rename_all = "snake_case")]
pub enum Risk {
    /// Nothing that a user would notice.
    Low,
    /// A service may behave differently.
    Medium,
    /// Somebody may be locked out, or a service may stop.
    High,
}

/// What would change on the device.
#[derive(ToSchema)]
pub struct ChangePlan {
    /// The playbooks: `id`, `version`.
    #[schema(value_type = Vec<Object>)]
    pub playbooks: Vec<serde_json::Value>,
    /// Every change, by path: `path`, `kind`, `before`, `after`.
    #[schema(value_type = Vec<Object>)]
    pub changes: Vec<serde_json::Value>,
    /// The changes as a unified diff with git's headers.
    pub diff: String,
    /// The highest risk of the playbooks.
    pub risk: Risk,
    /// What undoing means, one text a playbook.
    pub rollback: Vec<String>,
    /// The steps that were left out: `step`, `reason`.
    #[schema(value_type = Vec<Object>)]
    pub skipped: Vec<serde_json::Value>,
}

/// Read one change set: a diff, its risk and its rollback.
#[utoipa::path(
    get, path = "/v1/change-sets/{id}", tag = "cases", security(("bearer" = [])),
    params(("id" = Id, Path, description = "Which one.")),
    responses((status = 200, description = "It.", body = ChangeSet))
)]
pub(crate) async fn read_change_set(
    State(shared): State<Shared>,
    caller: Caller,
    Named(id): Named<ChangeSetId>,
) -> Result<Response, Problem> {
    Ok(json(StatusCode::OK, &shared.desk.change_set(&caller.principal, &id).await?))
}
