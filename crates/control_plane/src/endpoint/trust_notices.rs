//! `GET /v1/trust/notices`: the words that signing keys go out of use, for everybody.

use axum::{
    extract::State,
    http::header,
    response::{IntoResponse as _, Response},
};
use serde_json::json;
use utoipa::ToSchema;

use crate::{schema::Envelope, state::Shared};

/// How long readers may keep the answer. It changes only when the platform was stopped and started again.
const CACHE: &str = "public, max-age=300";

/// The newest notices.
#[derive(ToSchema)]
pub struct TrustNotices {
    /// At most 64, oldest first. Each is signed by the operator: check it against the trust chain.
    pub items: Vec<Envelope>,
}

/// Read the deprecation notices: which signing keys go out of use, from when on to warn and to refuse, and what to do.
#[utoipa::path(
    get, path = "/v1/trust/notices", tag = "proof",
    responses((status = 200, description = "The newest notices.", body = TrustNotices))
)]
pub(crate) async fn list_trust_notices(State(shared): State<Shared>) -> Response {
    let notices = json!({"items": shared.desk.notices()});
    ([(header::CACHE_CONTROL, CACHE)], axum::Json(notices)).into_response()
}
