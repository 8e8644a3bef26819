//! What is remembered of each peer and place for the doctor, after the session is gone, too.

use std::collections::HashMap;

use echo_core::Timestamp;
use mesh::{
    NodeId,
    doctor::{Path, Peer, Whereabouts},
};

use crate::place::is_gateway;

/// The most peers and places that are remembered; the ones that were touched longest ago go first.
pub const MAX_REMEMBERED: usize = 128;

/// The memory.
#[derive(Debug, Default)]
pub(crate) struct History {
    peers: HashMap<Who, (u64, Peer)>,
    touched: u64,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash)]
enum Who {
    Node(NodeId),
    Place(String),
}

impl History {
    /// What is remembered of a peer, to be changed. A place becomes the node's once that is known.
    pub(crate) fn of(&mut self, node: Option<NodeId>, place: &str) -> &mut Peer {
        self.touched += 1;
        let who = node.map_or_else(|| Who::Place(place.to_owned()), Who::Node);
        // A gateway is the place of many.
        let moves = node.is_some() && !is_gateway(place);
        let before = if moves { self.peers.remove(&Who::Place(place.to_owned())) } else { None };
        if self.peers.len() >= MAX_REMEMBERED && !self.peers.contains_key(&who) {
            let oldest =
                self.peers.iter().min_by_key(|(_, (touched, _))| *touched).map(|(who, _)| who.clone());
            oldest.and_then(|who| self.peers.remove(&who));
        }
        let entry =
            self.peers.entry(who).or_insert_with(|| before.unwrap_or_else(|| (0, unknown(node, place))));
        entry.0 = self.touched;
        entry.1.node = node;
        place.clone_into(&mut entry.1.place);
        &mut entry.1
    }

    /// Everything, by node and place.
    pub(crate) fn all(&self) -> Vec<Peer> {
        let mut all: Vec<Peer> = self.peers.values().map(|(_, peer)| peer.clone()).collect();
        all.sort_by(|a, b| (a.node, &a.place).cmp(&(b.node, &b.place)));
        all
    }
}

fn unknown(node: Option<NodeId>, place: &str) -> Peer {
    Peer {
        node,
        place: place.to_owned(),
        path: Path::None,
        since: None,
        pairs: Vec::new(),
        rtt_micros: None,
        clock_ahead_seconds: None,
        answered: false,
        last_error: None,
        refused: None,
        name: None,
        reached_over: None,
        path_mtu: None,
        whereabouts: Whereabouts::default(),
    }
}

/// How far a clock that said `made` is ahead of ours, in seconds; the time on the way is small against what is asked.
pub(crate) fn ahead(made: Timestamp, now: Timestamp) -> i64 {
    made.as_second() - now.as_second()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_flood_of_places_pushes_out_the_oldest_and_no_more() {
        let mut history = History::default();
        for number in 0..1_000 {
            history.of(None, &format!("10.0.0.1:{number}")).answered = true;
            history.of(None, "kept:1");
        }
        let all = history.all();
        assert_eq!(all.len(), MAX_REMEMBERED);
        assert!(all.iter().any(|peer| peer.place == "kept:1"));
    }

    #[test]
    fn what_is_known_of_a_place_goes_over_to_the_node_that_is_found_there() {
        let mut history = History::default();
        history.of(None, "10.0.0.1:1").last_error = Some("no answer".to_owned());
        let node = NodeId::of(&trust::KeyPair::from_secret(&[1; 32]).public());
        assert_eq!(history.of(Some(node), "10.0.0.1:1").last_error.as_deref(), Some("no answer"));
        assert_eq!(history.all().len(), 1);
        history.of(None, "wss://gate.example/").last_error = Some("no signature".to_owned());
        assert_eq!(history.of(Some(node), "wss://gate.example/").last_error.as_deref(), Some("no answer"));
        let other = NodeId::of(&trust::KeyPair::from_secret(&[2; 32]).public());
        assert_eq!(history.of(Some(other), "wss://gate.example/").last_error, None, "it was somebody else");
    }
}
