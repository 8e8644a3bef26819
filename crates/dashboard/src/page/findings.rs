//! `/findings`: posture results that need attention.

use askama::Template;
use axum::{
    extract::{Query, State},
    response::Html,
};
use desk::{Desk, Finding, FindingState};
use echo_core::Page;

use super::{Part, Tab, html, names::Names, tabs};
use crate::{caller::Visitor, failure::Failure, frame::Frame, piece};

#[derive(Template)]
#[template(path = "findings.html")]
struct FindingsPage {
    frame: Frame,
    tabs: Vec<Tab>,
    findings: Page<Finding>,
    next: Option<String>,
    names: Names,
    filtered: bool,
}

pub(crate) async fn page(
    State(desk): State<Desk>,
    Visitor(principal): Visitor,
    Query(part): Query<Part>,
) -> Result<Html<String>, Failure> {
    let state: Option<FindingState> = part.state()?;
    let findings = desk.findings(&principal, state, &part.page()).await?;
    let names = Names::of(&desk, &principal).await?;
    html(&FindingsPage {
        tabs: tabs("/findings", &part, &[("open", "Open"), ("fixed", "Fixed")]),
        next: part.next("/findings", findings.next.as_ref()),
        filtered: state.is_some(),
        frame: Frame::new("Findings", "/findings", principal, desk.now()),
        findings,
        names,
    })
}
