//! `/v1/triage`: the labels that cases are sorted into, and the versions of learned triage.

use access::Action;
use axum::{extract::State, http::StatusCode, response::Response};
use base64::{Engine as _, engine::general_purpose::STANDARD};
use desk::{DeskError, UseTriage};
use serde::Deserialize;
use utoipa::ToSchema;

use crate::{
    body::{JsonBody, Nothing, json},
    caller::Caller,
    idempotency::{self, Command},
    problem::Problem,
    schema::{Severity, Time},
    state::Shared,
};

/// What a case can be sorted as.
#[derive(ToSchema)]
pub struct TriageLabel {
    /// What stands in cases.
    pub id: String,
    /// For people.
    pub name: String,
    /// One sentence; may be empty.
    pub description: String,
    /// The kind of work it is.
    pub category: String,
    /// Who gets it.
    pub queue: String,
    /// How much such a case usually hurts.
    pub severity: Severity,
    /// A playbook that may help, where the words of a case name no better one.
    pub playbook: Option<String>,
}

/// Where learned triage stands.
#[derive(ToSchema)]
pub struct TriageLearning {
    /// The version that speaks first; null when the lexicon alone does.
    pub in_force: Option<u64>,
    /// Why the version in force is refused, and the lexicon speaks alone.
    pub trouble: Option<String>,
    /// How many cases a technician decided that can be learned from.
    pub examples: u64,
    /// When it was last tried to learn from them.
    pub tried: Option<Time>,
    /// What came of it.
    pub said: String,
    /// The versions that are kept, newest first.
    pub versions: Vec<TriageCard>,
}

/// A version of learned triage, as the operator's key signed it.
#[derive(ToSchema)]
pub struct TriageCard {
    /// From 1.
    pub version: u64,
    /// SHA-256 of the model.
    pub model: String,
    /// How many bytes it has.
    pub bytes: u64,
    /// The labels that it can name.
    pub labels: Vec<String>,
    /// Where it is from.
    pub origin: TriageOrigin,
    /// How many decided cases it learned from; 0 for one that was installed.
    pub learned_from: u64,
    /// How good triage with it was on decided cases that were held back; null when too few are there.
    pub held_back: Option<TriageFigures>,
    /// When it was made or installed.
    pub made: Time,
    /// By whom.
    pub made_by: String,
}

/// Where a version is from.
#[derive(ToSchema)]
#[schema(rename_all = "snake_case")]
pub enum TriageOrigin {
    /// Learned here, from decided cases.
    Learned,
    /// Brought by the operator.
    Installed,
}

/// How good triage was. Shares are 0 to 1.
#[derive(ToSchema)]
pub struct TriageFigures {
    /// On how many cases.
    pub cases: u64,
    /// The share of right guesses, with those that it did not act on.
    pub accuracy: f64,
    /// The mean of the labels' F1.
    pub macro_f1: f64,
    /// The share that it answered.
    pub answered: f64,
    /// The share of right answers among them.
    pub answered_accuracy: f64,
}

/// Which version to use.
#[derive(ToSchema)]
#[schema(as = UseTriage, example = json!({"version": 3}))]
pub struct UseTriageBody {
    /// Which; 0 for the lexicon alone.
    pub version: u64,
}

/// A model to install.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = InstallTriage)]
pub struct InstallTriageBody {
    /// The bytes of `model.bin`, in base64.
    pub model: String,
}

/// List the labels that cases are sorted into.
#[utoipa::path(
    get, path = "/v1/triage/labels", tag = "cases", security(("bearer" = [])),
    responses((status = 200, description = "The labels.", body = Vec<TriageLabel>))
)]
pub(crate) async fn list_triage_labels(
    State(shared): State<Shared>,
    caller: Caller,
) -> Result<Response, Problem> {
    caller.principal.require(Action::ReadCase).map_err(DeskError::from)?;
    let labels: Vec<_> = shared.desk.triage_labels().iter().collect();
    Ok(json(StatusCode::OK, &labels))
}

/// Read where learned triage stands, with the versions that are kept.
#[utoipa::path(
    get, path = "/v1/triage/versions", tag = "operation", security(("bearer" = [])),
    responses((status = 200, description = "Where it stands.", body = TriageLearning))
)]
pub(crate) async fn read_triage(State(shared): State<Shared>, caller: Caller) -> Result<Response, Problem> {
    Ok(json(StatusCode::OK, &shared.desk.triage_learning(&caller.principal).await?))
}

/// Install a model that was trained elsewhere, and use it. Its labels must all be in the set.
#[utoipa::path(
    post, path = "/v1/triage/versions", tag = "operation", security(("bearer" = [])), request_body = InstallTriageBody,
    responses((status = 200, description = "Installed and in force.", body = TriageLearning))
)]
pub(crate) async fn install_triage(
    State(shared): State<Shared>,
    Command { call, body: JsonBody(body) }: Command<JsonBody<InstallTriageBody>>,
) -> Response {
    let done = match STANDARD.decode(&body.model) {
        Ok(bytes) => shared.desk.install_triage(&call, bytes).await,
        Err(_) => call.principal.require(Action::ManageTriage).map_err(DeskError::from).and(Err(
            DeskError::Invalid { field: "model".to_owned(), reason: "write its bytes in base64".to_owned() },
        )),
    };
    idempotency::answer(&shared.desk, &call, StatusCode::OK, done).await
}

/// Use a version that is kept, or the lexicon alone.
#[utoipa::path(
    post, path = "/v1/triage/use", tag = "operation", security(("bearer" = [])), request_body = UseTriageBody,
    responses(
        (status = 200, description = "In force.", body = TriageLearning),
        (status = 404, description = "No such version is kept.", body = Problem, content_type = "application/problem+json")
    )
)]
pub(crate) async fn use_triage(
    State(shared): State<Shared>,
    Command { call, body: JsonBody(chosen) }: Command<JsonBody<UseTriage>>,
) -> Response {
    let done = shared.desk.use_triage(&call, chosen).await;
    idempotency::answer(&shared.desk, &call, StatusCode::OK, done).await
}

/// Learn from the decided cases now. What was learned is used when it is not worse than what is in force; `said` tells.
#[utoipa::path(
    post, path = "/v1/triage/learn", tag = "operation", security(("bearer" = [])),
    responses((status = 200, description = "What came of it.", body = TriageLearning))
)]
pub(crate) async fn learn_triage(State(shared): State<Shared>, command: Command<Nothing>) -> Response {
    let done = shared.desk.learn_triage(&command.call).await;
    idempotency::answer(&shared.desk, &command.call, StatusCode::OK, done).await
}
