//! `POST /v1/mesh/settlements`: calls that nodes made without the platform, brought by one of them.

use axum::{extract::State, http::StatusCode, response::Response};
use serde::Deserialize;
use utoipa::ToSchema;

use crate::{
    body::JsonBody,
    idempotency::{self, Command},
    schema::{Digest, Envelope},
    state::Shared,
};

/// What is brought.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Brought {
    papers: Vec<desk::MeshPapers>,
}

/// Calls with their answers and grants.
#[derive(ToSchema)]
#[schema(as = MeshSettlements)]
pub struct MeshSettlementsBody {
    /// At most 16.
    #[schema(max_items = 16)]
    pub papers: Vec<MeshPapers>,
}

/// One call with its answer and the grant that pays for it.
#[derive(ToSchema)]
pub struct MeshPapers {
    /// Signed by the node that was called; holds the receipt.
    pub answer: Envelope,
    /// Signed by the caller.
    pub call: Envelope,
    /// Signed by the operator.
    pub grant: Envelope,
}

/// The calls that need not be brought again.
#[derive(ToSchema)]
pub struct MeshSettled {
    /// The digests of the calls' payloads: charged, known before, refused for good, or brought with papers that do not
    /// hold.
    pub calls: Vec<Digest>,
}

/// Bring calls that nodes made without the platform.
///
/// Each is charged once, however often and by whomever it is brought. What is more than was granted is refused for good
/// and shown in the case. Papers that do not hold are dropped without a trace: the true ones may come after them.
#[utoipa::path(
    post, path = "/v1/mesh/settlements", tag = "device", security(("bearer" = [])), request_body = MeshSettlementsBody,
    responses((status = 200, description = "Taken.", body = MeshSettled))
)]
pub(crate) async fn settle_mesh(
    State(shared): State<Shared>,
    Command { call, body: JsonBody(brought) }: Command<JsonBody<Brought>>,
) -> Response {
    // A call that comes again is known by its digest: no answer need be kept.
    let settled = Box::pin(shared.desk.settle_mesh_of(&call.principal, &brought.papers)).await;
    idempotency::answer(&shared.desk, &call, StatusCode::OK, settled).await
}
