//! `GET /v1/mesh/doctor`: all that the platform's node knows of the mesh's paths.

use axum::{extract::State, http::StatusCode, response::Response};
use utoipa::ToSchema;

use crate::{body::json, caller::Caller, problem::Problem, schema::Time, state::Shared};

/// What the platform's node knows of the mesh.
#[derive(ToSchema)]
pub struct MeshDoctor {
    /// Whether the node runs.
    pub on: bool,
    /// When this was so.
    pub at: Option<Time>,
    /// Links, members, refusals and path reports, in the node's own words. While it does not run: null, or why it has
    /// `stopped` by itself.
    pub report: Option<serde_json::Value>,
}

/// Read all that the platform's node knows of the mesh's paths: what was tried, what failed, and why.
#[utoipa::path(
    get, path = "/v1/mesh/doctor", tag = "mesh", security(("bearer" = [])),
    responses((status = 200, description = "The report.", body = MeshDoctor))
)]
pub(crate) async fn read_mesh_doctor(
    State(shared): State<Shared>,
    caller: Caller,
) -> Result<Response, Problem> {
    Ok(json(StatusCode::OK, &shared.desk.mesh_doctor(&caller.principal)?))
}
