//! `GET /v1/invoices`: list the invoices that you may see, newest first.

use axum::{extract::State, http::StatusCode, response::Response};
use utoipa::ToSchema;

use crate::{
    body::json,
    caller::Caller,
    endpoint::receipts::ProofRef,
    problem::Problem,
    query::{Asked, PageQuery},
    schema::{Currency, Digest, Exact, Id, Money, Page, Time},
    state::Shared,
};

/// An invoice with its payment.
#[derive(ToSchema)]
pub struct InvoiceRecord {
    /// The invoice.
    pub invoice: Invoice,
    /// Digest of the signed invoice.
    pub digest: Digest,
    /// Whether it is paid.
    pub state: InvoiceState,
    /// What paid it.
    pub settlement: Option<Settlement>,
}

/// Whether an invoice is paid.
#[derive(ToSchema)]
#[schema(rename_all = "snake_case")]
pub enum InvoiceState {
    /// Something is due.
    Open,
    /// Nothing is due.
    Paid,
}

/// A bill for one case.
#[derive(ToSchema)]
pub struct Invoice {
    /// Its id.
    pub id: Id,
    /// Its number for people and tax offices.
    #[schema(example = "2026-000001")]
    pub number: String,
    /// Who pays.
    pub customer: Id,
    /// Their name, as printed.
    pub customer_name: String,
    /// Who is paid.
    pub seller: Seller,
    /// For which case.
    pub case: Id,
    /// On which plan.
    pub plan: String,
    /// Of which currency every amount is.
    pub currency: Currency,
    /// One line a receipt, oldest first.
    pub lines: Vec<Line>,
    /// The sum of the lines.
    pub total: Money,
    /// When it was drawn.
    pub issued: Time,
    /// By when it is to be paid.
    pub due: Time,
}

/// Who sells, as printed on an invoice.
#[derive(ToSchema)]
pub struct Seller {
    /// The legal name.
    pub name: String,
    /// The postal address, line by line.
    pub address: Vec<String>,
    /// The tax or VAT number, where there is one.
    pub tax_id: Option<String>,
}

/// One line of an invoice.
#[derive(ToSchema)]
pub struct Line {
    /// The receipt that is billed.
    pub receipt: Id,
    /// The digest under which the ledger holds the receipt.
    pub receipt_digest: Digest,
    /// What the customer got.
    pub description: String,
    /// By which skill.
    pub skill: String,
    /// How much of it.
    pub quantity: Exact,
    /// What one of it is called.
    pub unit: String,
    /// How much the plan includes.
    pub included: Exact,
    /// What each unit of the rest costs, in major units.
    pub unit_price: Exact,
    /// The receipt's amount, rounded half to even.
    pub amount: Money,
    /// What proves the fulfilment.
    pub proof: Option<ProofRef>,
}

/// A payment towards an invoice.
#[derive(ToSchema)]
pub struct Settlement {
    /// Its id.
    pub id: Id,
    /// Which invoice it pays.
    pub invoice: Id,
    /// How much.
    pub amount: Money,
    /// How it was paid: `manual`.
    pub method: String,
    /// What finds the payment again.
    pub reference: String,
    /// When.
    pub at: Time,
}

/// List the invoices that you may see, newest first.
#[utoipa::path(
    get, path = "/v1/invoices", tag = "money", security(("bearer" = [])), params(PageQuery),
    responses((status = 200, description = "A page of them.", body = Page<InvoiceRecord>))
)]
pub(crate) async fn list_invoices(
    State(shared): State<Shared>,
    caller: Caller,
    Asked(query): Asked<PageQuery>,
) -> Result<Response, Problem> {
    let page = shared.desk.invoices(&caller.principal, &query.page()?).await?;
    Ok(json(StatusCode::OK, &page))
}
