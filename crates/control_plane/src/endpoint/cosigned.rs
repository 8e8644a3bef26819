//! `GET /v1/ledgers/{log}/checkpoint.cosigned`: a ledger's newest head with its witnesses' cosignatures, for everybody.

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

/// Read a ledger's newest head that the quorum of witnesses cosigned; it may be older than the checkpoint.
#[utoipa::path(
    get, path = "/v1/ledgers/{log}/checkpoint.cosigned", tag = "proof",
    params(("log" = LogName, Path, description = "Which ledger.")),
    responses((status = 200, description = "The checkpoint with cosignatures.", body = String, content_type = "text/plain"))
)]
pub(crate) async fn read_cosigned(
    State(shared): State<Shared>,
    Part(log): Part,
) -> Result<Response, Problem> {
    let note = shared.desk.cosigned_checkpoint(named(&log)?).await?;
    let headers = [(header::CONTENT_TYPE, "text/plain; charset=utf-8"), (header::CACHE_CONTROL, "no-cache")];
    Ok((headers, note).into_response())
}
