//! `POST /v1/users/{id}/sign-in-links`: a one-time link for a person.

use axum::{extract::State, http::StatusCode, response::Response};
use echo_core::UserId;
use utoipa::ToSchema;

use crate::{
    body::Nothing,
    idempotency::{self, Command},
    path::Named,
    schema::{Id, Time},
    state::Shared,
};

/// A one-time link for a person.
#[derive(ToSchema)]
pub struct SignInLink {
    /// For whom.
    pub user: Id,
    /// The one-time secret: it belongs behind the `#` of `/sign-in#SECRET`.
    pub secret: String,
    /// Until when it is good.
    pub expires: Time,
}

/// Make a one-time sign-in link for a person.
///
/// The answer holds a secret and is not kept: a retry makes another link.
#[utoipa::path(
    post, path = "/v1/users/{id}/sign-in-links", tag = "house", security(("bearer" = [])),
    params(("id" = Id, Path, description = "Whose.")),
    responses((status = 201, description = "Made.", body = SignInLink))
)]
pub(crate) async fn make_sign_in_link(
    State(shared): State<Shared>,
    Named(user): Named<UserId>,
    command: Command<Nothing>,
) -> Response {
    let made = shared.desk.make_sign_in_link(&command.call, &user).await;
    idempotency::answer(&shared.desk, &command.call, StatusCode::CREATED, made).await
}
