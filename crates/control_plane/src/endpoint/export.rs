//! `GET /v1/cases/{id}/export`: one file that proves a case anywhere.

use axum::{
    extract::State,
    http::header,
    response::{IntoResponse, Response},
};
use echo_core::CaseId;

use crate::{
    caller::Caller,
    path::Named,
    problem::Problem,
    schema::{Envelope, Id},
    state::Shared,
};

/// Take a case away as one file, which `echo_cli verify` proves on any machine.
///
/// A DSSE envelope (`application/vnd.echo.dossier.v1+json`) in one exact spelling: keep the bytes as they come.
#[utoipa::path(
    get, path = "/v1/cases/{id}/export", tag = "cases", security(("bearer" = [])),
    params(("id" = Id, Path, description = "Which case.")),
    responses((status = 200, description = "The case file.", body = Envelope, content_type = "application/json"))
)]
pub(crate) async fn export_case(
    State(shared): State<Shared>,
    caller: Caller,
    Named(id): Named<CaseId>,
) -> Result<Response, Problem> {
    let file = shared.desk.export_case(&caller.principal, &id).await?;
    let name = format!("attachment; filename=\"{id}.json\"");
    let headers =
        [(header::CONTENT_TYPE, "application/json".to_owned()), (header::CONTENT_DISPOSITION, name)];
    Ok((headers, file).into_response())
}
