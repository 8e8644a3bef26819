//! `GET /v1/mesh/nodes/{did}`: read one node of the mesh.

use axum::{extract::State, http::StatusCode, response::Response};

use crate::{
    body::json, caller::Caller, endpoint::mesh_nodes::MeshNode, path::Part, problem::Problem, schema::Did,
    state::Shared,
};

/// Read one node of the mesh.
#[utoipa::path(
    get, path = "/v1/mesh/nodes/{did}", tag = "mesh", security(("bearer" = [])),
    params(("did" = Did, Path, description = "Which one.")),
    responses((status = 200, description = "It.", body = MeshNode))
)]
pub(crate) async fn read_mesh_node(
    State(shared): State<Shared>,
    caller: Caller,
    Part(did): Part,
) -> Result<Response, Problem> {
    let node = did
        .parse()
        .map_err(|error| Problem::not_found(format!("{error}; list what there is to find one")))?;
    Ok(json(StatusCode::OK, &shared.desk.mesh_node(&caller.principal, &node).await?))
}
