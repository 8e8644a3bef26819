//! One file on its way in.

use echo_core::Timestamp;
use trust::Envelope;

use super::{CHUNK, Chunk, FileName, Offer, PartKey, Stage, TransferView, WINDOW, Way, meter::Meter};
use crate::{FileReceipt, Link, NodeId};

/// What the shell is doing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Doing {
    Open,
    Write(u64),
    Deliver,
    Drop,
}

/// A file on its way in. The shell does one thing for it at a time.
#[derive(Debug)]
pub(super) struct Incoming {
    pub(super) offer: Offer,
    /// The link it comes on; none once that is down.
    pub(super) link: Option<Link>,
    /// The shell's work: its number, and what it is.
    pub(super) job: Option<(u64, Doing)>,
    /// It was offered anew while the shell was at work.
    pub(super) again: bool,
    /// It is to be forgotten once the shell is done.
    pub(super) unwanted: bool,
    /// Whether pieces are taken.
    pub(super) open: bool,
    /// What is said once it is delivered.
    pub(super) receipt: Option<Box<Envelope>>,
    arrived: u64,
    kept: u64,
    upto: u64,
    buffer: Vec<u8>,
    since: Timestamp,
    meter: Meter,
}

impl Incoming {
    pub(super) fn new(now: Timestamp, link: Link, offer: Offer) -> Self {
        Self {
            offer,
            link: Some(link),
            job: None,
            again: false,
            unwanted: false,
            open: false,
            receipt: None,
            arrived: 0,
            kept: 0,
            upto: 0,
            buffer: Vec::new(),
            since: now,
            meter: Meter::new(now, 0),
        }
    }

    /// No more pieces are taken; what was not written is forgotten.
    pub(super) fn stop(&mut self) {
        self.open = false;
        self.buffer = Vec::new();
    }

    /// So much is there: pieces are taken from there on, up to the credit that is returned.
    pub(super) fn opened(&mut self, now: Timestamp, at: u64) -> u64 {
        (self.arrived, self.kept) = (at, at);
        self.open = true;
        self.meter = Meter::new(now, at);
        self.credit()
    }

    fn credit(&mut self) -> u64 {
        self.upto = (self.kept + WINDOW).min(self.offer.size);
        self.upto
    }

    /// A piece. What is wrong with it, if anything.
    pub(super) fn take(&mut self, chunk: &Chunk) -> Result<(), &'static str> {
        let length = u64::try_from(chunk.data.len()).unwrap_or(u64::MAX);
        if chunk.offset != self.arrived {
            return Err("a piece of a file came out of order");
        }
        if length != CHUNK.min(self.offer.size.saturating_sub(chunk.offset)) {
            return Err("a piece of a file has a length that it cannot have");
        }
        if chunk.offset + length > self.upto {
            return Err("a piece of a file came without credit");
        }
        self.buffer.extend(&chunk.data);
        self.arrived += length;
        Ok(())
    }

    /// What is to be written: where, and what.
    pub(super) fn take_unwritten(&mut self) -> Option<(u64, Vec<u8>)> {
        (!self.buffer.is_empty()).then(|| (self.kept, std::mem::take(&mut self.buffer)))
    }

    /// More is durable. How much in all, and the new credit.
    pub(super) fn wrote(&mut self, now: Timestamp, bytes: u64) -> (u64, u64) {
        self.kept += bytes;
        self.meter.reached(now, self.kept);
        (self.kept, self.credit())
    }

    /// Whether all of it is durable.
    pub(super) fn is_whole(&self) -> bool {
        self.open && self.kept == self.offer.size
    }

    /// What is signed once it is delivered.
    pub(super) fn receipt_for(&self, from: NodeId, me: NodeId, now: Timestamp) -> FileReceipt {
        let Offer { id, name, size, digest } = self.offer.clone();
        FileReceipt { id, name, digest, size, from, to: me, at: now }
    }

    pub(super) fn view(&self, now: Timestamp, key: &PartKey) -> TransferView {
        let stage = match self.job {
            Some((_, Doing::Deliver)) => Stage::Checking,
            Some((_, Doing::Open)) => Stage::Offered,
            _ if self.open => Stage::Moving,
            _ => Stage::Waiting,
        };
        TransferView {
            id: key.id,
            way: Way::In,
            node: key.from,
            name: self.offer.name.clone(),
            digest: self.offer.digest,
            size: self.offer.size,
            done: self.kept,
            rate: if stage == Stage::Moving { self.meter.rate(now) } else { 0 },
            stage,
            why: if self.link.is_none() { "the link is down".to_owned() } else { String::new() },
            since: self.since,
        }
    }
}

/// The name of an offer, when a file can be called so.
pub(super) fn name(given: &str) -> Result<FileName, String> {
    given.parse().map_err(|e: super::NameError| e.to_string())
}
