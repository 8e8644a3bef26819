//! `GET /v1/invoices/{id}`: read one invoice.

use axum::{extract::State, http::StatusCode, response::Response};
use echo_core::InvoiceId;

use crate::{
    body::json, caller::Caller, endpoint::invoices::InvoiceRecord, path::Named, problem::Problem, schema::Id,
    state::Shared,
};

/// Read one invoice.
#[utoipa::path(
    get, path = "/v1/invoices/{id}", tag = "money", security(("bearer" = [])),
    params(("id" = Id, Path, description = "Which one.")),
    responses((status = 200, description = "It.", body = InvoiceRecord))
)]
pub(crate) async fn read_invoice(
    State(shared): State<Shared>,
    caller: Caller,
    Named(id): Named<InvoiceId>,
) -> Result<Response, Problem> {
    Ok(json(StatusCode::OK, &shared.desk.invoice(&caller.principal, &id).await?))
}
