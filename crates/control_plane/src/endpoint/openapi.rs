//! `GET /v1/openapi.json`: what this API takes and gives.

use std::sync::LazyLock;

use axum::{
    http::header,
    response::{IntoResponse, Response},
};

/// Written once: the code does not change while it runs.
static DOCUMENT: LazyLock<String> =
    LazyLock::new(|| crate::openapi().to_json().expect("texts and numbers are always JSON"));

/// Read this document (`OpenAPI` 3.1).
#[utoipa::path(
    get, path = "/v1/openapi.json", tag = "operation",
    responses((status = 200, description = "The document.", body = Object, content_type = "application/json"))
)]
pub(crate) async fn read_openapi() -> Response {
    let headers = [(header::CONTENT_TYPE, "application/json"), (header::CACHE_CONTROL, "no-cache")];
    (headers, DOCUMENT.as_str()).into_response()
}
