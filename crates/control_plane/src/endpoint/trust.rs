//! `GET /v1/trust`: the trust chain, for everybody.

use axum::{
    extract::State,
    http::header,
    response::{IntoResponse, Response},
};

use crate::state::Shared;

/// Read the trust chain (`sovereign_trust_registry.json`): who may sign what, from the first root on.
///
/// Check it against a fingerprint of the root that came to you another way.
#[utoipa::path(
    get, path = "/v1/trust", tag = "proof",
    responses((status = 200, description = "The chain, byte for byte as its file.", body = Object, content_type = "application/json"))
)]
pub(crate) async fn read_trust(State(shared): State<Shared>) -> Response {
    let headers = [(header::CONTENT_TYPE, "application/json"), (header::CACHE_CONTROL, "no-cache")];
    (headers, shared.desk.trust_chain()).into_response()
}
