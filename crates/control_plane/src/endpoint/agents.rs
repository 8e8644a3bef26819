//! `GET /v1/agents`: list the agents that serve here.

use axum::{extract::State, http::StatusCode, response::Response};
use echo_core::Page as DeskPage;
use utoipa::ToSchema;

use crate::{body::json, caller::Caller, problem::Problem, schema::Page, state::Shared};

/// A service agent.
#[derive(ToSchema)]
pub struct AgentManifest {
    /// What stands before the full stop in its skills' names.
    #[schema(example = "triage")]
    pub id: String,
    /// For people.
    pub name: String,
    /// Semantic version of the agent's behaviour.
    pub version: String,
    /// One sentence.
    pub description: String,
    /// What it can do.
    pub skills: Vec<SkillSpec>,
    /// How it does it.
    #[schema(example = "deterministic")]
    pub engine: String,
}

/// One skill of an agent.
#[derive(ToSchema)]
pub struct SkillSpec {
    /// The skill's name.
    #[schema(example = "triage.classify")]
    pub name: String,
    /// For people.
    pub title: String,
    /// One sentence.
    pub description: String,
    /// The id in the catalogue under which a use is priced.
    pub sku: String,
    /// All that it may touch: `read_case`, `read_device`, `change_device`.
    pub capabilities: Vec<String>,
    /// All that it reads: `given`, `case_text`, `case_evidence`, `device_facts`, `device_state`, `playbooks`, `memory`.
    pub data: Vec<String>,
    /// What a call may do to a device or its people: `low`, `medium`, `high`.
    pub risk: String,
    /// The least approval it needs: `none`, `technician`, `customer`.
    pub approval: String,
    /// What a caller gives, as JSON Schema (draft 2020-12).
    #[schema(value_type = Object)]
    pub input: serde_json::Value,
    /// What it answers, as JSON Schema (draft 2020-12).
    #[schema(value_type = Object)]
    pub output: serde_json::Value,
}

/// List the agents that serve here.
#[utoipa::path(
    get, path = "/v1/agents", tag = "house", security(("bearer" = [])),
    responses((status = 200, description = "All of them, on one page.", body = Page<AgentManifest>))
)]
pub(crate) async fn list_agents(State(shared): State<Shared>, caller: Caller) -> Result<Response, Problem> {
    let items = shared.desk.agents(&caller.principal)?;
    Ok(json(StatusCode::OK, &DeskPage { items, next: None }))
}
