//! `POST /v1/enrol`: a device becomes known.

use axum::{extract::State, http::StatusCode, response::Response};
use utoipa::ToSchema;

use crate::{
    body::{JsonBody, json},
    problem::Problem,
    schema::{Envelope, Id},
    state::Shared,
};

/// A device's request to become known.
#[derive(ToSchema)]
pub struct EnrolRequest {
    /// The one-time secret of the enrolment token.
    pub secret: String,
    /// The device's claim (`application/vnd.echo.enrolment.v1+json`: name, `public_key`, facts), signed with the key
    /// that it names.
    pub claim: Envelope,
}

/// The platform's answer.
#[derive(ToSchema)]
pub struct Enrolled {
    /// The device's id from now on.
    pub device: Id,
    /// Whose it is.
    pub customer: Id,
    /// The node manifest, certified by the device issuer.
    pub manifest: Envelope,
    /// The trust chain, to be checked against the fingerprint in the token.
    pub chain: serde_json::Value,
}

/// Enrol a device with a one-time token.
///
/// The same device with the same token gets the same answer again.
#[utoipa::path(
    post, path = "/v1/enrol", tag = "device", request_body = EnrolRequest,
    responses((status = 201, description = "Enrolled.", body = Enrolled), (status = 401, description = "The token is not known, was used, or is too old.", body = Problem, content_type = "application/problem+json"), (status = 409, description = "The key is enrolled already.", body = Problem, content_type = "application/problem+json"))
)]
pub(crate) async fn enrol(
    State(shared): State<Shared>,
    JsonBody(request): JsonBody<device_link::EnrolRequest>,
) -> Result<Response, Problem> {
    Ok(json(StatusCode::CREATED, &shared.desk.enrol(&request).await?))
}
