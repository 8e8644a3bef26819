//! Who is there: presence records and membership, from neighbour to neighbour.

use std::sync::Arc;

use echo_core::{Digest, Timestamp};
use rand::seq::IndexedRandom as _;
use trust::Envelope;

use super::{Node, links::takes_part};
use crate::{
    Link, MAX_HOPS, Membership, Message, NodeId, Output, Realm, RealmTag, Stream, Wire, admit,
    event::Event,
    presence::{Heard, MAX_NEIGHBOURS, PresenceRecord, Sealed, renewal},
    room::{Chore, MAX_ROOMS, Room, after, batches},
    wire::Head,
};

impl Node {
    /// The room of a realm; made when a node of the operator meets the first node of it.
    pub(super) fn room_for(&mut self, now: Timestamp, realm: &Realm) -> Option<&mut Room> {
        let tag = realm.tag();
        if !self.rooms.contains_key(&tag) {
            if self.realm != Realm::Operator {
                // A node of the operator speaks with us of our own realm.
                let own = self.realm.tag();
                return self.rooms.get_mut(&own);
            }
            if self.rooms.len() >= MAX_ROOMS {
                self.event(Event::Full { realm: realm.clone() });
                return None;
            }
            let seed = self.seed();
            self.rooms.insert(tag, Room::new(realm.clone(), self.id, seed, now));
        }
        self.rooms.get_mut(&tag)
    }

    /// The neighbours that take part in a room, the best first.
    pub(super) fn beside(&self, room: &Realm) -> Vec<NodeId> {
        match self.realm {
            Realm::Operator => self.neighbours.of_realm(room),
            Realm::Customer(_) => self.neighbours.of_realm(&self.realm),
        }
    }

    /// The rooms in which this node and a neighbour of `realm` meet.
    pub(super) fn rooms_with(&self, realm: &Realm) -> Vec<RealmTag> {
        match (&self.realm, realm) {
            (Realm::Operator, Realm::Operator) => self.rooms.keys().copied().collect(),
            (Realm::Operator, Realm::Customer(_)) => vec![realm.tag()],
            (Realm::Customer(_), _) => vec![self.realm.tag()],
        }
    }

    pub(super) fn presence(&mut self, now: Timestamp, link: Link, from: NodeId, records: &[Envelope]) {
        for envelope in records {
            match self.config.memo.open(envelope) {
                Ok(sealed) => self.record(now, link, from, &sealed),
                Err(error) => self.fault(now, link, &error.to_string()),
            }
            if self.neighbours.get(link).is_none() {
                return;
            }
        }
    }

    fn record(&mut self, now: Timestamp, link: Link, from: NodeId, sealed: &Arc<Sealed>) {
        let record = &sealed.record;
        let Some(neighbour) = self.neighbours.get(link) else { return };
        let beside = neighbour.realm.clone();
        if record.node == self.id {
            if let Some(room) = self.rooms.get_mut(&record.realm) {
                room.outdo(now, record.seq);
                if record.life > room.members.life() {
                    room.members.live_after(now, record.life);
                }
                room.has(&record.node, from);
            }
            return;
        }
        if let Some(room) = self.rooms.get_mut(&record.realm)
            && !room.table.would_be_news(&record.node, record.seq)
        {
            return room.has(&record.node, from);
        }
        let Some((manifest, realm)) = self.certified(now, sealed) else { return };
        let tag = record.realm;
        if realm != Realm::Operator && realm.tag() != tag {
            return self.fault(now, link, "a presence record for another realm than its node's");
        }
        if !self.rooms.contains_key(&tag) && self.realm == Realm::Operator && realm != Realm::Operator {
            self.room_for(now, &realm);
        }
        let Some(room) = self.rooms.get_mut(&tag) else { return };
        if !takes_part(&self.realm, &beside, &room.realm) {
            return self.fault(now, link, "a presence record for a realm that is not its own");
        }
        let first = room.table.get(&record.node).is_none();
        match room.table.hear(now, Arc::clone(sealed), Arc::clone(&manifest), realm.clone()) {
            Heard::Known => {}
            Heard::Full => {
                let realm = room.realm.clone();
                self.event(Event::Full { realm });
            }
            Heard::News { neighbours } => {
                room.pass_on(now, record.node, Some(from));
                if record.node == from && room.greeted.insert(from) {
                    room.members.greet(now, from, record.life);
                } else {
                    room.members.heard(now, record.node, record.life);
                }
                if neighbours {
                    room.lose_way();
                }
                self.routes_changed(now);
                self.neighbours.certified_anew(&record.node, &realm, &manifest, &record.certificate);
                if first {
                    self.new_member(now, record.node, &realm);
                }
            }
        }
    }

