//! `POST /v1/refresh`: a refresh token for new tokens.

use axum::{extract::State, http::StatusCode, response::Response};
use serde::Deserialize;
use utoipa::ToSchema;

use crate::{
    body::{JsonBody, json},
    endpoint::sign_in::Tokens,
    problem::Problem,
    state::Shared,
};

/// A refresh token.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Refresh {
    /// The token of the last sign-in or refresh.
    #[schema(max_length = 200)]
    pub refresh_token: String,
}

/// Trade a refresh token for new tokens.
///
/// A refresh token is good once. One that comes again ends the whole session: somebody else may hold it.
#[utoipa::path(
    post, path = "/v1/refresh", tag = "sessions", request_body = Refresh,
    responses((status = 200, description = "New tokens.", body = Tokens), (status = 401, description = "The token is not known, was used, or the session has ended.", body = Problem, content_type = "application/problem+json"))
)]
pub(crate) async fn refresh(
    State(shared): State<Shared>,
    JsonBody(body): JsonBody<Refresh>,
) -> Result<Response, Problem> {
    Ok(json(StatusCode::OK, &shared.desk.refresh(&body.refresh_token).await?))
}
