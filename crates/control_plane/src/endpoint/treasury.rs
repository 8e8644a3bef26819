//! `GET /v1/treasury`, `POST /v1/treasury/commit`, `GET /v1/treasury/export`: each ledger's heads, kept in the other.

use axum::{
    extract::State,
    http::{StatusCode, header},
    response::{IntoResponse, Response},
};
use utoipa::ToSchema;

use crate::{
    body::{Nothing, json},
    caller::Caller,
    endpoint::document::LogName,
    idempotency::{self, Command},
    problem::Problem,
    query::{Asked, PageQuery},
    schema::{Digest, Page, Time},
    state::Shared,
};

/// One commitment: a ledger's head, entered into the other ledger.
#[derive(ToSchema)]
pub struct Commitment {
    /// Its id, which sorts by time.
    pub id: String,
    /// The ledger whose head it is.
    pub log: LogName,
    /// Entries of the ledger then.
    pub size: u64,
    /// The root over them.
    pub root: Digest,
    /// When it was entered.
    pub at: Time,
    /// The checkpoint as a signed note, with the cosignatures that it had then.
    pub checkpoint: String,
}

/// List the commitments, newest first.
#[utoipa::path(
    get, path = "/v1/treasury", tag = "proof", security(("bearer" = [])), params(PageQuery),
    responses((status = 200, description = "A page of them.", body = Page<Commitment>))
)]
pub(crate) async fn list_commitments(
    State(shared): State<Shared>,
    caller: Caller,
    Asked(query): Asked<PageQuery>,
) -> Result<Response, Problem> {
    let page = shared.desk.commitments(&caller.principal, &query.page()?).await?;
    Ok(json(StatusCode::OK, &page))
}

/// Commit to both ledgers now; nothing happens to one that holds nothing new.
#[utoipa::path(
    post, path = "/v1/treasury/commit", tag = "proof", security(("bearer" = [])),
    responses((status = 200, description = "What was entered.", body = Vec<Commitment>))
)]
pub(crate) async fn commit_heads(State(shared): State<Shared>, command: Command<Nothing>) -> Response {
    let done = shared.desk.commit_heads_now(&command.call).await;
    idempotency::answer(&shared.desk, &command.call, StatusCode::OK, done).await
}

/// Read all commitments' checkpoints as one text, for keeping them elsewhere.
#[utoipa::path(
    get, path = "/v1/treasury/export", tag = "proof", security(("bearer" = [])),
    responses((status = 200, description = "The checkpoints, newest first.", body = String, content_type = "text/plain"))
)]
pub(crate) async fn export_treasury(
    State(shared): State<Shared>,
    caller: Caller,
) -> Result<Response, Problem> {
    let text = shared.desk.export_treasury(&caller.principal).await?;
    Ok(([(header::CONTENT_TYPE, "text/plain; charset=utf-8")], text).into_response())
}
