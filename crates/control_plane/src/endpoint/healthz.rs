//! `GET /healthz`: whether the process is up.

use axum::{
    http::header,
    response::{IntoResponse, Response},
};

/// Ask whether the process is up. Whether it can work: `/readyz`.
#[utoipa::path(
    get, path = "/healthz", tag = "operation",
    responses((status = 200, description = "It is.", body = String, content_type = "text/plain"))
)]
pub(crate) async fn healthz() -> Response {
    ([(header::CONTENT_TYPE, "text/plain; charset=utf-8")], "ok\n").into_response()
}
