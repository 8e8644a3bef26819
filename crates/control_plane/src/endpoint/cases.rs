//! `GET` and `POST /v1/cases`: what customers ask for.

use std::collections::BTreeMap;

use axum::{extract::State, http::StatusCode, response::Response};
use desk::OpenCase;
use serde::Deserialize;
use utoipa::{IntoParams, ToSchema};

use crate::{
    body::{JsonBody, json},
    caller::Caller,
    endpoint::case::CaseView,
    idempotency::{self, Command},
    problem::Problem,
    query::{Asked, page},
    schema::{Id, Page, Severity, Time},
    state::Shared,
};

/// A support case.
#[derive(ToSchema)]
pub struct Case {
    /// Its id.
    pub id: Id,
    /// Its number for people, from 1.
    pub number: i64,
    /// Whose.
    pub customer: Id,
    /// Which machine it is about.
    pub device: Option<Id>,
    /// One line of what was asked.
    pub title: String,
    /// The intake form it came by.
    pub form: String,
    /// The form's version.
    pub form_version: u32,
    /// What was answered, by field.
    #[schema(value_type = std::collections::HashMap<String, String>)]
    pub answers: BTreeMap<String, String>,
    /// All of it as one text, as triage read it.
    pub text: String,
    /// Where it stands.
    pub state: CaseState,
    /// How urgent triage found it.
    pub severity: Severity,
    /// What triage found: the `label`, its `category`, `route` and `playbook`, `severity`, `impact` and `urgency`, the
    /// `engine` that answered, `confidence` (0 to 1), `abstained`, the words that weighed (`because`), what a learned
    /// model said (`guess`), the `language`, `related` cases, `facts_used` and a `summary`.
    #[schema(value_type = Option<Object>)]
    pub triage: Option<serde_json::Value>,
    /// What a technician sorted it as; null when nobody did.
    pub sorted: Option<Sorted>,
    /// When it was opened.
    pub opened: Time,
    /// Who opened it.
    pub opened_by: String,
    /// When it was closed.
    pub closed: Option<Time>,
}

/// What a technician sorted a case as.
#[derive(ToSchema)]
pub struct Sorted {
    /// The id of a label.
    pub label: String,
    /// Who.
    pub by: String,
    /// When.
    pub at: Time,
    /// Whether it was said by hand; without it, a technician closed the case as triage had sorted it.
    pub by_hand: bool,
}

/// Where a case stands.
#[derive(ToSchema)]
#[schema(rename_all = "snake_case")]
pub enum CaseState {
    /// It is worked on.
    Open,
    /// A change waits for somebody's decision.
    AwaitingApproval,
    /// The device applies an approved change.
    Applying,
    /// A change was applied and proven.
    Resolved,
    /// Nobody works on it: it collects a month's uses of models, and is then closed and billed.
    Standing,
    /// It is over; what was done is billed.
    Closed,
}

/// What opens a case.
#[derive(ToSchema)]
#[schema(
    as = OpenCase,
    example = json!({"form": "slow-computer", "answers": {"what_happened": "Opening the till takes minutes since Monday."}})
)]
pub struct OpenCaseBody {
    /// Whose; demanded from the operator's people, and for customers their own.
    pub customer: Option<Id>,
    /// Which machine it is about.
    pub device: Option<Id>,
    /// The intake form's id: see `GET /v1/intakes`.
    pub form: String,
    /// The answers by field id.
    #[schema(value_type = std::collections::HashMap<String, String>)]
    pub answers: BTreeMap<String, String>,
}

/// Which cases to list.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct CasesQuery {
    /// Only those in this state.
    #[param(value_type = Option<CaseState>)]
    pub state: Option<desk::CaseState>,
    /// The `next` of the page before; nothing for the first page.
    #[param(max_length = 100)]
    pub cursor: Option<String>,
    /// How many at most; 50 when not said.
    #[param(minimum = 1, maximum = 200)]
    pub limit: Option<u32>,
}

/// List the cases that you may see, newest first.
#[utoipa::path(
    get, path = "/v1/cases", tag = "cases", security(("bearer" = [])), params(CasesQuery),
    responses((status = 200, description = "A page of them.", body = Page<Case>))
)]
pub(crate) async fn list_cases(
    State(shared): State<Shared>,
    caller: Caller,
    Asked(query): Asked<CasesQuery>,
) -> Result<Response, Problem> {
    let page = page(query.cursor, query.limit)?;
    Ok(json(StatusCode::OK, &shared.desk.cases(&caller.principal, query.state, &page).await?))
}

/// Open a case: it is filed, signed and triaged.
#[utoipa::path(
    post, path = "/v1/cases", tag = "cases", security(("bearer" = [])), request_body = OpenCaseBody,
    responses(
        (status = 201, description = "Opened and triaged.", body = CaseView),
        (status = 402, description = "The customer's plan does not cover triage, or the agent key may not spend so much (`spend-cap`).", body = Problem, content_type = "application/problem+json"),
        (status = 404, description = "There is no such customer or device.", body = Problem, content_type = "application/problem+json")
    )
)]
pub(crate) async fn open_case(
    State(shared): State<Shared>,
    Command { call, body: JsonBody(open) }: Command<JsonBody<OpenCase>>,
) -> Response {
    let opened = shared.desk.open_case(&call, open).await;
    idempotency::answer(&shared.desk, &call, StatusCode::CREATED, opened).await
}
