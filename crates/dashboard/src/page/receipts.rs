//! `/receipts`: what each call of a skill cost, and whether the ledger agrees.

use askama::Template;
use axum::{
    extract::{Query, State},
    response::Html,
};
use desk::{Desk, ReceiptRecord};
use echo_core::Page;

use super::{Part, html, names::Names};
use crate::{caller::Visitor, failure::Failure, frame::Frame, words};

#[derive(Template)]
#[template(path = "receipts.html")]
struct ReceiptsPage {
    frame: Frame,
    receipts: Page<ReceiptRecord>,
    next: Option<String>,
    names: Names,
}

pub(crate) async fn page(
    State(desk): State<Desk>,
    Visitor(principal): Visitor,
    Query(part): Query<Part>,
) -> Result<Html<String>, Failure> {
    let receipts = desk.receipts(&principal, &part.page()).await?;
    let names = Names::of(&desk, &principal).await?;
    html(&ReceiptsPage {
        next: part.next("/receipts", receipts.next.as_ref()),
        frame: Frame::new("Receipts", "/receipts", principal, desk.now()),
        receipts,
        names,
    })
}
