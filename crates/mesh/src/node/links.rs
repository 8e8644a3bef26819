//! Links come, go, and are judged.

use std::{collections::HashMap, time::Duration};

use echo_core::{Digest, Timestamp};
use trust::Envelope;

use super::Node;
use crate::{
    Hello, Link, Message, NodeId, Output, Realm, Refusal, Stream, Wire, admit,
    doctor::GOODBYE,
    event::Event,
    neighbours::{MAX_LINKS, MAX_LINKS_OPERATOR, Neighbour},
    presence::{Present, name},
    room::{after, batches},
    view::{MAX_REFUSALS, RefusalView},
};

/// How long a node that behaved badly is kept out.
const SHUNNED_FOR: Duration = Duration::from_mins(1);
/// The most nodes that are kept out so at a time.
const MAX_SHUNNED: usize = 1_024;

impl Node {
    pub(super) fn up(&mut self, now: Timestamp, link: Link, certificate: &Envelope) {
        let admitted = match admit(certificate, &self.trust, &self.me.manifest, now) {
            Ok(admitted) => admitted,
            Err(refusal) => {
                self.out(Output::Disconnect { link, reason: refusal.to_string() });
                return self.refuse(now, certificate_name(certificate), &refusal);
            }
        };
        if self.shunned.get(&admitted.node).is_some_and(|until| now < *until) {
            let refusal = Refusal::TooMany("it was disconnected for what it sent".to_owned());
            self.out(Output::Disconnect { link, reason: refusal.to_string() });
            return self.refuse(now, admitted.node.to_string(), &refusal);
        }
        let most = if self.realm == Realm::Operator { MAX_LINKS_OPERATOR } else { MAX_LINKS };
        let node = admitted.node;
        if !self.neighbours.nodes().contains(&node) && self.neighbours.nodes().len() >= most {
            let refusal = Refusal::TooMany(format!("{most} links"));
            return self.out(Output::Disconnect { link, reason: refusal.to_string() });
        }
        // The shell keeps one link to a node; where it has two for a moment, the newer one takes over.
        let older = self.neighbours.links_to(&node);
        if let [.., first, _] = older.as_slice() {
            self.disconnect(now, *first, "replaced by a newer link");
        }
        let manifest = self.config.memo.manifest(crate::digest_of(certificate), admitted.manifest.clone());
        let (name, realm) = (manifest.name.clone(), admitted.realm.clone());
        self.neighbours.add(link, Neighbour::new(now, admitted, manifest));
        self.places.linked(now, &node);
        self.places_due = now;
        self.event(Event::Linked { node, name });
        self.greet(now, link);
        self.witnessing.came(now, node, realm);
        self.files.linked(now);
        self.routes_changed(now);
    }

    /// What is said first on a new link.
    fn greet(&mut self, now: Timestamp, link: Link) {
        self.say(link, &Message::Hello(self.trust.hello(now)));
        let Some(neighbour) = self.neighbours.get(link) else { return };
        let (node, realm) = (neighbour.node, neighbour.realm.clone());
        self.room_for(now, &realm);
        let me = self.id;
        let mut messages = Vec::new();
        for tag in self.rooms_with(&realm) {
            let Some(room) = self.rooms.get_mut(&tag) else { continue };
            room.came(now, node);
            if let Some(present) = room.table.get(&me) {
                messages.extend(batches(&[std::sync::Arc::clone(&present.sealed)]));
            }
        }
        for message in messages {
            self.say(link, &message);
        }
    }

    pub(super) fn down(&mut self, now: Timestamp, link: Link, why: &str) {
        let Some((neighbour, last)) = self.neighbours.remove(link) else { return };
        self.files.unlinked(now, link);
        if last {
            self.places.lost(now, &neighbour.node);
            self.witnessing.gone(&neighbour.node);
            self.places_due = now;
            self.event(Event::Unlinked { node: neighbour.node, why: why.to_owned() });
            for tag in self.rooms_with(&neighbour.realm) {
                if let Some(room) = self.rooms.get_mut(&tag) {
                    room.greeted.remove(&neighbour.node);
                    room.republish(now);
                }
            }
            self.routes_changed(now);
        } else {
            // What was said of ledgers on that link may be lost: on the other it is said again.
            self.witnessing.gone(&neighbour.node);
            self.witnessing.came(now, neighbour.node, neighbour.realm);
        }
    }

