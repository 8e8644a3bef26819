//! `/cases`: the list of cases, and the form that opens one.

use agents::Form;
use askama::Template;
use axum::{
    extract::{Query, State},
    response::Html,
};
use desk::{Case, CaseState, Desk};
use echo_core::Page;

use super::{Part, Tab, devices::is_retired, html, names::Names, tabs};
use crate::{caller::Visitor, failure::Failure, frame::Frame, piece};

/// The states in the order of urgency.
const STATES: [(&str, &str); 6] = [
    ("awaiting_approval", "Awaiting approval"),
    ("open", "Open"),
    ("applying", "Applying"),
    ("resolved", "Resolved"),
    ("standing", "Standing"),
    ("closed", "Closed"),
];

#[derive(Template)]
#[template(path = "cases.html")]
struct CasesPage {
    frame: Frame,
    tabs: Vec<Tab>,
    cases: Page<Case>,
    next: Option<String>,
    names: Names,
    forms: Vec<Form>,
    filtered: bool,
}

pub(crate) async fn page(
    State(desk): State<Desk>,
    Visitor(principal): Visitor,
    Query(part): Query<Part>,
) -> Result<Html<String>, Failure> {
    let state: Option<CaseState> = part.state()?;
    let cases = desk.cases(&principal, state, &part.page()).await?;
    let names = Names::of(&desk, &principal).await?;
    html(&CasesPage {
        tabs: tabs("/cases", &part, &STATES),
        next: part.next("/cases", cases.next.as_ref()),
        filtered: state.is_some(),
        forms: desk.intakes(&principal)?,
        frame: Frame::new("Cases", "/cases", principal, desk.now()),
        cases,
        names,
    })
}
