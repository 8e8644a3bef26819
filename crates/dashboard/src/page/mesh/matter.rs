//! What is the matter, as the doctor of the platform's node says it, and who was refused.

use std::{cmp::Reverse, net::SocketAddr};

use desk::Desk;
use mesh::{
    NodeId,
    doctor::{CandidateKind, Cause, Finding, Level, Observations, Pair, Peer},
    view::{RefusalView, TrustView, View},
};
use serde::Deserialize;
use serde_json::Value;
use trust::{NodeRevocations, RevokedNode};

use super::{Called, name};
use crate::piece::{self, Chip};

/// The most findings on the page.
pub(super) const MAX_FINDINGS: usize = 100;
/// The most pairs that are shown of one peer.
const MAX_PAIRS: usize = 64;
/// The most revoked nodes that are named.
const MAX_REVOKED: usize = 100;

/// What the page reads of the report of the platform's node; the daemon that makes it may say more.
#[derive(Deserialize)]
struct Report {
    view: View,
    observations: Observations,
    findings: Vec<Finding>,
}

/// The report, for people.
pub(super) enum Matter {
    /// It is not a report of the kind that this page knows.
    Unreadable,
    /// What it says.
    Read(Box<Read>),
}

/// What a report says.
pub(super) struct Read {
    /// What is not as it should be, the worst first.
    pub(super) findings: Vec<Item>,
    /// What is; at most [`MAX_FINDINGS`] with the others.
    pub(super) fine: Vec<Item>,
    /// How many there are beyond.
    pub(super) more: usize,
    /// The newest first.
    pub(super) refusals: Vec<RefusalView>,
    pub(super) trust: TrustView,
}

/// A finding.
pub(super) struct Item {
    pub(super) level: Chip,
    pub(super) what: String,
    pub(super) because: String,
    pub(super) advice: String,
    pub(super) tried: Option<Tried>,
}

/// The pairs that were tried to one peer.
pub(super) struct Tried {
    /// For the fold, so that it stays open when the page is renewed.
    pub(super) id: String,
    pub(super) name: String,
    pub(super) pairs: Vec<Way>,
    pub(super) more: usize,
}

/// One pair.
pub(super) struct Way {
    pub(super) local: String,
    pub(super) remote: String,
    pub(super) kind: String,
    pub(super) state: Chip,
    pub(super) chosen: bool,
}

impl Matter {
    pub(super) fn of(report: Value, called: &Called) -> Self {
        let report: Report = match serde_json::from_value(report) {
            Ok(report) => report,
            Err(error) => {
                tracing::warn!(%error, "the report of the platform's node cannot be shown");
                return Self::Unreadable;
            }
        };
        let mut told: Vec<NodeId> = Vec::new();
        let mut all: Vec<&Finding> = report.findings.iter().collect();
        all.sort_by_key(|finding| (Reverse(finding.level), nearness(finding)));
        let (mut findings, mut fine) = (Vec::new(), Vec::new());
        for finding in all.into_iter().take(MAX_FINDINGS) {
            // The pairs of a peer stand at the first thing that is said of it.
            let first = finding.about.filter(|node| !told.contains(node));
            told.extend(first);
            let peer = first.and_then(|node| report.observations.peers.iter().find(|p| p.node == Some(node)));
            let list = if finding.level == Level::Fine { &mut fine } else { &mut findings };
            list.push(item(finding, peer, called));
        }
        Self::Read(Box::new(Read {
            findings,
            fine,
            more: report.findings.len().saturating_sub(MAX_FINDINGS),
            refusals: report.view.refusals.into_iter().rev().collect(),
            trust: report.view.trust,
        }))
    }
}

/// Of two findings that are as bad, what is said of this machine comes first, and a place where nobody was met last.
fn nearness(finding: &Finding) -> u8 {
    match finding.cause {
        Cause::NoNetwork | Cause::NoMulticast | Cause::GatewayAway if finding.about.is_none() => 0,
        _ if finding.about.is_some() => 1,
        _ => 2,
    }
}

fn item(finding: &Finding, peer: Option<&Peer>, called: &Called) -> Item {
    let named = finding.about.and_then(|node| {
        let rest = finding.what.strip_prefix(&format!("…{}", node.short()))?;
        Some(format!("{}{rest}", name(&node, called)))
    });
    Item {
        level: piece::chip(&finding.level),
        what: named.unwrap_or_else(|| finding.what.clone()),
        because: finding.because.clone(),
        advice: finding.advice.clone(),
        tried: peer.filter(|peer| !peer.pairs.is_empty()).and_then(|peer| tried(peer, called)),
    }
}

fn tried(peer: &Peer, called: &Called) -> Option<Tried> {
    let node = peer.node?;
    Some(Tried {
        id: format!("pairs-{}", node.short()),
        name: name(&node, called),
        pairs: peer.pairs.iter().take(MAX_PAIRS).map(way).collect(),
        more: peer.pairs.len().saturating_sub(MAX_PAIRS),
    })
}

fn way(pair: &Pair) -> Way {
    let (local, remote) = (kind(pair.local_kind), kind(pair.remote_kind));
    Way {
        local: address(pair.local, pair.local_kind),
        remote: address(pair.remote, pair.remote_kind),
        kind: if local == remote { local.to_owned() } else { format!("{local} to {remote}") },
        state: piece::chip(&pair.state),
        chosen: pair.chosen,
    }
}

/// An address; that of a way through a gateway stands for the peer's key, and is none.
fn address(address: SocketAddr, kind: CandidateKind) -> String {
    match kind {
        CandidateKind::Gateway => "gateway".to_owned(),
        _ => address.to_string(),
    }
}

fn kind(kind: CandidateKind) -> &'static str {
    match kind {
        CandidateKind::Host => "own address",
        CandidateKind::ServerReflexive => "NAT, seen by STUN",
        CandidateKind::PeerReflexive => "NAT, seen by the peer",
        CandidateKind::Turn => "TURN server",
        CandidateKind::Gateway => "relay",
    }
}

/// The nodes that are let in no more.
#[derive(Default)]
pub(super) struct Revoked {
    /// The list's version; 0 when there is none.
    pub(super) version: u64,
    /// How many are on it.
    pub(super) count: usize,
    /// The newest; at most 100.
    pub(super) nodes: Vec<RevokedNode>,
}

impl Revoked {
    pub(super) fn of(desk: &Desk) -> Self {
        let Some(envelope) = desk.node_revocations() else { return Self::default() };
        let list = match NodeRevocations::verify_kept(&envelope, desk.registry()) {
            Ok(list) => list,
            Err(error) => {
                tracing::warn!(%error, "the list of revoked nodes cannot be shown");
                return Self::default();
            }
        };
        let count = list.nodes.len();
        let mut nodes = list.nodes;
        nodes.sort_by_key(|node| Reverse(node.since));
        nodes.truncate(MAX_REVOKED);
        Self { version: list.version, count, nodes }
    }
}

/// How many things, in words.
pub(super) fn count(number: usize, one: &str, many: &str) -> String {
    if number == 1 { format!("1 {one}") } else { format!("{number} {many}") }
}