    pub(super) fn disconnect(&mut self, now: Timestamp, link: Link, reason: &str) {
        if self.neighbours.get(link).is_some() {
            self.out(Output::Disconnect { link, reason: reason.to_owned() });
            self.down(now, link, reason);
        }
    }

    pub(super) fn measured(&mut self, link: Link, rtt_micros: u64, relayed: bool) {
        let Some(neighbour) = self.neighbours.get_mut(link) else { return };
        let better_or_worse = neighbour.relayed != relayed
            || neighbour.rtt_micros.is_none_or(|before| before.abs_diff(rtt_micros) > before / 2);
        neighbour.rtt_micros = Some(rtt_micros);
        neighbour.relayed = relayed;
        if better_or_worse {
            let realm = neighbour.realm.clone();
            for tag in self.rooms_with(&realm) {
                if let Some(room) = self.rooms.get_mut(&tag) {
                    room.lose_way();
                }
            }
        }
    }

    pub(super) fn received(
        &mut self,
        now: Timestamp,
        link: Link,
        stream: Stream,
        binary: bool,
        bytes: &[u8],
    ) {
        let Some(neighbour) = self.neighbours.get_mut(link) else { return };
        let node = neighbour.node;
        if !neighbour.may_send(now, stream, binary, bytes.len()) {
            return self.flooded(now, link, node);
        }
        match Wire::decode(stream, binary, bytes) {
            Ok(Wire::Message(message)) => self.message(now, link, node, message),
            Ok(Wire::Membership(membership)) => self.membership(now, link, membership),
            Ok(Wire::File(say)) => self.files.said(now, link, node, say),
            Ok(Wire::Chunk(chunk)) => self.piece(now, link, node, &chunk),
            Err(error) => self.fault(now, link, &error.to_string()),
        }
    }

    /// A neighbour sends more than it may.
    pub(super) fn flooded(&mut self, now: Timestamp, link: Link, node: NodeId) {
        self.disconnect(now, link, "it sends more than it may: see the bounds in the documentation");
        self.shun(now, node);
        self.event(Event::Flooded { node });
    }

    fn message(&mut self, now: Timestamp, link: Link, from: NodeId, message: Message) {
        match message {
            Message::Hello(hello) => self.hello(now, link, hello),
            Message::Presence { records } => self.presence(now, link, from, &records),
            Message::Summary { realm, digest } => self.summary(link, realm, digest),
            Message::Heads { realm, after, upto, heads, ask } => {
                self.heads(link, realm, (after, upto), &heads, ask);
            }
            Message::Registry { .. } | Message::Revocations { .. } | Message::Notices { .. } => {
                self.trust_message(now, link, from, &message);
            }
            Message::Bye { reason } => {
                let reason: String = reason.chars().take(200).collect();
                self.disconnect(now, link, &format!("{GOODBYE}: {reason}"));
            }
            Message::Routed(routed) => self.routed(now, link, *routed),
            Message::Witness(word) => self.witness_word(now, from, *word),
        }
    }

    fn hello(&mut self, now: Timestamp, link: Link, hello: Hello) {
        for message in self.trust.for_neighbour(&hello) {
            self.say(link, &message);
        }
        if let Some(neighbour) = self.neighbours.get_mut(link) {
            neighbour.skew_millis = Some(hello.at.as_millisecond().saturating_sub(now.as_millisecond()));
            neighbour.hello = Some(hello);
        }
    }

    /// A neighbour did what no good neighbour does; too often, and it is disconnected.
    pub(super) fn fault(&mut self, now: Timestamp, link: Link, why: &str) {
        let Some(neighbour) = self.neighbours.get_mut(link) else { return };
        let node = neighbour.node;
        if !neighbour.may_err(now) {
            let why: String = why.chars().take(300).collect();
            self.disconnect(now, link, &format!("too many faults, the last: {why}"));
            self.shun(now, node);
            self.event(Event::Faulty { node, why });
        }
    }

