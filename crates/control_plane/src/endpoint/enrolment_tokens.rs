//! `POST /v1/enrolment-tokens`: a one-time token that enrols one device.

use axum::{extract::State, http::StatusCode, response::Response};
use desk::NewEnrolment;
use utoipa::ToSchema;

use crate::{
    body::JsonBody,
    idempotency::{self, Command},
    problem::Problem,
    schema::{Id, Time},
    state::Shared,
};

/// For whom a token is made.
#[derive(ToSchema)]
#[schema(as = NewEnrolment, example = json!({"customer": "cus_0197c3f0a1b27c3d8e4f5a6b7c8d9e0f"}))]
pub struct NewEnrolmentBody {
    /// Whose device it will be.
    pub customer: Id,
}

/// A one-time token that enrols one device.
#[derive(ToSchema)]
pub struct EnrolmentToken {
    /// The token, to be carried to the device in a file.
    pub token: String,
    /// Whose device it will be.
    pub customer: Id,
    /// Until when it is good.
    pub expires: Time,
}

/// Make a one-time enrolment token.
///
/// The answer holds a secret and is not kept: a retry makes another token.
#[utoipa::path(
    post, path = "/v1/enrolment-tokens", tag = "devices", security(("bearer" = [])),
    request_body = NewEnrolmentBody,
    responses(
        (status = 201, description = "Made.", body = EnrolmentToken),
        (status = 404, description = "There is no such customer.", body = Problem, content_type = "application/problem+json")
    )
)]
pub(crate) async fn make_enrolment_token(
    State(shared): State<Shared>,
    Command { call, body: JsonBody(new) }: Command<JsonBody<NewEnrolment>>,
) -> Response {
    let made = shared.desk.make_enrolment_token(&call, new).await;
    idempotency::answer(&shared.desk, &call, StatusCode::CREATED, made).await
}
