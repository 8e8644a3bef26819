//! One file on its way out.

use echo_core::Timestamp;

use super::{
    ASK_AGAIN, CHUNK, Chunk, Closing, Code, Declined, GIVEN_UP_AFTER, MAX_FILE, MOST_BROKEN, Offer, PIECE,
    STALLED, Say, Sending, Stage, TransferView, Way, meter::Meter,
};
use crate::{Link, NodeId, room::after};

/// Where it stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum State {
    /// It waits for a link, or for its time.
    Waiting,
    /// The receiver was asked on this link.
    Offered(Link),
    /// The receiver takes it on this link.
    Moving(Link),
}

/// A file on its way out.
#[derive(Debug)]
pub(super) struct Outgoing {
    pub(super) to: NodeId,
    pub(super) offer: Offer,
    pub(super) state: State,
    /// The link on which it was last offered, while that is up: the receiver may have a part of it.
    pub(super) known_on: Option<Link>,
    /// When to ask, while it waits.
    pub(super) next: Timestamp,
    why: String,
    pub(super) asked: Timestamp,
    /// When it last came any further.
    moved: Timestamp,
    /// When the receiver last said anything.
    heard: Timestamp,
    /// The read that is under way: its number and its bytes.
    reading: Option<(u64, u64)>,
    sent: u64,
    kept: u64,
    upto: u64,
    broken: u32,
    meter: Meter,
}

impl Outgoing {
    pub(super) fn new(now: Timestamp, sending: Sending) -> Self {
        Self {
            to: sending.to,
            offer: sending.offer,
            state: State::Waiting,
            known_on: None,
            next: now,
            why: "it was not tried yet".to_owned(),
            asked: sending.asked,
            moved: sending.asked,
            heard: now,
            reading: None,
            sent: 0,
            kept: 0,
            upto: 0,
            broken: 0,
            meter: Meter::new(now, 0),
        }
    }

    /// The link it uses.
    pub(super) fn link(&self) -> Option<Link> {
        match self.state {
            State::Waiting => None,
            State::Offered(link) | State::Moving(link) => Some(link),
        }
    }

    /// The bytes that were sent, or are about to be, and are not durable yet.
    pub(super) fn under_way(&self) -> u64 {
        match self.state {
            State::Moving(_) => self.sent - self.kept + self.reading.map_or(0, |(_, bytes)| bytes),
            State::Waiting | State::Offered(_) => 0,
        }
    }

    /// Asks the receiver.
    pub(super) fn ask(&mut self, now: Timestamp, link: Link) -> Say {
        self.state = State::Offered(link);
        self.known_on = Some(link);
        self.heard = now;
        self.reading = None;
        let Offer { id, name, size, digest } = self.offer.clone();
        Say::Offer { id, name: name.into(), size, digest }
    }

    /// Nothing goes now. It is asked again at `next`.
    pub(super) fn wait(&mut self, next: Timestamp, why: &str) {
        self.state = State::Waiting;
        self.next = next;
        self.reading = None;
        if self.why != why {
            why.clone_into(&mut self.why);
        }
    }

