//! What a node does for those on its machine: calls to others, pulses and receipts to the platform.

use std::{collections::BTreeMap, time::Duration};

use echo_core::{Digest, Timestamp};
use trust::Envelope;

use super::Node;
use crate::{
    Acks, Body, Call, CallFailure, Link, NodeId, Outcome, Output, Realm, Target,
    book::Book,
    calls::Calls,
    kept::What,
    room::{Room, after},
    telemetry,
    wire::MAX_NEWS,
};

/// The capability of a node that keeps pulses.
pub const PULSES: &str = "pulses";
/// The capability of a node that settles calls.
pub const SETTLE: &str = "settle";

/// How long what others gave stays under way when the shell says nothing of it.
const UNDER_WAY: Duration = Duration::from_secs(15);
/// The most that others gave and that is under way at a time.
const MAX_GIVEN: usize = 1_024;

/// What others give to be kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Gift {
    Pulses,
    Acks,
    Calls,
}

/// What others gave and the shell is keeping: one of each kind at a time of each, since when. The rest is not taken; it is
/// brought again.
#[derive(Debug, Default)]
pub(super) struct Given(BTreeMap<(NodeId, Gift), Timestamp>);

impl Given {
    /// Whether this may go to the shell now.
    pub(super) fn begin(&mut self, now: Timestamp, from: NodeId, gift: Gift) -> bool {
        let over = |since: &Timestamp| after(*since, UNDER_WAY) <= now;
        if self.0.get(&(from, gift)).is_some_and(|since| !over(since)) {
            return false;
        }
        if self.0.len() >= MAX_GIVEN {
            self.0.retain(|_, since| !over(since));
        }
        let room = self.0.len() < MAX_GIVEN;
        if room {
            self.0.insert((from, gift), now);
        }
        room
    }

    fn end(&mut self, from: NodeId, gift: Gift) {
        self.0.remove(&(from, gift));
    }
}

/// What waits for others.
pub(super) struct Services {
    pub(super) book: Book,
    /// The work whose calls are not on the disk yet; each stands in the book.
    pub(super) resting: BTreeMap<Digest, Output>,
    pub(super) calls: Calls,
    pub(super) acks: Acks,
    pub(super) sender: telemetry::Sender,
    pub(super) receiver: telemetry::Receiver,
    /// The nodes that something waits for, with the link on which it went last.
    pub(super) ways: BTreeMap<NodeId, Link>,
    /// What the shell is keeping for others.
    pub(super) given: Given,
    /// When to look again.
    pub(super) due: Timestamp,
}

impl Node {
    pub(super) fn call(&mut self, now: Timestamp, call: Call) {
        let ticket = call.ticket;
        let to = match &call.target {
            Target::Node(node) => {
                let known = self.rooms.values().any(|room| room.table.get(node).is_some());
                if known { Ok(*node) } else { Err(CallFailure::Unreachable(*node)) }
            }
            Target::Capability(capability) => {
                self.nearest(capability, false).ok_or_else(|| CallFailure::NobodyOffers(capability.clone()))
            }
        };
        let begun = to.and_then(|to| self.services.calls.begin(call, to, &self.trust, now));
        match begun {
            Ok(()) => self.services.due = now,
            Err(failure) => self.out(Output::Ended { ticket, result: Err(failure) }),
        }
    }

    pub(super) fn executed(&mut self, now: Timestamp, call: &Digest, outcome: Outcome) {
        if let Some(entry) = self.services.book.executed(call, outcome, now) {
            self.out(Output::Keep(Box::new(entry)));
        }
    }

    /// An entry of the book is on the disk: now the work may begin, or the answer go out.
    pub(super) fn entry_kept(&mut self, now: Timestamp, call: &Digest) {
        let answered = self.services.book.kept(call);
        if let Some(work) = self.services.resting.remove(call) {
            self.out(work);
        }
        if let Some((caller, answer)) = answered {
            self.send_to(caller, Body::Answer { answer });
            self.services.due = now;
        }
    }

    /// An entry of the book cannot be written: its work is not begun.
    pub(super) fn entry_lost(&mut self, now: Timestamp, call: &Digest, why: &str) {
        self.services.resting.remove(call);
        if let Some((caller, answer)) = self.services.book.lost(call, why, now) {
            self.send_to(caller, Body::Answer { answer });
        }
    }

    pub(super) fn own_pulses(&mut self, now: Timestamp, batch: Envelope, up_to: u64) {
        self.services.sender.offer(batch, up_to);
        self.services.due = now;
    }

    pub(super) fn pulses_kept(&mut self, now: Timestamp, from: NodeId, up_to: u64) {
        self.services.given.end(from, Gift::Pulses);
        self.services.receiver.kept(from, up_to);
        self.say_kept(now, from, What::Pulses(up_to));
    }

    pub(super) fn acks_kept(&mut self, now: Timestamp, from: NodeId, notices: &[Digest]) {
        self.services.given.end(from, Gift::Acks);
        for notices in notices.chunks(MAX_NEWS) {
            self.say_kept(now, from, What::Notices(notices.to_vec()));
        }
    }

    pub(super) fn settled(&mut self, now: Timestamp, from: NodeId, calls: &[Digest]) {
        if from == self.id {
            return self.calls_settled(now, calls);
        }
        self.services.given.end(from, Gift::Calls);
        for calls in calls.chunks(MAX_NEWS) {
            self.say_kept(now, from, What::Calls(calls.to_vec()));
        }
    }

