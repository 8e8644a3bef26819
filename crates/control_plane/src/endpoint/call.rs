//! `GET /v1/calls/{id}`: read one call of a skill.

use axum::{extract::State, http::StatusCode, response::Response};
use echo_core::CallId;
use utoipa::ToSchema;

use crate::{
    body::json,
    caller::Caller,
    path::Named,
    problem::Problem,
    schema::{Digest, Exact, Id, Time},
    state::Shared,
};

/// One call of an agent's skill.
#[derive(ToSchema)]
pub struct SkillCall {
    /// Its id.
    pub id: Id,
    /// In which case.
    pub case: Id,
    /// Whose.
    pub customer: Id,
    /// On which device.
    pub device: Option<Id>,
    /// Which skill.
    pub skill: Skill,
    /// Where it stands.
    pub state: SkillCallState,
    /// Who asked.
    pub asked_by: String,
    /// By which agent key it was asked; null when by none.
    pub key: Option<Id>,
    /// The most that it will be charged, in major units; null when no agent key asked.
    pub held: Option<Exact>,
    /// When it was let in.
    pub started: Time,
    /// When it ended.
    pub finished: Option<Time>,
    /// Digest of what the skill was given.
    pub input: Digest,
    /// What the skill answered, in the skill's own shape: triage, advice, a diagnosis, a report, a proposal or plan.
    pub output: Option<serde_json::Value>,
    /// Why it failed.
    pub error: Option<String>,
    /// The command that a device carries out for it.
    pub command: Option<Id>,
    /// The scan it made.
    pub scan: Option<Id>,
    /// The change set it made or applied.
    pub change_set: Option<Id>,
    /// The receipt for it.
    pub receipt: Option<Id>,
    /// Why it answered what it did: engine, model, what it saw, its reasons; null for skills that choose no words.
    pub trace: Option<serde_json::Value>,
}

/// One typed operation of an agent.
#[derive(ToSchema)]
pub enum Skill {
    /// Sorts a case.
    #[schema(rename = "triage.classify")]
    TriageClassify,
    /// Measures a device.
    #[schema(rename = "diagnostics.probe")]
    DiagnosticsProbe,
    /// Scans a device's security posture.
    #[schema(rename = "scanner.posture")]
    ScannerPosture,
    /// Proposes playbooks for findings.
    #[schema(rename = "remediation.plan")]
    RemediationPlan,
    /// Carries out an approved plan on a device.
    #[schema(rename = "remediation.apply")]
    RemediationApply,
    /// Answers a question from a case's evidence.
    #[schema(rename = "advisory.answer")]
    AdvisoryAnswer,
    /// Goes on with a conversation, by a language model.
    #[schema(rename = "model.chat")]
    ModelChat,
    /// Turns texts into vectors, by a language model.
    #[schema(rename = "model.embed")]
    ModelEmbed,
}

/// Where a skill call stands.
#[derive(ToSchema)]
#[schema(rename_all = "snake_case")]
pub enum SkillCallState {
    /// A device works on it.
    Running,
    /// It is done.
    Done,
    /// It did not work; nothing is charged.
    Failed,
}

/// Read one call of a skill.
#[utoipa::path(
    get, path = "/v1/calls/{id}", tag = "cases", security(("bearer" = [])),
    params(("id" = Id, Path, description = "Which one.")),
    responses((status = 200, description = "It.", body = SkillCall))
)]
pub(crate) async fn read_call(
    State(shared): State<Shared>,
    caller: Caller,
    Named(id): Named<CallId>,
) -> Result<Response, Problem> {
    Ok(json(StatusCode::OK, &shared.desk.skill_call(&caller.principal, &id).await?))
}
