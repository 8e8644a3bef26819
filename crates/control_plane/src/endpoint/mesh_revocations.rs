//! `GET /v1/mesh/revocations`: the nodes that the mesh lets in no more, for everybody.

use axum::{
    extract::State,
    http::header,
    response::{IntoResponse as _, Response},
};
use serde_json::json;
use utoipa::ToSchema;

use crate::{schema::Envelope, state::Shared};

/// The newest list of revoked nodes.
#[derive(ToSchema)]
pub struct MeshRevocations {
    /// Signed by the device issuer: check it against the trust chain. Null while no node was ever revoked.
    pub list: Option<Envelope>,
}

/// Read the newest list of the nodes that the mesh lets in no more.
#[utoipa::path(
    get, path = "/v1/mesh/revocations", tag = "mesh",
    responses((status = 200, description = "The list.", body = MeshRevocations))
)]
pub(crate) async fn read_mesh_revocations(State(shared): State<Shared>) -> Response {
    let list = json!({"list": shared.desk.node_revocations()});
    ([(header::CACHE_CONTROL, "no-cache")], axum::Json(list)).into_response()
}
