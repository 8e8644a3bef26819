//! `GET /v1/me`: who the caller is.

use axum::{http::StatusCode, response::Response};
use utoipa::ToSchema;

use crate::{
    body::json,
    caller::Caller,
    schema::{Id, Role},
};

/// Who the caller is.
#[derive(ToSchema)]
pub struct Principal {
    /// The user's or the device's id.
    pub subject: Id,
    /// What people call it.
    pub name: String,
    /// What it may do.
    pub role: Role,
    /// Whose it is; null for the operator's own people.
    pub customer: Option<Id>,
    /// Which device it is; null for people.
    pub device: Option<Id>,
    /// The id of the access token in hand.
    pub token: Id,
    /// The session that the token belongs to; null for a device's.
    pub family: Option<Id>,
}

/// Read who you are.
#[utoipa::path(
    get, path = "/v1/me", tag = "sessions", security(("bearer" = [])),
    responses((status = 200, description = "The caller.", body = Principal))
)]
pub(crate) async fn me(caller: Caller) -> Response {
    json(StatusCode::OK, &caller.principal)
}
