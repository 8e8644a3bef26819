//! `POST /v1/witness/add-checkpoint`, `GET /v1/witness/vkey` and the copies of what was cosigned: Echo as a witness of
//! others' logs, for everybody (C2SP tlog-witness; the prefix of both of its interfaces is `/v1/witness`).

use axum::{
    extract::{Request, State},
    http::{StatusCode, header},
    response::{IntoResponse, Response},
};
use desk::Refusal;

use crate::{body, path::Part, problem::Problem, state::Shared};

/// The media type of the size in a 409 (tlog-witness, "add-checkpoint").
const TLOG_SIZE: &str = "text/x.tlog.size";
const TEXT: &str = "text/plain; charset=utf-8";

/// Ask Echo to cosign a log's new head (C2SP tlog-witness).
///
/// The body is `old SIZE`, the lines of a consistency proof, an empty line and the checkpoint. No sign-in: the log's
/// signature is what counts.
#[utoipa::path(
    post, path = "/v1/witness/add-checkpoint", tag = "proof",
    request_body(content = String, content_type = "text/plain", description = "An add-checkpoint request."),
    responses(
        (status = 200, description = "The cosignature: one signature line.", body = String, content_type = "text/plain"),
        (status = 403, description = "Not rightly signed by the log.", body = Problem, content_type = "application/problem+json"),
        (status = 404, description = "The log is not witnessed here.", body = Problem, content_type = "application/problem+json"),
        (status = 409, description = "The size of the newest checkpoint that was cosigned here.", body = String, content_type = "text/x.tlog.size"),
        (status = 422, description = "The log did not grow from what was cosigned before.", body = Problem, content_type = "application/problem+json")
    )
)]
pub(crate) async fn add_checkpoint(
    State(shared): State<Shared>,
    request: Request,
) -> Result<Response, Problem> {
    let bytes = body::read(request, &shared).await?;
    match shared.desk.add_checkpoint(&bytes).await? {
        Ok(line) => Ok(([(header::CONTENT_TYPE, TEXT)], line).into_response()),
        Err(Refusal::Stale { size }) => {
            let size = format!("{size}\n");
            Ok((StatusCode::CONFLICT, [(header::CONTENT_TYPE, TLOG_SIZE)], size).into_response())
        }
        Err(refusal) => Err(problem(&refusal)),
    }
}

/// Read Echo's verifier key as a witness (C2SP tlog-cosignature).
#[utoipa::path(
    get, path = "/v1/witness/vkey", tag = "proof",
    responses((status = 200, description = "The key and a line feed.", body = String, content_type = "text/plain"))
)]
pub(crate) async fn read_witness_vkey(State(shared): State<Shared>) -> Response {
    let headers = [(header::CONTENT_TYPE, TEXT), (header::CACHE_CONTROL, "no-cache")];
    (headers, format!("{}\n", shared.desk.witness_vkey())).into_response()
}

/// Read the newest checkpoint of a log that Echo cosigned (C2SP tlog-witness, "Monitor Retrieval").
#[utoipa::path(
    get, path = "/v1/witness/{origin_hash}/checkpoint", tag = "proof",
    params(("origin_hash" = String, Path, description = "SHA-256 of the log's origin, in hexadecimal.")),
    responses((status = 200, description = "The checkpoint with Echo's cosignature.", body = String, content_type = "text/plain"))
)]
pub(crate) async fn read_witnessed(
    State(shared): State<Shared>,
    Part(origin_hash): Part,
) -> Result<Response, Problem> {
    let note = shared.desk.witnessed_checkpoint(&origin_hash).await?;
    Ok(([(header::CONTENT_TYPE, TEXT), (header::CACHE_CONTROL, "no-cache")], note).into_response())
}

fn problem(refusal: &Refusal) -> Problem {
    let (code, title) = match refusal {
        Refusal::Malformed(_) | Refusal::Backwards { .. } => ("body", "The request cannot be read"),
        Refusal::UnknownLog => ("not-found", "Not found"),
        Refusal::Signature => ("signature", "Not rightly signed"),
        Refusal::Stale { .. } => ("stale", "Not the newest size"),
        Refusal::Inconsistent { .. } => ("inconsistent", "Not the same history"),
        Refusal::Clock => ("clock", "The clock went back"),
    };
    let status = StatusCode::from_u16(refusal.status()).unwrap_or(StatusCode::BAD_REQUEST);
    Problem::new(status, code, title, refusal.to_string())
}