    /// The manifest behind a record, once its node is one to meet.
    fn certified(&mut self, now: Timestamp, sealed: &Sealed) -> Option<(Arc<trust::NodeManifest>, Realm)> {
        let record = &sealed.record;
        let known = self.rooms.get(&record.realm).and_then(|room| room.table.get(&record.node));
        if let Some(known) = known.filter(|known| known.sealed.certificate == sealed.certificate) {
            return Some((Arc::clone(&known.manifest), known.realm.clone()));
        }
        match admit(&record.certificate, &self.trust, &self.me.manifest, now) {
            Ok(admitted) if admitted.node == record.node => {
                Some((self.config.memo.manifest(sealed.certificate, admitted.manifest), admitted.realm))
            }
            Ok(_) => {
                self.refuse(now, record.node.to_string(), &crate::Refusal::WrongKey);
                None
            }
            Err(refusal) => {
                self.refuse(now, record.node.to_string(), &refusal);
                None
            }
        }
    }

    /// A neighbour's records are these: where ours are others, it learns which we have.
    pub(super) fn summary(&mut self, link: Link, realm: RealmTag, digest: Digest) {
        let Some(room) = self.common_room(link, realm) else { return };
        if room.table.digest() != digest {
            for message in room.heads(None, None, true) {
                self.say(link, &message);
            }
        }
    }

    pub(super) fn heads(
        &mut self,
        link: Link,
        realm: RealmTag,
        (after, upto): (Option<NodeId>, Option<NodeId>),
        heads: &[Head],
        ask: bool,
    ) {
        let Some(room) = self.common_room(link, realm) else { return };
        let mut messages = batches(&room.table.newer_than(after, upto, heads));
        if ask && room.table.lacks(heads) {
            messages.extend(room.heads(after, upto, false));
        }
        for message in messages {
            self.say(link, &message);
        }
    }

    fn common_room(&mut self, link: Link, tag: RealmTag) -> Option<&mut Room> {
        let neighbour = self.neighbours.get(link)?;
        let room = self.rooms.get_mut(&tag)?;
        takes_part(&self.realm, &neighbour.realm, &room.realm).then_some(room)
    }

    /// Signs this node's record for a room and tells it.
    fn publish(&mut self, now: Timestamp, tag: RealmTag) {
        let Some(room) = self.rooms.get(&tag) else { return };
        let mut neighbours = self.beside(&room.realm);
        // The operator's nodes are few and lead far: they come first where not all fit.
        neighbours.sort_by_key(|node| self.neighbours.of(node).is_none_or(|n| n.realm != Realm::Operator));
        neighbours.truncate(MAX_NEIGHBOURS);
        let Some(room) = self.rooms.get_mut(&tag) else { return };
        let record = PresenceRecord {
            node: self.id,
            realm: tag,
            seq: room.next_seq(now),
            life: room.members.life(),
            at: now,
            until: after(now, renewal(room.table.len()) * 3),
            capabilities: self.config.offers.clone(),
            neighbours,
            certificate: self.me.certificate.clone(),
        };
        let signed = record.sign(&self.key).and_then(|envelope| self.config.memo.open(&envelope));
        match signed {
            Ok(sealed) => {
                let manifest = Arc::clone(&self.manifest);
                if room.table.hear(now, sealed, manifest, self.realm.clone()) != Heard::Full {
                    room.pass_on(now, self.id, None);
                }
            }
            Err(error) => {
                let from = self.id;
                self.event(Event::NotTaken { from, why: format!("this node's own record: {error}") });
            }
        }
    }

    /// Does what rooms want done.
    pub(super) fn tick_rooms(&mut self, now: Timestamp) {
        for tag in self.rooms.due(now) {
            let Some(room) = self.rooms.get_mut(&tag) else { continue };
            let due = room.tick(now);
            if room.members.changed() {
                self.routes_changed(now);
            }
            for chore in due {
                match chore {
                    Chore::Sweep => self.sweep(now, tag),
                    Chore::Publish => self.publish(now, tag),
                    Chore::Flush => self.flush(tag),
                    Chore::Sync => self.ask_somebody(tag),
                }
            }
            self.post(now, tag);
        }
    }

