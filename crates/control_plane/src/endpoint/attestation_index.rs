//! `GET /v1/attestations/index`: the federated index of attestations, for everybody.

use axum::{
    extract::State,
    http::header,
    response::{IntoResponse as _, Response},
};

use crate::{problem::Problem, schema::Envelope, state::Shared};

/// Read the index of attestations (`federated_attestation_index.json`): digests and places in the ledger, of this
/// platform and of those whose attestations it took over. It names nobody.
///
/// Signed by the attestor: check it against the trust chain, and its entries against the genesis ledger.
#[utoipa::path(
    get, path = "/v1/attestations/index", tag = "proof",
    responses(
        (status = 200, description = "The index, byte for byte as its file.", body = Envelope),
        (status = 404, description = "There is no index yet.", body = Problem, content_type = "application/problem+json")
    )
)]
pub(crate) async fn read_attestation_index(State(shared): State<Shared>) -> Result<Response, Problem> {
    let index = shared.desk.attestation_index().await?;
    let index = index
        .ok_or_else(|| Problem::not_found("there is no attestation index yet: ask again in a moment"))?;
    let headers = [(header::CONTENT_TYPE, "application/json"), (header::CACHE_CONTROL, "no-cache")];
    Ok((headers, index).into_response())
}
