//! `/mesh`: who is there, by which way and how well; for the operator's people also what is the matter and what to do.

mod matter;
mod picture;

use std::collections::BTreeMap;

use access::Action;
use askama::Template;
use axum::{
    extract::{Query, State},
    response::Html,
};
use desk::{Desk, MeshNode, MeshNodeView, MeshPathKind, NoticeStanding, visible};
use echo_core::Timestamp;
use mesh::{NodeId, doctor::SKEW_SECONDS};

use self::{
    matter::{Matter, Revoked},
    picture::Picture,
};
use super::{Part, html, names::Names};
use crate::{caller::Visitor, failure::Failure, frame::Frame, piece::Chip, words};

/// What a gateway's manifest says that it can do.
const GATEWAY: &str = "gateway";

/// What people call the nodes.
type Called = BTreeMap<NodeId, String>;

#[derive(Template)]
#[template(path = "mesh.html")]
struct MeshPage {
    frame: Frame,
    /// Whether the platform's node runs.
    on: bool,
    /// When the picture was so.
    at: Option<Timestamp>,
    picture: Picture,
    rows: Vec<Row>,
    next: Option<String>,
    notices: Vec<NoticeStanding>,
    /// What only the operator's people see.
    matter: Option<Matter>,
    revoked: Option<Revoked>,
}

/// A node in the table.
struct Row {
    name: String,
    /// The last characters of its key.
    key: String,
    /// Where its device is; the operator's own nodes have no page.
    link: Option<String>,
    gateway: bool,
    /// Whose it is.
    owner: String,
    reachable: Chip,
    path: String,
    why: Option<String>,
    clock: Option<String>,
    round_trip: Option<String>,
    offers: Vec<(String, Option<String>)>,
    since: Timestamp,
}

pub(crate) async fn page(
    State(desk): State<Desk>,
    Visitor(principal): Visitor,
    Query(part): Query<Part>,
) -> Result<Html<String>, Failure> {
    let nodes = desk.mesh_nodes(&principal, &part.page()).await?;
    let names = Names::of(&desk, &principal).await?;
    let newest = desk.mesh_changes().borrow().clone();
    let seen: Vec<&MeshNode> = newest.iter().flat_map(|state| visible(&principal, state)).collect();
    let called: Called = seen.iter().map(|node| (node.node, node.name.clone())).collect();
    let doctor = principal.require(Action::ReadMetrics).is_ok() && nodes.on;
    // The list goes by keys, which says nothing to people: within a part, names do.
    let mut rows: Vec<Row> = nodes.page.items.iter().map(|view| row(view, &called, &names)).collect();
    rows.sort_by(|a, b| a.name.cmp(&b.name));
    let page = MeshPage {
        on: nodes.on,
        at: nodes.at,
        picture: Picture::of(&seen, &called),
        rows,
        next: part.next("/mesh", nodes.page.next.as_ref()),
        notices: if nodes.on { desk.notice_standings(&principal).await?.items } else { Vec::new() },
        matter: if doctor { Some(Matter::of(desk.mesh_doctor(&principal)?.report, &called)) } else { None },
        revoked: doctor.then(|| Revoked::of(&desk)),
        frame: Frame::new("Mesh", "/mesh", principal, desk.now()),
    };
    html(&page)
}

fn row(view: &MeshNodeView, called: &Called, names: &Names) -> Row {
    let node = &view.node;
    let price = |skill: &String| {
        let offer = view.offers.iter().find(|offer| offer.skill == *skill)?;
        Some(format!("{} {}", words::price(offer.unit_price), offer.currency))
    };
    let owner = node.customer.as_ref();
    Row {
        name: node.name.clone(),
        key: node.node.short(),
        link: owner.map(|_| format!("/devices/{}", node.device)),
        gateway: node.capabilities.iter().any(|capability| capability == GATEWAY),
        owner: owner.map_or("the operator", |customer| names.customer(customer)).to_owned(),
        reachable: Chip::new(if node.reachable { "reachable" } else { "not reached" }.to_owned()),
        path: path(node, called),
        why: node.path.why.clone(),
        clock: node.path.clock_skew_ms.and_then(clock),
        round_trip: node.path.rtt_micros.map(words::round_trip),
        offers: node.skills.iter().map(|skill| (skill.clone(), price(skill))).collect(),
        since: node.since,
    }
}

/// The way to a node, in words.
fn path(node: &MeshNode, called: &Called) -> String {
    match (node.path.kind, node.path.next_hop) {
        (MeshPathKind::Direct, _) => "direct".to_owned(),
        (MeshPathKind::Relayed, _) => "through a relay".to_owned(),
        (MeshPathKind::Routed, Some(next)) if node.path.hops < 2 => format!("over {}", name(&next, called)),
        (MeshPathKind::Routed, Some(next)) => format!("{}, first {}", over(node), name(&next, called)),
        (MeshPathKind::Routed, None) => over(node),
        (MeshPathKind::None, _) => "none".to_owned(),
    }
}

/// How many nodes lie on the way.
fn over(node: &MeshNode) -> String {
    match node.path.hops {
        0 | 1 => "over 1 other node".to_owned(),
        hops => format!("over {hops} other nodes"),
    }
}

/// What people call a node, or the end of its key when that is not known here.
fn name(node: &NodeId, called: &Called) -> String {
    called.get(node).cloned().unwrap_or_else(|| format!("…{}", node.short()))
}

/// How far a clock is off, when that is worth a word.
fn clock(ahead_millis: i64) -> Option<String> {
    let seconds = ahead_millis / 1_000;
    let off = words::duration(seconds.unsigned_abs());
    (seconds.abs() > SKEW_SECONDS)
        .then(|| format!("its clock is {off} {}", if seconds > 0 { "ahead" } else { "behind" }))
}
