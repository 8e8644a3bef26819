//! `POST /v1/device/token`: a signed assertion for an access token.

use axum::{extract::State, http::StatusCode, response::Response};

use crate::{
    body::{JsonBody, json},
    endpoint::sign_in::Tokens,
    problem::Problem,
    schema,
    state::Shared,
};

/// Trade a device's signed assertion for an access token.
///
/// The payload is `application/vnd.echo.device-assertion.v1+json`: device, root (fingerprint of the trust root), at,
/// nonce. It is good for a minute and once.
#[utoipa::path(
    post, path = "/v1/device/token", tag = "device", request_body = schema::Envelope,
    responses((status = 200, description = "An access token.", body = Tokens), (status = 401, description = "The assertion is refused.", body = Problem, content_type = "application/problem+json"))
)]
pub(crate) async fn device_token(
    State(shared): State<Shared>,
    JsonBody(assertion): JsonBody<trust::Envelope>,
) -> Result<Response, Problem> {
    Ok(json(StatusCode::OK, &shared.desk.device_token(&assertion).await?))
}
