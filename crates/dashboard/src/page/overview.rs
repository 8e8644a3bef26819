//! `/`: the state of the house at a glance, and what to do next.

use askama::Template;
use axum::{extract::State, response::Html};
use desk::{CaseState, Desk, Network, Overview};

use super::{html, names::Names};
use crate::{caller::Visitor, failure::Failure, frame::Frame};

/// A number that leads somewhere.
struct Tile {
    href: &'static str,
    label: &'static str,
    count: u64,
    /// What the number means for the reader, in a few words.
    note: String,
    /// Whether somebody should look.
    calls: bool,
}

#[derive(Template)]
#[template(path = "overview.html")]
struct OverviewPage {
    frame: Frame,
    tiles: Vec<Tile>,
    overview: Overview,
    names: Names,
    has_cases: bool,
    /// What people should know of the network.
    network: Option<&'static str>,
}

pub(crate) async fn page(
    State(desk): State<Desk>,
    Visitor(principal): Visitor,
) -> Result<Html<String>, Failure> {
    let overview = desk.overview(&principal).await?;
    let names = Names::of(&desk, &principal).await?;
    html(&OverviewPage {
        frame: Frame::new("Overview", "/", principal, desk.now()),
        tiles: tiles(&overview),
        has_cases: overview.cases.iter().any(|(_, count)| *count > 0),
        overview,
        names,
        network: Some(desk.network()).filter(Network::is_apart).map(|network| network.words()),
    })
}

fn tiles(overview: &Overview) -> Vec<Tile> {
    let cases = |wanted: &[CaseState]| -> u64 {
        overview.cases.iter().filter(|(state, _)| wanted.contains(state)).map(|(_, count)| count).sum()
    };
    let waiting = cases(&[CaseState::AwaitingApproval]);
    let open = cases(&[CaseState::Open, CaseState::Applying]);
    let tile =
        |href, label, count, note: &str, calls| Tile { href, label, count, note: note.to_owned(), calls };
    vec![
        tile(
            "/cases?state=awaiting_approval",
            "Waiting for approval",
            waiting,
            if waiting == 0 { "nothing to decide" } else { "a person must decide" },
            waiting > 0,
        ),
        tile("/cases?state=open", "Open cases", open, "being worked on", false),
        tile(
            "/devices",
            "Devices online",
            overview.devices_online,
            &match overview.devices_away {
                0 => "none away".to_owned(),
                away => format!("{away} away"),
            },
            overview.devices_away > 0,
        ),
        tile("/findings?state=open", "Open findings", overview.open_findings, "need attention", false),
        tile("/invoices", "Open invoices", overview.open_invoices, "wait for payment", false),
        Tile {
            href: "/trust",
            label: "Ledger entries",
            count: overview.genesis_size + overview.aeterna_size,
            note: format!("{} genesis, {} aeterna", overview.genesis_size, overview.aeterna_size),
            calls: false,
        },
    ]
}
