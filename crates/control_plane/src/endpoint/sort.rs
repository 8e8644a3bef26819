//! `POST /v1/cases/{id}/category`: sort a case by hand.

use axum::{extract::State, http::StatusCode, response::Response};
use desk::SortCase;
use echo_core::CaseId;
use utoipa::ToSchema;

use crate::{
    body::JsonBody,
    endpoint::case::CaseView,
    idempotency::{self, Command},
    path::Named,
    schema::Id,
    state::Shared,
};

/// What a case is to be sorted as.
#[derive(ToSchema)]
#[schema(as = SortCase, example = json!({"category": "network"}))]
pub struct SortCaseBody {
    /// The id of a label: see `GET /v1/triage/labels`.
    pub category: String,
}

/// Sort a case by hand. A technician's word counts before triage's, and triage learns from it.
#[utoipa::path(
    post, path = "/v1/cases/{id}/category", tag = "cases", security(("bearer" = [])),
    params(("id" = Id, Path, description = "Which one.")), request_body = SortCaseBody,
    responses((status = 200, description = "Sorted.", body = CaseView))
)]
pub(crate) async fn sort_case(
    State(shared): State<Shared>,
    Named(id): Named<CaseId>,
    Command { call, body: JsonBody(sort) }: Command<JsonBody<SortCase>>,
) -> Response {
    let done = shared.desk.sort_case(&call, &id, sort).await;
    idempotency::answer(&shared.desk, &call, StatusCode::OK, done).await
}
