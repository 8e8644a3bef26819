//! What the node knows and what the transport saw, put together for people and pictures.

use echo_core::Timestamp;
use mesh::{
    NodeId,
    doctor::{Finding, Observations, Path, Peer, diagnose},
    view::View,
};
use serde::{Deserialize, Serialize};

/// The node's view, what was seen of the network, and what the doctor says to it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Report {
    /// When.
    pub at: Timestamp,
    /// What the node knows.
    pub view: View,
    /// What was seen.
    pub observations: Observations,
    /// What is the matter, the worst first.
    pub findings: Vec<Finding>,
}

impl Report {
    /// The findings about one node.
    pub fn about(&self, node: &NodeId) -> impl Iterator<Item = &Finding> {
        self.findings.iter().filter(move |finding| finding.about.as_ref() == Some(node))
    }

    /// What was seen of one node's path.
    pub fn peer(&self, node: &NodeId) -> Option<&Peer> {
        self.observations.peers.iter().find(|peer| peer.node.as_ref() == Some(node))
    }
}

pub(crate) fn report(view: &View, seen: mesh_link::Report, at: Timestamp) -> Report {
    let mut peers = readable(seen.peers);
    for peer in &mut peers {
        complete(peer, view);
    }
    // A member whom the transport never tried is told, too.
    for member in &view.members {
        if member.node != view.me && !peers.iter().any(|peer| peer.node == Some(member.node)) {
            let mut peer = unseen(member.node);
            complete(&mut peer, view);
            peers.push(peer);
        }
    }
    let observations = Observations {
        me: view.me,
        interfaces: seen.interfaces,
        multicast: seen.multicast,
        gateways: seen.gateways,
        peers,
    };
    let findings = diagnose(&observations);
    Report { at, view: view.clone(), observations, findings }
}

/// The peers with places that people can read. What was announced by multicast and never said who it is goes: it was
/// somebody who has stopped since, or no node at all. A place that somebody named stays, and so does whoever was refused.
fn readable(peers: Vec<Peer>) -> Vec<Peer> {
    let mut kept: Vec<Peer> = Vec::with_capacity(peers.len());
    for mut peer in peers {
        let announced = peer.place.contains('#');
        let end = peer.place.find(['#', ',']).unwrap_or(peer.place.len());
        peer.place.truncate(end);
        let unknown = peer.node.is_none()
            && (announced && peer.refused.is_none() || kept.iter().any(|k| k.place == peer.place));
        if !unknown {
            kept.push(peer);
        }
    }
    kept
}

/// Adds what only the node knows: the clock that the greeting told, and who else reaches the peer.
fn complete(peer: &mut Peer, view: &View) {
    let Some(node) = peer.node else { return };
    let member = view.members.iter().find(|member| member.node == node);
    peer.name = member.map(|member| member.name.clone());
    if let Some(link) = view.links.iter().find(|link| link.node == node) {
        peer.clock_ahead_seconds = link.skew_millis.map(|millis| millis / 1_000);
        peer.rtt_micros = peer.rtt_micros.or(link.rtt_micros);
    }
    if peer.path == Path::None
        && let Some(member) = member.filter(|member| member.reachable)
    {
        peer.reached_over = member.next.map(|next| vec![next]);
    }
}

fn unseen(node: NodeId) -> Peer {
    Peer {
        node: Some(node),
        name: None,
        place: String::new(),
        path: Path::None,
        since: None,
        pairs: Vec::new(),
        rtt_micros: None,
        clock_ahead_seconds: None,
        answered: false,
        last_error: None,
        refused: None,
        reached_over: None,
        path_mtu: None,
    }
}
