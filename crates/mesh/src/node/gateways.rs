//! Who may be behind a gateway: every member of the mesh, until it is tried.

use echo_core::Timestamp;

use super::Node;
use crate::{NodeId, Realm, Sighting, Via};

/// The most members that are looked for behind a gateway at a time.
pub(super) const MAX_BEHIND: usize = 128;
/// In a larger mesh: how many of those are the next ones on the ring of keys. The others lie evenly round it.
const NEXT: usize = 32;

impl Node {
    /// Somebody may be there.
    pub(super) fn sighted(&mut self, now: Timestamp, sighting: Sighting) {
        let gateway = sighting.via == Via::Gateway;
        self.places.sighted(now, sighting);
        self.places_due = now;
        if gateway {
            self.look_behind_gateways(now);
        }
    }

    /// The members that there are no links to may be behind the gateways that are up.
    pub(super) fn look_behind_gateways(&mut self, now: Timestamp) {
        if self.places.gateways(now).is_empty() {
            return;
        }
        for node in self.may_be_behind() {
            self.places.member(now, node);
        }
        self.places_due = now;
    }

    /// A member was heard of for the first time.
    pub(super) fn new_member(&mut self, now: Timestamp, node: NodeId, realm: &Realm) {
        let many = self.rooms.values().any(|room| room.table.len() > MAX_BEHIND);
        if !many && self.seeks(&node, realm) {
            self.places.member(now, node);
        }
        self.places_due = now;
    }

    /// Whether this node makes links to such a member of itself: the customers' nodes come to the operator's.
    fn seeks(&self, node: &NodeId, realm: &Realm) -> bool {
        let meets = *realm == Realm::Operator || *realm == self.realm;
        meets && *node != self.id && !self.neighbours.nodes().contains(node)
    }

    fn may_be_behind(&self) -> Vec<NodeId> {
        let Some(room) = self.rooms.get(&self.realm.tag()) else { return Vec::new() };
        let sought = |node: &&NodeId| room.table.get(node).is_some_and(|p| self.seeks(node, &p.realm));
        let (before, beyond): (Vec<NodeId>, Vec<NodeId>) =
            room.table.iter().map(|(node, _)| node).filter(sought).partition(|node| **node < self.id);
        let ring: Vec<NodeId> = beyond.into_iter().chain(before).collect();
        if ring.len() <= MAX_BEHIND {
            return ring;
        }
        let (next, far) = ring.split_at(NEXT);
        let step = far.len().div_ceil(MAX_BEHIND - NEXT);
        next.iter().chain(far.iter().step_by(step)).copied().collect()
    }
}
