//! What the node knows and what the transport saw, put together for people and pictures.

use echo_core::Timestamp;
use mesh::{
    NodeId,
    doctor::{Finding, Observations, Path, Peer, Whereabouts, diagnose, ledgers},
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
    let mut findings = ledgers(&view.witnessing);
    findings.extend(diagnose(&observations));
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

/// Adds what only the node knows: the clock that the greeting told, why it was thrown out, and who else reaches the peer.
fn complete(peer: &mut Peer, view: &View) {
    let Some(node) = peer.node else { return };
    let member = view.members.iter().find(|member| member.node == node);
    peer.name = member.map(|member| member.name.clone());
    if let Some(link) = view.links.iter().find(|link| link.node == node) {
        peer.clock_ahead_seconds = link.skew_millis.map(|millis| millis / 1_000);
        peer.rtt_micros = peer.rtt_micros.or(link.rtt_micros);
    }
    // Who was refused on a link, such as a node that was retired, may never come again to be refused at the door.
    if peer.path == Path::None && peer.refused.is_none() {
        let who = node.to_string();
        let refused = view.refusals.iter().rev().find(|refusal| refusal.who == who);
        peer.refused = refused.map(|refusal| (refusal.code.clone(), refusal.reason.clone()));
    }
    if peer.path == Path::None
        && let Some(member) = member.filter(|member| member.reachable)
    {
        // A link that is silent at the moment is no way over others.
        peer.reached_over = member.next.filter(|next| *next != node).map(|next| vec![next]);
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
        whereabouts: Whereabouts::default(),
    }
}

#[cfg(test)]
mod tests {
    use mesh::{
        doctor::Cause,
        view::{RefusalView, TrustView},
    };

    use super::*;

    #[test]
    fn a_node_that_was_thrown_out_is_told_as_refused_though_it_never_comes_again() {
        let node = |n: u8| NodeId::of(&trust::KeyPair::from_secret(&[n; 32]).public());
        let at = Timestamp::UNIX_EPOCH;
        let refusal = RefusalView {
            at,
            who: node(2).to_string(),
            code: "revoked".to_owned(),
            reason: "it was retired".to_owned(),
        };
        let view = View {
            at,
            me: node(1),
            name: "anna".to_owned(),
            links: Vec::new(),
            members: Vec::new(),
            refusals: vec![refusal],
            trust: TrustView { registry: 1, revocations: 1, notices: 0 },
            unsettled: 0,
            calling: 0,
            pulses_waiting: false,
            places: 0,
            witnessing: mesh::witnessing::WitnessingView::default(),
        };
        let cause = |peer: &Peer| {
            let mut peer = peer.clone();
            complete(&mut peer, &view);
            let peers = vec![peer];
            let seen = Observations {
                me: node(1),
                interfaces: Vec::new(),
                multicast: mesh::doctor::Multicast::Heard,
                gateways: Vec::new(),
                peers,
            };
            diagnose(&seen).into_iter().find(|finding| finding.about.is_some()).map(|finding| finding.cause)
        };
        assert_eq!(cause(&unseen(node(2))), Some(Cause::Refused));
        assert_ne!(cause(&unseen(node(3))), Some(Cause::Refused));
        let back = Peer { path: Path::Direct, ..unseen(node(2)) };
        assert_eq!(cause(&back), Some(Cause::Direct), "it was let in again");
    }
}
