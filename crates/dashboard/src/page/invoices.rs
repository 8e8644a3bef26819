//! `/invoices`: what was billed, and what is paid.

use askama::Template;
use axum::{
    extract::{Query, State},
    response::Html,
};
use desk::{Desk, InvoiceRecord};
use echo_core::{Money, Page};

use super::{Part, html};
use crate::{caller::Visitor, failure::Failure, frame::Frame, piece};

#[derive(Template)]
#[template(path = "invoices.html")]
struct InvoicesPage {
    frame: Frame,
    invoices: Page<InvoiceRecord>,
    next: Option<String>,
}

pub(crate) async fn page(
    State(desk): State<Desk>,
    Visitor(principal): Visitor,
    Query(part): Query<Part>,
) -> Result<Html<String>, Failure> {
    let invoices = desk.invoices(&principal, &part.page()).await?;
    html(&InvoicesPage {
        next: part.next("/invoices", invoices.next.as_ref()),
        frame: Frame::new("Invoices", "/invoices", principal, desk.now()),
        invoices,
    })
}

/// What is still to be paid, in major units without the currency.
pub(crate) fn due(record: &InvoiceRecord) -> String {
    let paid = record.settlement.as_ref().map_or(0, |s| s.amount.minor);
    let due = Money::new(record.invoice.total.minor.saturating_sub(paid), record.invoice.currency);
    due.to_string().split(' ').next().unwrap_or_default().to_owned()
}

/// Whether there is something to pay.
pub(crate) fn is_open(record: &InvoiceRecord) -> bool {
    crate::words::word(&record.state) == "open"
}
