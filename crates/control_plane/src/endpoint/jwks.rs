//! `GET /v1/jwks`: the public keys of access tokens, for everybody.

use axum::{
    extract::State,
    http::header,
    response::{IntoResponse, Response},
};

use crate::state::Shared;

/// Read the public keys of access tokens (JWKS, RFC 7517); `/.well-known/jwks.json` is the same.
#[utoipa::path(
    get, path = "/v1/jwks", tag = "proof",
    responses((status = 200, description = "The keys.", body = Object, content_type = "application/json"))
)]
pub(crate) async fn read_jwks(state: State<Shared>) -> Response {
    read(state).await
}

/// The keys.
pub(crate) async fn read(State(shared): State<Shared>) -> Response {
    let headers =
        [(header::CONTENT_TYPE, "application/json"), (header::CACHE_CONTROL, "public, max-age=300")];
    (headers, shared.desk.jwks().to_string()).into_response()
}
