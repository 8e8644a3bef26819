//! `POST /v1/sign-in`: a one-time secret for tokens.

use axum::{extract::State, http::StatusCode, response::Response};
use serde::Deserialize;
use utoipa::ToSchema;

use crate::{
    body::{JsonBody, json},
    problem::Problem,
    state::Shared,
};

/// A one-time secret from a sign-in link.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({"secret": "tok_0197c3f0a1b27c3d8e4f5a6b7c8d9e0f.5a6b..."}))]
pub struct SignIn {
    /// The secret: what stands behind the `#` of the link.
    #[schema(max_length = 200)]
    pub secret: String,
}

/// What a caller signs its requests with.
#[derive(ToSchema)]
pub struct Tokens {
    /// The access token (JWT, `EdDSA`), for the `Authorization: Bearer` header.
    pub access_token: String,
    /// Always `Bearer`.
    #[schema(example = "Bearer")]
    pub token_type: String,
    /// How long the access token lives, in seconds.
    #[schema(example = 600)]
    pub expires_in: i64,
    /// The refresh token, to be used once; a device has none.
    pub refresh_token: Option<String>,
}

/// Trade a one-time secret for tokens.
#[utoipa::path(
    post, path = "/v1/sign-in", tag = "sessions", request_body = SignIn,
    responses((status = 200, description = "Signed in.", body = Tokens), (status = 401, description = "The secret is not known, was used, or is too old.", body = Problem, content_type = "application/problem+json"))
)]
pub(crate) async fn sign_in(
    State(shared): State<Shared>,
    JsonBody(body): JsonBody<SignIn>,
) -> Result<Response, Problem> {
    Ok(json(StatusCode::OK, &shared.desk.sign_in(&body.secret).await?))
}
