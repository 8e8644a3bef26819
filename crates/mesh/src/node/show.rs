//! What a node shows of itself and of the mesh.

use std::collections::{BTreeMap, BTreeSet};

use echo_core::Timestamp;

use super::Node;
use crate::{
    Life, NodeId,
    view::{LinkView, MemberView, TrustView, View},
};

impl Node {
    /// What this node knows at `now`.
    pub fn view(&mut self, now: Timestamp) -> View {
        let hello = self.trust.hello(now);
        let members = self.members();
        View {
            at: now,
            me: self.id,
            name: self.manifest.name.clone(),
            links: self.neighbours.iter().map(|(link, neighbour)| LinkView::new(link, neighbour)).collect(),
            members,
            refusals: self.refusals.iter().cloned().collect(),
            trust: TrustView {
                registry: hello.registry,
                revocations: hello.revocations,
                notices: u64::try_from(self.trust.notices().count()).unwrap_or(u64::MAX),
            },
            unsettled: self.services.book.unsettled(),
            calling: self.services.calls.under_way(),
            pulses_waiting: self.services.sender.waiting().is_some(),
            places: self.places.len(),
            witnessing: self.witnessing.view(),
        }
    }

    /// How many nodes it counts as reachable.
    pub fn reachable(&mut self) -> usize {
        let mut found = BTreeSet::new();
        let me = self.id;
        for tag in self.rooms.keys().copied().collect::<Vec<_>>() {
            let Some(realm) = self.rooms.get(&tag).map(|room| room.realm.clone()) else { continue };
            let beside = self.beside(&realm);
            let Some(room) = self.rooms.get_mut(&tag) else { continue };
            room.ways(me, &beside);
            let neighbours = &self.neighbours;
            let lives = |node: &&NodeId| neighbours.best(node).is_some() || room.members.is_alive(node);
            let there = room.table.iter().map(|(node, _)| node).filter(|node| **node != me);
            found.extend(there.filter(lives).filter(|node| room.known_way(node).is_some()).copied());
        }
        found.len()
    }

    fn members(&mut self) -> Vec<MemberView> {
        let mut members: BTreeMap<NodeId, MemberView> = BTreeMap::new();
        let tags: Vec<_> = self.rooms.keys().copied().collect();
        for tag in tags {
            let Some(realm) = self.rooms.get(&tag).map(|room| room.realm.clone()) else { continue };
            let beside = self.beside(&realm);
            let me = self.id;
            let Some(room) = self.rooms.get_mut(&tag) else { continue };
            room.ways(me, &beside);
            let states: BTreeMap<NodeId, Life> = room.members.states().collect();
            for (node, present) in room.table.iter().filter(|(node, _)| **node != me) {
                // Who is linked is certainly alive, whatever is said.
                let linked = self.neighbours.best(node).is_some();
                let state = if linked { Life::Alive } else { *states.get(node).unwrap_or(&Life::Down) };
                let way = room.known_way(node);
                let shown = MemberView {
                    node: *node,
                    device: present.manifest.device.clone(),
                    customer: present.manifest.customer.clone(),
                    name: present.manifest.name.clone(),
                    capabilities: present.manifest.capabilities.clone(),
                    state,
                    reachable: state != Life::Down && way.is_some(),
                    next: way.map(|way| way.next),
                    hops: way.map(|way| way.links - 1),
                    offers: present.offers().cloned().collect(),
                    neighbours: present.neighbours().to_vec(),
                    until: present.until,
                };
                // A node of the operator stands in many rooms: the one from which it is nearest counts.
                let better = |known: &MemberView| {
                    let rank = |m: &MemberView| (!m.reachable, m.hops.unwrap_or(usize::MAX));
                    rank(&shown) < rank(known)
                };
                if members.get(node).is_none_or(better) {
                    members.insert(*node, shown);
                }
            }
        }
        members.into_values().collect()
    }
}