    pub(super) fn calls_settled(&mut self, now: Timestamp, calls: &[Digest]) {
        for entry in self.services.book.settled(calls) {
            self.out(Output::Keep(Box::new(entry)));
        }
        self.services.due = now;
    }

    pub(super) fn prune(&mut self, now: Timestamp) {
        for call in self.services.book.prune(now) {
            self.out(Output::Forget(call));
        }
    }

    pub(super) fn services_deadline(&self) -> Timestamp {
        self.services.due
    }

    /// Sends what waits and has a way; ends what is too late.
    pub(super) fn serve(&mut self, now: Timestamp) {
        if self.services.due > now {
            return;
        }
        for (ticket, result) in self.services.calls.expired(now) {
            self.out(Output::Ended { ticket, result });
        }
        self.wake_calls(now);
        for (to, body) in self.services.calls.due(now) {
            if let Some(link) = self.link_towards(&to) {
                self.services.ways.insert(to, link);
                self.send_to(to, body);
            } else {
                self.services.ways.remove(&to);
            }
        }
        let mut next = self.services.calls.deadline().unwrap_or(Timestamp::MAX);
        self.tell_pulses(now, &mut next);
        self.settle(now, &mut next);
        self.services.due = next;
    }

    /// Calls to nodes that have another way than before go out at once.
    fn wake_calls(&mut self, now: Timestamp) {
        let waiting = self.services.calls.waiting_for();
        self.services.ways.retain(|node, _| waiting.contains(node));
        for node in waiting {
            let Some(link) = self.link_towards(&node) else {
                self.services.ways.remove(&node);
                continue;
            };
            if self.services.ways.insert(node, link) != Some(link) {
                self.services.calls.reachable(node, now);
            }
        }
    }

    /// Pulses and acknowledgements of notices go to the nearest node that keeps them.
    fn tell_pulses(&mut self, now: Timestamp, next: &mut Timestamp) {
        if self.services.sender.waiting().is_none() && self.services.acks.waiting() == 0 {
            return;
        }
        let Some(keeper) = self.nearest(PULSES, true).filter(|keeper| *keeper != self.id) else { return };
        if self.services.sender.receiver().is_some_and(|last| last != keeper) {
            self.services.sender.again();
        }
        if self.services.acks.receiver().is_some_and(|last| last != keeper) {
            self.services.acks.again();
        }
        if let Some(body) = self.services.sender.due(keeper, now) {
            self.send_to(keeper, body);
        }
        if let Some(body) = self.services.acks.due(keeper, now) {
            self.send_to(keeper, body);
        }
        let deadlines = [self.services.sender.deadline(), self.services.acks.deadline()];
        *next = deadlines.into_iter().flatten().fold(*next, Timestamp::min);
    }

    /// Calls that were answered here go to the nearest node that settles them.
    fn settle(&mut self, now: Timestamp, next: &mut Timestamp) {
        if self.services.book.unsettled() == 0 {
            return;
        }
        let platform = if self.can(SETTLE) { Some(self.id) } else { self.nearest(SETTLE, true) };
        let Some(platform) = platform else { return };
        match self.services.book.settle_due(now) {
            Some(Body::Settle { answers, calls, grants }) if platform == self.id => {
                self.out(Output::Settle { from: platform, answers, calls, grants });
            }
            Some(body) => {
                self.send_to(platform, body);
            }
            None => {}
        }
        *next = self.services.book.settle_deadline().map_or(*next, |at| at.min(*next));
    }

    /// The nearest node that lives, can be reached and offers `capability`; of the operator's only, where asked.
    pub(super) fn nearest(&mut self, capability: &str, of_operator: bool) -> Option<NodeId> {
        let mut best: Option<(usize, u64, NodeId)> = None;
        let tags: Vec<_> = self.rooms.keys().copied().collect();
        for tag in tags {
            let Some(realm) = self.rooms.get(&tag).map(|room| room.realm.clone()) else { continue };
            let beside = self.beside(&realm);
            let (me, neighbours) = (self.id, &self.neighbours);
            let Some(room) = self.rooms.get_mut(&tag) else { continue };
            room.ways(me, &beside);
            for (node, way) in able(room, capability, of_operator, |node| neighbours.best(node).is_some()) {
                let rtt = neighbours.of(&way.next).and_then(|n| n.rtt_micros).unwrap_or(u64::MAX);
                let candidate = (way.links, rtt, node);
                if node != me && best.is_none_or(|best| candidate < best) {
                    best = Some(candidate);
                }
            }
        }
        best.map(|(_, _, node)| node)
    }
}

/// The nodes of a room that live, have a way and offer `capability`.
fn able(
    room: &Room,
    capability: &str,
    of_operator: bool,
    linked: impl Fn(&NodeId) -> bool,
) -> Vec<(NodeId, crate::route::Way)> {
    room.table
        .iter()
        .filter(|(_, present)| present.can(capability) && (!of_operator || present.realm == Realm::Operator))
        .filter(|(node, _)| linked(node) || room.members.is_alive(node))
        .filter_map(|(node, _)| room.known_way(node).map(|way| (*node, way)))
        .collect()
}
