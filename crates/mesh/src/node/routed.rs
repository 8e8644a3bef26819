//! Messages for nodes that may be further away: passed on, or taken.

use echo_core::Timestamp;

use super::{Node, links::takes_part, services::Gift};
use crate::{
    Body, Kept, Link, MAX_HOPS, Message, NodeId, Output, Realm, RealmTag, Routed, book::Received, digest_of,
    event::Event, kept::What, telemetry::Arrived,
};

impl Node {
    /// Sends `body` on its way. Whether there is one.
    pub(super) fn send_to(&mut self, to: NodeId, body: Body) -> bool {
        let Some(link) = self.link_towards(&to) else { return false };
        let routed = Routed { from: self.id, to, path: Vec::new(), body };
        self.say(link, &Message::Routed(Box::new(routed)));
        true
    }

    /// The link on which messages for `to` go out.
    pub(super) fn link_towards(&mut self, to: &NodeId) -> Option<Link> {
        if let Some(link) = self.neighbours.best(to) {
            return Some(link);
        }
        let next = self.rooms_of(to).into_iter().find_map(|tag| self.next(tag, to, &[]))?;
        self.neighbours.best(&next)
    }

    /// The rooms in which a node is known.
    fn rooms_of(&self, node: &NodeId) -> Vec<RealmTag> {
        self.rooms.iter().filter(|(_, room)| room.table.get(node).is_some()).map(|(tag, _)| *tag).collect()
    }

    pub(super) fn routed(&mut self, now: Timestamp, link: Link, routed: Routed) {
        let Some(neighbour) = self.neighbours.get(link) else { return };
        let (came_from, realm) = (neighbour.node, neighbour.realm.clone());
        if routed.from == self.id {
            return;
        }
        let common = |tag: &RealmTag| {
            let Some(room) = self.rooms.get(tag) else { return false };
            let known =
                |node: &NodeId| *node == self.id || *node == came_from || room.table.get(node).is_some();
            known(&routed.from) && known(&routed.to) && takes_part(&self.realm, &realm, &room.realm)
        };
        // Whoever is not known yet, or not to be met by the other, has no way through here.
        let Some(tag) = self.rooms_with(&realm).into_iter().find(common) else { return };
        if routed.to == self.id {
            self.deliver(now, routed.from, routed.body);
        } else {
            self.forward(now, link, tag, came_from, routed);
        }
    }

    fn forward(&mut self, now: Timestamp, link: Link, tag: RealmTag, came_from: NodeId, mut routed: Routed) {
        if routed.path.contains(&self.id) || routed.path.len() >= MAX_HOPS {
            return;
        }
        if !self.neighbours.get_mut(link).is_some_and(|neighbour| neighbour.may_forward(now)) {
            return;
        }
        let mut without = routed.path.clone();
        without.extend([routed.from, came_from]);
        let next = self
            .neighbours
            .best(&routed.to)
            .or_else(|| self.next(tag, &routed.to, &without).and_then(|next| self.neighbours.best(&next)));
        let Some(next) = next else {
            if let Body::Call { call, .. } = &routed.body {
                let reason = format!("{:?} has no way to {:?}", self.id, routed.to);
                let body = Body::Unroutable { call: digest_of(call), reason };
                self.send_to(routed.from, body);
            }
            return;
        };
        routed.path.push(self.id);
        self.say(next, &Message::Routed(Box::new(routed)));
    }

