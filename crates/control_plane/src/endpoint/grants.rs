//! `/v1/cases/{id}/grants`: the operator's word that calls between nodes will be paid.

use axum::{extract::State, http::StatusCode, response::Response};
use desk::NewGrant;
use echo_core::CaseId;
use utoipa::ToSchema;

use crate::{
    body::{JsonBody, json},
    caller::Caller,
    endpoint::call::Skill,
    idempotency::{self, Command},
    path::Named,
    problem::Problem,
    schema::{Did, Digest, Envelope, Exact, Id, Money, Page, Time},
    state::Shared,
};

/// What is needed for a grant.
#[derive(ToSchema)]
#[schema(as = NewGrant, example = json!({
    "holder": "did:key:z6MkhaXgBZDvotDkL5257faiztiGiC2QtKLGpbnnEGta2doK", "skills": ["diagnostics.probe"], "calls": 10, "hours": 48
}))]
pub struct NewGrantBody {
    /// The node that may call: a device of the case's customer.
    pub holder: Did,
    /// Which skills, each once; all but `remediation.apply`.
    #[schema(min_items = 1)]
    pub skills: Vec<Skill>,
    /// How many calls of all of them together.
    #[schema(minimum = 1, maximum = 200)]
    pub calls: u32,
    /// For how many hours it counts.
    #[schema(minimum = 1, maximum = 744)]
    pub hours: u32,
}

/// A grant with what came of it.
#[derive(ToSchema)]
pub struct MeshGrant {
    /// What was granted.
    pub grant: GrantDocument,
    /// The same, signed by the operator: what the holder shows to whom it calls.
    pub envelope: Envelope,
    /// Digest of its payload, by which calls name it.
    pub digest: Digest,
    /// When it was granted.
    pub granted: Time,
    /// By whom.
    pub granted_by: String,
    /// The plan that priced it.
    pub plan: String,
    /// What one unit of each skill costs, exact: what is charged.
    pub prices: Vec<GrantPrice>,
    /// How many calls were charged.
    pub used: u32,
    /// How many came in with papers that hold and were not charged.
    pub refused: u32,
    /// Whether calls are still to be expected.
    pub state: GrantState,
}

/// What was granted.
#[derive(ToSchema)]
pub struct GrantDocument {
    /// Its id.
    pub id: Id,
    /// Who may call with it.
    pub holder: Did,
    /// For which case.
    pub case: Id,
    /// Who is charged.
    pub customer: Id,
    /// What it pays for.
    pub skills: Vec<GrantedSkill>,
    /// How many calls it pays for, at every node together.
    pub most_calls: u32,
    /// From when on it counts.
    pub from: Time,
    /// Until when it counts.
    pub until: Time,
}

/// One skill that a grant pays for.
#[derive(ToSchema)]
pub struct GrantedSkill {
    /// Which.
    pub skill: Skill,
    /// What is sold by it.
    pub sku: String,
    /// What one call costs at most: the exact price, rounded up.
    pub unit_price: Money,
}

/// What one unit costs.
#[derive(ToSchema)]
pub struct GrantPrice {
    /// Which skill.
    pub skill: Skill,
    /// What is sold.
    pub sku: String,
    /// One unit, in major units.
    pub unit_price: Exact,
}

/// Where a grant stands.
#[derive(ToSchema)]
#[schema(rename_all = "snake_case")]
pub enum GrantState {
    /// Calls may come in until it ends.
    Open,
    /// All of its calls were charged.
    Used,
}

/// Grant calls of a case's skills to a node, for while the platform is out of reach.
///
/// The node shows the signed grant to whom it calls; who did the work brings the receipt to the platform later, and it is
/// charged then, once.
#[utoipa::path(
    post, path = "/v1/cases/{id}/grants", tag = "mesh", security(("bearer" = [])),
    params(("id" = Id, Path, description = "For which case.")), request_body = NewGrantBody,
    responses(
        (status = 201, description = "Granted.", body = MeshGrant),
        (status = 402, description = "The customer's plan does not cover so many calls.", body = Problem, content_type = "application/problem+json")
    )
)]
pub(crate) async fn grant_calls(
    State(shared): State<Shared>,
    Named(case): Named<CaseId>,
    Command { call, body: JsonBody(new) }: Command<JsonBody<NewGrant>>,
) -> Response {
    let granted = shared.desk.grant(&call, &case, new).await;
    idempotency::answer(&shared.desk, &call, StatusCode::CREATED, granted).await
}

/// List the grants of a case, oldest first; calls are left of at most 100 of them.
#[utoipa::path(
    get, path = "/v1/cases/{id}/grants", tag = "mesh", security(("bearer" = [])),
    params(("id" = Id, Path, description = "Of which case.")),
    responses((status = 200, description = "All of them, on one page.", body = Page<MeshGrant>))
)]
pub(crate) async fn list_grants(
    State(shared): State<Shared>,
    caller: Caller,
    Named(case): Named<CaseId>,
) -> Result<Response, Problem> {
    Ok(json(StatusCode::OK, &shared.desk.grants(&caller.principal, &case).await?))
}

/// List the signed grants that the calling device holds and that still count.
#[utoipa::path(
    get, path = "/v1/device/grants", tag = "device", security(("bearer" = [])),
    responses((status = 200, description = "All of them, on one page.", body = Page<Envelope>))
)]
pub(crate) async fn held_grants(State(shared): State<Shared>, caller: Caller) -> Result<Response, Problem> {
    Ok(json(StatusCode::OK, &shared.desk.held_grants(&caller.principal).await?))
}