    /// The receiver takes it, from there on. What is wrong with that, if anything.
    pub(super) fn accepted(&mut self, now: Timestamp, from: u64, upto: u64) -> Result<(), &'static str> {
        let State::Offered(link) = self.state else { return Err("it takes what was not offered") };
        if from > self.offer.size || !from.is_multiple_of(CHUNK) && from != self.offer.size || upto < from {
            return Err("it wants a file from where there is nothing");
        }
        self.state = State::Moving(link);
        (self.sent, self.kept, self.upto) = (from, from, upto);
        (self.heard, self.meter) = (now, Meter::new(now, from));
        Ok(())
    }

    /// The receiver has more of it. What is wrong with that, if anything.
    pub(super) fn credited(&mut self, now: Timestamp, kept: u64, upto: u64) -> Result<(), &'static str> {
        if kept < self.kept || kept > self.sent || upto < self.upto {
            return Err("it gives credit for what it cannot have");
        }
        if kept > self.kept {
            self.moved = now;
        }
        (self.kept, self.upto, self.heard) = (kept, upto, now);
        self.meter.reached(now, kept);
        Ok(())
    }

    /// The receiver does not take it. How it ends, when it does.
    pub(super) fn refused(&mut self, now: Timestamp, declined: &Declined) -> Option<Closing> {
        // It comes from outside: cut again.
        let declined = Declined::new(declined.code, declined.why.as_str());
        self.heard = now;
        if declined.passes() {
            self.wait(after(now, ASK_AGAIN), &declined.why);
            return None;
        }
        if declined.code == Code::Broken && self.broken < MOST_BROKEN {
            self.broken += 1;
            self.kept = 0;
            self.wait(now, &declined.why);
            return None;
        }
        Some(Closing::Failed(format!("the receiver does not take it: {}", declined.why)))
    }

    /// What to read next, when there is credit and `room` for it: from where, and how much.
    pub(super) fn next_read(&self, room: u64) -> Option<(u64, u64)> {
        if !matches!(self.state, State::Moving(_)) || self.reading.is_some() {
            return None;
        }
        let left = self.offer.size - self.sent;
        let most = left.min(PIECE).min(room).min(self.upto.saturating_sub(self.sent));
        let bytes = if most == left { most } else { most / CHUNK * CHUNK };
        (bytes > 0).then_some((self.sent, bytes))
    }

    /// A read was asked for.
    pub(super) fn begin_read(&mut self, number: u64, bytes: u64) {
        self.reading = Some((number, bytes));
    }

    /// A read is done: its pieces, on this link. Nothing, when nobody waits for it any more.
    pub(super) fn pieces(&mut self, number: u64, bytes: &[u8]) -> Result<Option<(Link, Vec<Chunk>)>, String> {
        let (State::Moving(link), Some((waited, length))) = (self.state, self.reading) else {
            return Ok(None);
        };
        if waited != number {
            return Ok(None);
        }
        self.reading = None;
        if u64::try_from(bytes.len()) != Ok(length) {
            return Err("a part of the file could not be read".to_owned());
        }
        let size = usize::try_from(CHUNK).expect("48 KiB fit");
        let mut chunks = Vec::with_capacity(bytes.len().div_ceil(size));
        for data in bytes.chunks(size) {
            chunks.push(Chunk { id: self.offer.id, offset: self.sent, data: data.to_vec() });
            self.sent += u64::try_from(data.len()).expect("48 KiB fit");
        }
        Ok(Some((link, chunks)))
    }

    /// Whether a failed read is one that is waited for.
    pub(super) fn waits_for(&self, number: u64) -> bool {
        self.reading.is_some_and(|(waited, _)| waited == number)
    }

    /// When something is to be done about it, if nothing happens.
    pub(super) fn deadline(&self) -> Timestamp {
        match self.state {
            // Where there is no link, the link's coming wakes it.
            State::Waiting => self.next.min(self.given_up_at()),
            State::Offered(_) | State::Moving(_) => after(self.heard, STALLED),
        }
    }

    /// Whether it came no further for so long that it is given up.
    pub(super) fn is_hopeless(&self, now: Timestamp) -> bool {
        self.given_up_at() <= now
    }

    fn given_up_at(&self) -> Timestamp {
        after(self.moved.max(self.asked), GIVEN_UP_AFTER)
    }

    /// Whether the receiver said nothing for so long that it is asked anew.
    pub(super) fn is_stalled(&self, now: Timestamp) -> bool {
        self.state != State::Waiting && after(self.heard, STALLED) <= now
    }

    pub(super) fn view(&self, now: Timestamp) -> TransferView {
        let stage = match self.state {
            State::Waiting => Stage::Waiting,
            State::Offered(_) => Stage::Offered,
            State::Moving(_) if self.kept == self.offer.size => Stage::Checking,
            State::Moving(_) => Stage::Moving,
        };
        TransferView {
            id: self.offer.id,
            way: Way::Out,
            node: self.to,
            name: self.offer.name.clone(),
            digest: self.offer.digest,
            size: self.offer.size,
            done: self.kept,
            rate: if stage == Stage::Moving { self.meter.rate(now) } else { 0 },
            stage,
            why: if stage == Stage::Waiting { self.why.clone() } else { String::new() },
            since: self.asked,
        }
    }
}

/// Why this can never be sent.
pub(super) fn impossible(sending: &Sending, me: &NodeId) -> Option<String> {
    if sending.to == *me {
        return Some("it is for this node itself: copy it".to_owned());
    }
    (sending.offer.size > MAX_FILE)
        .then(|| format!("it has {} bytes, at most {MAX_FILE} are sent: split it", sending.offer.size))
}