    fn flush(&mut self, tag: RealmTag) {
        let Some(room) = self.rooms.get(&tag) else { return };
        let neighbours = self.beside(&room.realm);
        let me = self.id;
        let messages = match self.rooms.get_mut(&tag) {
            Some(room) => room.flush(me, &neighbours, &mut self.rng),
            None => return,
        };
        for (to, message) in messages {
            if let Some(link) = self.neighbours.best(&to) {
                self.say(link, &message);
            }
        }
    }

    pub(super) fn ask_somebody(&mut self, tag: RealmTag) {
        let Some(room) = self.rooms.get(&tag) else { return };
        let neighbours = self.beside(&room.realm);
        let Some(room) = self.rooms.get_mut(&tag) else { return };
        let newcomer = room.take_newcomer().filter(|node| neighbours.contains(node));
        let chosen = newcomer.or_else(|| neighbours.choose(&mut self.rng).copied());
        let Some(link) = chosen.and_then(|node| self.neighbours.best(&node)) else { return };
        if let Some(room) = self.rooms.get_mut(&tag) {
            let message = Message::Summary { realm: tag, digest: room.table.digest() };
            self.say(link, &message);
        }
    }

    /// Puts away what has ended, and whose certificate has.
    fn sweep(&mut self, now: Timestamp, tag: RealmTag) {
        let me = self.id;
        let Some(room) = self.rooms.get_mut(&tag) else { return };
        let gone = room.table.sweep(now, |p| p.manifest.expires <= now && p.sealed.record.node != me);
        for node in &gone {
            room.members.expel(now, node);
            room.lose_way();
        }
        let alone = room.table.iter().all(|(_, present)| present.realm == Realm::Operator);
        let (realm, others) = (room.realm.clone(), alone && room.realm != Realm::Operator);
        // A customer's last node is gone: so is the room, here.
        if others && self.realm == Realm::Operator && !self.neighbours.iter().any(|(_, n)| n.realm == realm) {
            self.rooms.remove(&tag);
        }
    }

    /// Sends what membership has to send.
    pub(super) fn post(&mut self, now: Timestamp, tag: RealmTag) {
        let Some(room) = self.rooms.get_mut(&tag) else { return };
        for (to, data) in room.members.outgoing() {
            let hops_left = u8::try_from(MAX_HOPS).unwrap_or(u8::MAX);
            self.pass(now, Membership { from: self.id, to, hops_left, realm: tag.0, data }, None);
        }
    }

    pub(super) fn membership(&mut self, now: Timestamp, link: Link, mut membership: Membership) {
        let tag = RealmTag(membership.realm);
        let (me, from) = (self.id, membership.from);
        let Some(room) = self.common_room(link, tag) else { return };
        if membership.to == me {
            let table = &room.table;
            let life_of = |node: &NodeId| table.get(node).map(|present| present.sealed.record.life);
            room.members.receive(now, &from, &membership.data, life_of);
            if room.members.reborn() {
                room.republish(now);
            }
            return;
        }
        let Some(neighbour) = self.neighbours.get_mut(link) else { return };
        let came_from = neighbour.node;
        if membership.hops_left > 0 && from != me && neighbour.may_forward(now) {
            membership.hops_left -= 1;
            self.pass(now, membership, Some(came_from));
        }
    }

    /// Gives a membership message to the next node on its way; without a way it is lost, as the protocol expects of
    /// messages.
    fn pass(&mut self, _now: Timestamp, membership: Membership, came_from: Option<NodeId>) {
        let link = self.neighbours.best(&membership.to).or_else(|| {
            let without: Vec<NodeId> = came_from.into_iter().collect();
            let next = self.next(RealmTag(membership.realm), &membership.to, &without)?;
            self.neighbours.best(&next)
        });
        let Some(link) = link else { return };
        let (binary, bytes) = Wire::Membership(membership).encode();
        self.out(Output::Send { link, stream: Stream::Control, binary, bytes });
    }

    /// The next node on the way to `to` in a room, past nobody in `without`.
    pub(super) fn next(&mut self, tag: RealmTag, to: &NodeId, without: &[NodeId]) -> Option<NodeId> {
        let neighbours = self.beside(&self.rooms.get(&tag)?.realm);
        let me = self.id;
        self.rooms.get_mut(&tag)?.way(me, &neighbours, to, without).map(|way| way.next)
    }
}
