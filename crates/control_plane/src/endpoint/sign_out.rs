//! `POST /v1/sign-out`: the end of a session.

use axum::{extract::State, http::StatusCode};

use crate::{body::Nothing, idempotency::Command, problem::Problem, state::Shared};

/// End the session: its access and refresh tokens are refused from now on.
#[utoipa::path(
    post, path = "/v1/sign-out", tag = "sessions", security(("bearer" = [])),
    responses((status = 204, description = "Signed out."))
)]
pub(crate) async fn sign_out(
    State(shared): State<Shared>,
    command: Command<Nothing>,
) -> Result<StatusCode, Problem> {
    let Nothing = command.body;
    shared.desk.sign_out(&command.call.principal).await?;
    Ok(StatusCode::NO_CONTENT)
}
