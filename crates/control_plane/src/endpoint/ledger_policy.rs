//! `GET /v1/ledgers/{log}/policy`: what a verifier needs to judge a ledger's heads, for everybody (C2SP tlog-policy).

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

/// Read a ledger's policy: its key, its witnesses, the quorum. Compare it by another way before you rely on it.
#[utoipa::path(
    get, path = "/v1/ledgers/{log}/policy", tag = "proof",
    params(("log" = LogName, Path, description = "Which ledger.")),
    responses((status = 200, description = "The policy.", body = String, content_type = "text/plain"))
)]
pub(crate) async fn read_policy(State(shared): State<Shared>, Part(log): Part) -> Result<Response, Problem> {
    let policy = shared.desk.ledger_policy(named(&log)?).await?;
    let headers = [(header::CONTENT_TYPE, "text/plain; charset=utf-8"), (header::CACHE_CONTROL, "no-cache")];
    Ok((headers, policy.to_string()).into_response())
}
