//! `GET /v1/invoices/{id}/html`: the page of an invoice that a customer gets.

use axum::{
    extract::State,
    http::header,
    response::{IntoResponse, Response},
};
use base64::{Engine as _, engine::general_purpose::STANDARD};
use echo_core::{Digest, InvoiceId};

use crate::{caller::Caller, path::Named, problem::Problem, schema::Id, state::Shared};

/// Read an invoice as a page to show or print.
#[utoipa::path(
    get, path = "/v1/invoices/{id}/html", tag = "money", security(("bearer" = [])),
    params(("id" = Id, Path, description = "Which invoice.")),
    responses((status = 200, description = "The page.", body = String, content_type = "text/html"))
)]
pub(crate) async fn read_page(
    State(shared): State<Shared>,
    caller: Caller,
    Named(id): Named<InvoiceId>,
) -> Result<Response, Problem> {
    let page = shared.desk.invoice_html(&caller.principal, &id).await?;
    let headers = [
        (header::CONTENT_TYPE, "text/html; charset=utf-8".to_owned()),
        (header::CONTENT_SECURITY_POLICY, policy()),
    ];
    Ok((headers, page).into_response())
}

/// The page may use its own style sheet, known by its digest (CSP Level 3, section 6.7.3.3), and nothing else.
fn policy() -> String {
    let css = STANDARD.encode(Digest::of(revenue::INVOICE_CSS.as_bytes()).0);
    format!(
        "default-src 'none'; style-src 'sha256-{css}'; base-uri 'none'; form-action 'none'; frame-ancestors 'self'"
    )
}
