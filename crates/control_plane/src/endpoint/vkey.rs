//! `GET /v1/ledgers/{log}/log.vkey`: the key that signs a ledger's heads, for everybody.

use axum::{
    extract::State,
    http::header,
    response::{IntoResponse, Response},
};

use crate::{
    endpoint::{checkpoint::named, document::LogName},
    path::Part,
    problem::Problem,
    state::Shared,
};

/// Read a ledger's verifier key (C2SP signed-note). Trust it only when the trust chain names the same.
#[utoipa::path(
    get, path = "/v1/ledgers/{log}/log.vkey", tag = "proof",
    params(("log" = LogName, Path, description = "Which ledger.")),
    responses((status = 200, description = "The key and a line feed.", body = String, content_type = "text/plain"))
)]
pub(crate) async fn read_vkey(State(shared): State<Shared>, Part(log): Part) -> Result<Response, Problem> {
    let key = shared.desk.log(named(&log)?).vkey().trim_end();
    let headers = [(header::CONTENT_TYPE, "text/plain; charset=utf-8"), (header::CACHE_CONTROL, "no-cache")];
    Ok((headers, format!("{key}\n")).into_response())
}