    fn deliver(&mut self, now: Timestamp, from: NodeId, body: Body) {
        match body {
            Body::Call { call, manifest, grant } => {
                let received = self.services.book.receive(
                    (&call, &manifest, &grant),
                    &self.trust,
                    &self.me.manifest,
                    now,
                );
                self.called(from, &digest_of(&call), received);
            }
            Body::Answer { answer } => {
                if let Some((ticket, result)) = self.services.calls.answered(&answer) {
                    self.out(Output::Ended { ticket, result });
                }
            }
            Body::Unroutable { reason, .. } => {
                let why: String = reason.chars().take(200).collect();
                self.event(Event::NotTaken { from, why });
            }
            Body::Pulses { batch } if self.can("pulses") => {
                match self.services.receiver.received(&batch, &from) {
                    Ok(Arrived::New) => {
                        let output = Output::Pulses { from, batch: Box::new(batch) };
                        self.take(now, from, Gift::Pulses, output);
                    }
                    Ok(Arrived::Known(up_to)) => self.say_kept(now, from, What::Pulses(up_to)),
                    Err(error) => self.event(Event::NotTaken { from, why: error.to_string() }),
                }
            }
            Body::Acks { acks } if self.can("pulses") && !acks.is_empty() => {
                self.take(now, from, Gift::Acks, Output::Acks { from, acks });
            }
            Body::Settle { answers, calls, grants } if self.can("settle") && !calls.is_empty() => {
                self.take(now, from, Gift::Calls, Output::Settle { from, answers, calls, grants });
            }
            Body::Kept { kept } => match Kept::verify(&kept, &from, &self.id) {
                Ok(kept) => self.kept(now, from, kept.what),
                Err(error) => self.event(Event::NotTaken { from, why: error.to_string() }),
            },
            Body::Pulses { .. } | Body::Acks { .. } | Body::Settle { .. } => {
                let why = "it is empty, or this node keeps nothing for others".to_owned();
                self.event(Event::NotTaken { from, why });
            }
        }
    }

    /// Gives the shell what somebody wants kept, unless it is keeping the like for the same one.
    fn take(&mut self, now: Timestamp, from: NodeId, gift: Gift, output: Output) {
        if self.services.given.begin(now, from, gift) {
            self.out(output);
        }
    }

    fn called(&mut self, from: NodeId, call: &echo_core::Digest, received: Received) {
        match received {
            Received::Execute { keep, call, caller } => {
                let name = keep.call;
                let work = Output::Execute { call: name, skill: call.skill, input: call.input, caller };
                self.services.resting.insert(name, work);
                self.out(Output::Keep(keep));
            }
            Received::Known(answer) => {
                // To whoever made the call, not to whoever brought it again.
                let caller = self.services.book.caller(call).unwrap_or(from);
                self.send_to(caller, Body::Answer { answer: *answer });
            }
            Received::UnderWay => {}
            Received::Refused { answer, why } => {
                self.send_to(from, Body::Answer { answer: *answer });
                self.event(Event::NotTaken { from, why: why.to_string() });
            }
            Received::Ignored(why) => self.event(Event::NotTaken { from, why: why.to_string() }),
        }
    }

    /// Another node has something of ours for good. Only who was asked, or may settle, is believed.
    fn kept(&mut self, now: Timestamp, from: NodeId, what: What) {
        match what {
            What::Pulses(up_to) if self.services.sender.receiver() == Some(from) => {
                if let Some(up_to) = self.services.sender.kept(up_to) {
                    self.out(Output::PulsesKept { up_to });
                }
            }
            What::Calls(calls) if self.may(&from, "settle") => self.calls_settled(now, &calls),
            What::Notices(notices) if self.services.acks.receiver() == Some(from) => {
                self.services.acks.kept(&notices);
                self.services.due = now;
            }
            What::Pulses(_) | What::Calls(_) | What::Notices(_) => {
                let why = "it says that it keeps what nobody gave it".to_owned();
                self.event(Event::NotTaken { from, why });
            }
        }
    }

    pub(super) fn say_kept(&mut self, now: Timestamp, to: NodeId, what: What) {
        match (Kept { from: self.id, to, what, at: now }).body(&self.key) {
            Ok(body) => {
                self.send_to(to, body);
            }
            Err(error) => self.event(Event::NotTaken { from: to, why: error.to_string() }),
        }
    }

    /// Whether this node's manifest names `capability`.
    pub(super) fn can(&self, capability: &str) -> bool {
        self.manifest.capabilities.iter().any(|own| own == capability)
    }

    /// Whether a node is the operator's and may do `capability`.
    pub(super) fn may(&self, node: &NodeId, capability: &str) -> bool {
        let present = self.rooms.values().find_map(|room| room.table.get(node));
        present.is_some_and(|p| {
            p.realm == Realm::Operator && p.manifest.capabilities.iter().any(|c| c == capability)
        })
    }
}
