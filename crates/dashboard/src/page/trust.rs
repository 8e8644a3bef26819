//! `/trust`: what to compare and which tools to use, for those who want to check for themselves. Open to anybody: all
//! of it is public, except for which content was refused.

use askama::Template;
use axum::{extract::State, response::Html};
use desk::{Desk, Refused};
use dossier::LogName;

use super::html;
use crate::{caller::Visitor, failure::Failure, frame::Frame};

/// One of the two ledgers.
struct Ledger {
    name: &'static str,
    holds: &'static str,
    size: u64,
    vkey: String,
    checkpoint: String,
}

#[derive(Template)]
#[template(path = "trust.html")]
struct TrustPage {
    frame: Frame,
    root: String,
    version: u64,
    ledgers: Vec<Ledger>,
    refused: Vec<Refused>,
}

pub(crate) async fn page(
    State(desk): State<Desk>,
    visitor: Option<Visitor>,
) -> Result<Html<String>, Failure> {
    let frame = match visitor {
        Some(Visitor(principal)) => Frame::new("Trust", "/trust", principal, desk.now()),
        None => Frame::of_stranger("Trust").at("/trust", desk.now()),
    };
    let refused = if frame.is_operator() { desk.content().refused.clone() } else { Vec::new() };
    html(&TrustPage {
        root: desk.root().to_string(),
        version: desk.registry().version,
        ledgers: LogName::ALL.into_iter().map(|name| ledger(&desk, name)).collect(),
        frame,
        refused,
    })
}

fn ledger(desk: &Desk, name: LogName) -> Ledger {
    let log = desk.log(name);
    Ledger {
        name: name.as_str(),
        holds: match name {
            LogName::Genesis => "Documents, templates, trust changes, findings, attestations",
            LogName::Aeterna => "Receipts, fulfilments, invoices, settlements",
        },
        size: log.size(),
        vkey: log.vkey().to_owned(),
        checkpoint: log.checkpoint(),
    }
}
