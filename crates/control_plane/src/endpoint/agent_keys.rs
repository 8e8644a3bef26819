//! `GET` and `POST /v1/agent-keys`: standing credentials for programs.

use axum::{extract::State, http::StatusCode, response::Response};
use desk::NewAgentKey;
use utoipa::ToSchema;

use crate::{
    body::{JsonBody, json},
    caller::Caller,
    endpoint::call::Skill,
    idempotency::{self, Command},
    problem::Problem,
    query::{Asked, PageQuery},
    schema::{Currency, Exact, Id, Money, Page, Time},
    state::Shared,
};

/// A program's standing credential, with what it spends.
#[derive(ToSchema)]
pub struct AgentKey {
    /// Its id.
    pub id: Id,
    /// What people call it.
    pub name: String,
    /// Whose it is.
    pub customer: Id,
    /// The skills that it may call.
    pub skills: Vec<Skill>,
    /// The most that its calls may cost in a calendar month (UTC); null when only the plan bounds it.
    pub cap: Option<Money>,
    /// From when on it is good for nothing.
    pub expires: Time,
    /// Who made it.
    pub made_by: String,
    /// When.
    pub made: Time,
    /// The last day (UTC) on which it was used.
    #[schema(format = Date, example = "2026-11-22")]
    pub last_used: Option<String>,
    /// When it was revoked.
    pub revoked: Option<Time>,
    /// Whether it is good.
    pub state: AgentKeyState,
    /// What its calls were charged this month (UTC), in major units.
    pub spent: Exact,
    /// The most that its running calls will be charged, in major units.
    pub held: Exact,
    /// Of which currency both are.
    pub currency: Currency,
}

/// Whether an agent key is good.
#[derive(ToSchema)]
#[schema(rename_all = "snake_case")]
pub enum AgentKeyState {
    /// It is.
    Active,
    /// Its time is over.
    Expired,
    /// It was ended.
    Revoked,
}

/// A key with its secret.
#[derive(ToSchema)]
pub struct MadeAgentKey {
    /// The key.
    pub key: AgentKey,
    /// The secret, for the `Authorization: Bearer` header. It is shown this once.
    #[schema(pattern = "^echo_key_[0-9a-f]{32}_[0-9a-f]{64}$")]
    pub secret: String,
}

/// A new agent key.
#[derive(ToSchema)]
#[schema(
    as = NewAgentKey,
    example = json!({
        "customer": "cus_0197c3f0a1b27c3d8e4f5a6b7c8d9e0f", "name": "night shift",
        "skills": ["triage.classify", "advisory.answer"], "cap": {"minor": 500, "currency": "EUR"}, "days": 30
    })
)]
pub struct NewAgentKeyBody {
    /// Whose; demanded from the operator's people, and for customers their own.
    pub customer: Option<Id>,
    /// What people call it, on one line; no other of the customer's keys that are not revoked may have the name.
    #[schema(min_length = 1, max_length = 120)]
    pub name: String,
    /// The skills that it may call, each once; not `remediation.apply`, which is a person's to approve.
    #[schema(min_items = 1)]
    pub skills: Vec<Skill>,
    /// The most that its calls may cost in a calendar month, in the currency of the customer's plan.
    pub cap: Option<Money>,
    /// For how many days it is good; 90 when not said.
    #[schema(minimum = 1, maximum = 366)]
    pub days: Option<u32>,
}

/// List the agent keys with what each has spent this month.
#[utoipa::path(
    get, path = "/v1/agent-keys", tag = "house", security(("bearer" = [])), params(PageQuery),
    responses((status = 200, description = "A page of them.", body = Page<AgentKey>))
)]
pub(crate) async fn list_agent_keys(
    State(shared): State<Shared>,
    caller: Caller,
    Asked(query): Asked<PageQuery>,
) -> Result<Response, Problem> {
    let page = shared.desk.agent_keys(&caller.principal, &query.page()?).await?;
    Ok(json(StatusCode::OK, &page))
}

/// Make an agent key: a program's own credential, with the skills it may call and what it may spend.
///
/// The answer holds a secret and is not kept: a retry is told that the name is taken. Revoke that key, and make another.
#[utoipa::path(
    post, path = "/v1/agent-keys", tag = "house", security(("bearer" = [])), request_body = NewAgentKeyBody,
    responses(
        (status = 201, description = "Made.", body = MadeAgentKey),
        (status = 404, description = "There is no such customer.", body = Problem, content_type = "application/problem+json")
    )
)]
pub(crate) async fn make_agent_key(
    State(shared): State<Shared>,
    Command { call, body: JsonBody(new) }: Command<JsonBody<NewAgentKey>>,
) -> Response {
    let made = shared.desk.make_agent_key(&call, new).await;
    idempotency::answer(&shared.desk, &call, StatusCode::CREATED, made).await
}
