//! `GET /v1/ledgers/{log}/checkpoint`: the signed head of a ledger, for everybody.

use axum::{
    extract::State,
    http::header,
    response::{IntoResponse, Response},
};
use dossier::LogName as Log;

use crate::{endpoint::document::LogName, path::Part, problem::Problem, state::Shared};

/// Read the signed head of a ledger (C2SP tlog-checkpoint).
#[utoipa::path(
    get, path = "/v1/ledgers/{log}/checkpoint", tag = "proof",
    params(("log" = LogName, Path, description = "Which ledger.")),
    responses((status = 200, description = "The checkpoint.", body = String, content_type = "text/plain"))
)]
pub(crate) async fn read_checkpoint(
    State(shared): State<Shared>,
    Part(log): Part,
) -> Result<Response, Problem> {
    let log = named(&log)?;
    // tlog-tiles: "The checkpoint ... MUST NOT be cached" for longer than it is true.
    let headers = [(header::CONTENT_TYPE, "text/plain; charset=utf-8"), (header::CACHE_CONTROL, "no-cache")];
    Ok((headers, shared.desk.log(log).checkpoint()).into_response())
}

/// The ledger of this name.
pub(crate) fn named(log: &str) -> Result<Log, Problem> {
    log.parse().map_err(|words: String| Problem::not_found(format!("there is no such ledger: {words}")))
}
