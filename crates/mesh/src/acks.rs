//! A node's word that it has a deprecation notice, so that the operator sees who has not. A node acknowledges everything
//! it knows anew after each start: it need not remember, and the platform takes one twice without harm.

use std::collections::BTreeMap;

use echo_core::{Digest, Timestamp};
use serde::{Deserialize, Serialize};
use trust::{Envelope, KeyPair};

use crate::{
    NodeId,
    document::{DocumentError, Kind},
    news::MAX_KNOWN_NOTICES,
    wire::{Body, MAX_NEWS},
};

/// The payload type of a signed [`NoticeAck`].
pub const ACK_TYPE: &str = "application/vnd.echo.notice-ack.v1+json";
/// After how many seconds without a word acknowledgements are sent again.
pub const RESEND_SECONDS: i64 = 30;
const KIND: Kind = Kind { what: "acknowledgement of a notice", payload_type: ACK_TYPE, most: 1024 };

/// "I know of it."
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct NoticeAck {
    /// Which notice: the digest of its payload.
    pub notice: Digest,
    /// Who knows of it.
    pub node: NodeId,
    /// When it was learned, by the node's clock.
    pub at: Timestamp,
}

impl NoticeAck {
    /// Signs it as the node that it names.
    pub fn sign(&self, key: &KeyPair) -> Result<Envelope, DocumentError> {
        KIND.sign(self, key)
    }

    /// The acknowledgement in `envelope`, once the node that it names has signed it.
    pub fn verify(envelope: &Envelope) -> Result<Self, DocumentError> {
        let claimed: Self = KIND.claimed(envelope)?;
        KIND.signed(envelope, &claimed.node.key())?;
        Ok(claimed)
    }
}

/// The acknowledgements that the platform does not have yet, as the sender's state.
#[derive(Debug, Default)]
pub struct Acks {
    waiting: BTreeMap<Digest, Envelope>,
    sent: Option<(NodeId, Timestamp)>,
}

impl Acks {
    /// A notice was learned; it is acknowledged as soon as somebody keeps acknowledgements.
    pub fn learned(&mut self, notice: Digest, key: &KeyPair, now: Timestamp) {
        if self.waiting.len() >= MAX_KNOWN_NOTICES || self.waiting.contains_key(&notice) {
            return;
        }
        let ack = NoticeAck { notice, node: NodeId::of(&key.public()), at: now };
        if let Ok(envelope) = ack.sign(key) {
            self.waiting.insert(notice, envelope);
            self.sent = None;
        }
    }

    /// What to send to `receiver` now, if it is time.
    pub fn due(&mut self, receiver: NodeId, now: Timestamp) -> Option<Body> {
        if self.waiting.is_empty() || self.deadline().is_some_and(|at| now < at) {
            return None;
        }
        self.sent = Some((receiver, now));
        Some(Body::Acks { acks: self.waiting.values().take(MAX_NEWS).cloned().collect() })
    }

    /// When to send again what was sent; nothing while nothing is under way.
    pub fn deadline(&self) -> Option<Timestamp> {
        let (_, sent) = self.sent.filter(|_| !self.waiting.is_empty())?;
        Some(after(sent, RESEND_SECONDS))
    }

    /// A new way to a receiver is there: what was sent may have been lost.
    pub fn again(&mut self) {
        self.sent = None;
    }

    /// The node that acknowledgements were last sent to: whose word counts.
    pub fn receiver(&self) -> Option<NodeId> {
        self.sent.map(|(receiver, _)| receiver)
    }

    /// The receiver has these.
    pub fn kept(&mut self, notices: &[Digest]) {
        for notice in notices {
            self.waiting.remove(notice);
        }
        self.sent = None;
    }

    /// How many the platform does not have yet.
    pub fn waiting(&self) -> usize {
        self.waiting.len()
    }
}

/// `seconds` after `from`, or `from` at the end of time.
pub(crate) fn after(from: Timestamp, seconds: i64) -> Timestamp {
    Timestamp::from_second(from.as_second().saturating_add(seconds)).unwrap_or(from)
}

#[cfg(test)]
mod tests;
