//! `POST /v1/cases/{id}/calls`: a call of an agent's skill.

use axum::{extract::State, http::StatusCode, response::Response};
use desk::AskSkill;
use echo_core::CaseId;
use utoipa::ToSchema;

use crate::{
    body::JsonBody,
    endpoint::call::{Skill, SkillCall},
    idempotency::{self, Command},
    path::Named,
    problem::Problem,
    schema::Id,
    state::Shared,
};

/// What is asked of a case's agents.
#[derive(ToSchema)]
#[schema(as = AskSkill, example = json!({"skill": "advisory.answer", "question": "Why is the score so low?"}))]
pub struct AskSkillBody {
    /// Which skill; `remediation.apply` is asked for by approving a change set.
    pub skill: Skill,
    /// The question, for `advisory.answer`: 1 to 1000 characters.
    #[schema(max_length = 1000)]
    pub question: Option<String>,
}

/// Call a skill for a case.
///
/// What the platform can answer itself is answered at once. What needs the device is queued: the call is `running`
/// until the device has answered; follow it by `GET /v1/calls/{id}` or the events.
#[utoipa::path(
    post, path = "/v1/cases/{id}/calls", tag = "cases", security(("bearer" = [])),
    params(("id" = Id, Path, description = "For which case.")), request_body = AskSkillBody,
    responses(
        (status = 201, description = "Called.", body = SkillCall),
        (status = 402, description = "The customer's plan does not cover the skill, or the agent key may not spend so much (`spend-cap`).", body = Problem, content_type = "application/problem+json")
    )
)]
pub(crate) async fn ask_skill(
    State(shared): State<Shared>,
    Named(case): Named<CaseId>,
    Command { call, body: JsonBody(ask) }: Command<JsonBody<AskSkill>>,
) -> Response {
    let made = shared.desk.ask(&call, &case, ask).await;
    idempotency::answer(&shared.desk, &call, StatusCode::CREATED, made).await
}
