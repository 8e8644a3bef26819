//! How a node's pulses come to a platform: none lost, none twice.
//!
//! The node keeps its pulses on disk and sends the oldest in a batch that it signs, one batch at a time, again and again
//! until the platform says with its signature that its own disk holds them. The platform knows a pulse by its number.

use std::{collections::BTreeMap, time::Duration};

use device_link::{MAX_PULSES_PER_BATCH, PulseBatch};
use echo_core::Timestamp;
use observability::Pulse;
use trust::{Envelope, KeyPair};

use crate::{
    NodeId,
    acks::after,
    document::{DocumentError, Kind},
    wire::Body,
};

/// The payload type of a signed [`PulseBatch`].
pub const PULSES_TYPE: &str = "application/vnd.echo.pulses.v1+json";
/// The most bytes of a batch's JSON, so that one message carries it.
pub const MAX_BATCH_BYTES: usize = 128 * 1024;
/// After how many seconds without a word a batch is sent again.
pub const RESEND_SECONDS: i64 = 5;
/// The most nodes whose last number a receiver remembers; for others it asks its disk again.
pub const MAX_SENDERS: usize = 65_536;
/// How often a node takes a pulse in a small mesh.
pub const SHORTEST_INTERVAL: Duration = Duration::from_secs(10);
/// How often it does at least, however large the mesh is.
pub const LONGEST_INTERVAL: Duration = Duration::from_mins(15);
/// How many pulses a second all nodes of a mesh take together, at most, until [`LONGEST_INTERVAL`] is reached.
pub const PULSES_A_SECOND: u32 = 20;

const KIND: Kind = Kind { what: "batch of pulses", payload_type: PULSES_TYPE, most: MAX_BATCH_BYTES };

/// How long a node waits between two pulses in a mesh of so many members: as long as keeps the whole mesh at
/// [`PULSES_A_SECOND`], but from [`SHORTEST_INTERVAL`] (up to 200 members) to [`LONGEST_INTERVAL`] (from 18 000 on).
pub fn interval(members: usize) -> Duration {
    let members = u32::try_from(members).unwrap_or(u32::MAX);
    Duration::from_secs(u64::from(members / PULSES_A_SECOND)).clamp(SHORTEST_INTERVAL, LONGEST_INTERVAL)
}

/// A batch of the first of `pulses` (oldest first), as many as it holds, signed by the device, with the highest number in
/// it. Nothing when there is none.
pub fn sign_batch(pulses: &[Pulse], device: &KeyPair) -> Result<Option<(Envelope, u64)>, DocumentError> {
    let mut most = pulses.len().min(MAX_PULSES_PER_BATCH);
    while most > 0 {
        let batch = PulseBatch { pulses: pulses[..most].to_vec() };
        match KIND.sign(&batch, device) {
            Ok(envelope) => return Ok(batch.pulses.last().map(|last| (envelope, last.seq))),
            Err(DocumentError::Oversize { .. }) if most > 1 => most /= 2,
            Err(why) => return Err(why),
        }
    }
    Ok(None)
}

/// The pulses in `batch`, once the node `from` has signed them and each is within its bounds: of one device, in the order of
/// their numbers. That the device is the one of the node's manifest is the reader's to see.
pub fn check_batch(batch: &Envelope, from: &NodeId) -> Result<PulseBatch, DocumentError> {
    let read: PulseBatch = KIND.open(batch, &from.key())?;
    if read.pulses.is_empty() || read.pulses.len() > MAX_PULSES_PER_BATCH {
        return Err(KIND.malformed(format!("1 to {MAX_PULSES_PER_BATCH} pulses")));
    }
    for pulse in &read.pulses {
        pulse.validate().map_err(|e| KIND.malformed(e))?;
    }
    let in_order = |pair: &[Pulse]| pair[0].seq < pair[1].seq && pair[0].device == pair[1].device;
    if !read.pulses.windows(2).all(in_order) {
        return Err(KIND.malformed("its pulses are not of one device in the order of their numbers"));
    }
    Ok(read)
}

/// The sender's side.
#[derive(Debug, Default)]
pub struct Sender {
    batch: Option<(Envelope, u64)>,
    sent: Option<(NodeId, Timestamp)>,
    kept: u64,
}

impl Sender {
    /// The shell's oldest pulses that nobody has acknowledged. They take the place of what was offered before; what is under
    /// way is given its time first.
    pub fn offer(&mut self, batch: Envelope, up_to: u64) {
        self.batch = Some((batch, up_to));
    }

    /// What to send to `receiver` now, if it is time.
    pub fn due(&mut self, receiver: NodeId, now: Timestamp) -> Option<Body> {
        let (batch, _) = self.batch.as_ref()?;
        if self.deadline().is_some_and(|at| now < at) {
            return None;
        }
        self.sent = Some((receiver, now));
        Some(Body::Pulses { batch: batch.clone() })
    }

    /// When to send again; nothing while nothing is under way.
    pub fn deadline(&self) -> Option<Timestamp> {
        let (_, sent) = self.sent.filter(|_| self.batch.is_some())?;
        Some(after(sent, RESEND_SECONDS))
    }

    /// A new way to a receiver is there: what was sent may have been lost.
    pub fn again(&mut self) {
        self.sent = None;
    }

    /// The node that pulses were last sent to: whose word counts.
    pub fn receiver(&self) -> Option<NodeId> {
        self.sent.map(|(receiver, _)| receiver)
    }

    /// The receiver's disk holds this node's pulses up to here. The number, for the shell, when it moved on. It may be beyond
    /// what was sent: then this node lost its own count, and goes on after that number.
    pub fn kept(&mut self, up_to: u64) -> Option<u64> {
        if self.batch.as_ref().is_some_and(|(_, last)| *last <= up_to) {
            self.batch = None;
            self.sent = None;
        }
        if up_to <= self.kept {
            return None;
        }
        self.kept = up_to;
        Some(up_to)
    }

    /// The highest number that waits for an acknowledgement.
    pub fn waiting(&self) -> Option<u64> {
        self.batch.as_ref().map(|(_, up_to)| *up_to)
    }
}

/// What becomes of a batch that came in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Arrived {
    /// Give it to the shell, which answers when it is durable.
    New,
    /// All of it was kept before, up to this number: say so at once.
    Known(u64),
}

/// The receiver's side.
#[derive(Debug, Default)]
pub struct Receiver {
    kept: BTreeMap<NodeId, u64>,
}

impl Receiver {
    /// Whether a batch is new.
    pub fn received(&self, batch: &Envelope, from: &NodeId) -> Result<Arrived, DocumentError> {
        let last = check_batch(batch, from)?.pulses.last().map_or(0, |pulse| pulse.seq);
        Ok(match self.kept.get(from) {
            Some(kept) if last <= *kept => Arrived::Known(*kept),
            _ => Arrived::New,
        })
    }

    /// The pulses of a node are durable here up to this number.
    pub fn kept(&mut self, from: NodeId, up_to: u64) {
        if self.kept.len() >= MAX_SENDERS && !self.kept.contains_key(&from) {
            self.kept.pop_first();
        }
        let known = self.kept.entry(from).or_default();
        *known = up_to.max(*known);
    }
}

#[cfg(test)]
mod tests;