    /// A neighbour behaved badly: it may come again in a minute.
    pub(super) fn shun(&mut self, now: Timestamp, node: NodeId) {
        self.places.refused(now, &node);
        self.shunned.retain(|_, until| now < *until);
        if self.shunned.len() < MAX_SHUNNED {
            self.shunned.insert(node, after(now, SHUNNED_FOR));
        }
    }

    /// Whoever is at a place was refused, or refused us. Some reasons pass in a moment.
    pub(super) fn turned_away(&mut self, now: Timestamp, place: &str, who: Option<NodeId>, code: &str) {
        match code {
            "too_many" => {}
            "not_for_me" | "wrong_token" | "replayed" => {
                self.places.look_again(now, place, who);
                self.places_due = now;
            }
            _ => {
                if let Some(node) = who {
                    self.places.refused(now, &node);
                }
                self.places.turned_away(now, place, who);
            }
        }
    }

    /// Somebody is not let in: remembered for people.
    pub(super) fn refuse(&mut self, now: Timestamp, who: String, refusal: &Refusal) {
        self.refused(now, who, refusal.code().to_owned(), refusal.to_string());
    }

    pub(super) fn refused(&mut self, now: Timestamp, who: String, code: String, reason: String) {
        let again = |known: &RefusalView| known.who == who && known.code == code;
        if let Some(known) = self.refusals.iter().position(again) {
            // The same again: it is shown once, with its latest time, and told to nobody twice.
            if let Some(mut known) = self.refusals.remove(known) {
                known.at = now;
                self.refusals.push_back(known);
            }
            return;
        }
        if self.refusals.len() >= MAX_REFUSALS {
            self.refusals.pop_front();
        }
        self.refusals.push_back(RefusalView {
            at: now,
            who: who.clone(),
            code: code.clone(),
            reason: reason.clone(),
        });
        self.event(Event::Refused { who, code, reason });
    }

    /// Judges every neighbour and every record by what is now known of trust.
    pub(super) fn judge(&mut self, now: Timestamp) {
        let links: Vec<(Link, NodeId, Envelope)> =
            self.neighbours.iter().map(|(link, n)| (link, n.node, n.certificate.clone())).collect();
        // A node's certificate stands on its link and in its records: each is verified once.
        let mut judged: HashMap<Digest, Option<Refusal>> = HashMap::new();
        for (link, node, certificate) in links {
            let refusal = admit(&certificate, &self.trust, &self.me.manifest, now).err();
            judged.insert(name(&certificate), refusal.clone());
            if let Some(refusal) = refusal {
                self.disconnect(now, link, &refusal.to_string());
                self.places.refused(now, &node);
                self.refuse(now, node.to_string(), &refusal);
            }
        }
        let (trust, mine, me) = (&self.trust, &self.me.manifest, self.id);
        for room in self.rooms.values_mut() {
            let wrong = |present: &Present| {
                let (record, certificate) = (&present.sealed.record, present.sealed.certificate);
                let refusal = judged.entry(certificate);
                let refusal = refusal.or_insert_with(|| admit(&record.certificate, trust, mine, now).err());
                record.node != me && refusal.is_some()
            };
            for node in room.table.sweep(now, wrong) {
                room.members.expel(now, &node);
            }
            room.lose_way();
        }
    }
}

/// Whether a node of realm `me` and one of realm `neighbour` speak of `room` with one another.
pub(super) fn takes_part(me: &Realm, neighbour: &Realm, room: &Realm) -> bool {
    let in_room = |realm: &Realm| *realm == Realm::Operator || realm == room;
    in_room(me) && in_room(neighbour)
}

/// Who a certificate says it is of, for the list of refusals: a claim.
fn certificate_name(certificate: &Envelope) -> String {
    let claimed = certificate
        .payload_unchecked()
        .ok()
        .and_then(|payload| serde_json::from_slice::<trust::NodeManifest>(&payload).ok());
    claimed.map_or_else(|| "somebody without a readable manifest".to_owned(), |manifest| manifest.did)
}
