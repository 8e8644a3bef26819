//! Who says to be there, what they can do, and beside whom they stand: records that each node signs for itself and its
//! neighbours pass on.
//!
//! A record is a claim about its signer alone. Whether a node can be reached is not read here: that takes membership
//! and a route.

mod memo;
mod table;

use std::time::Duration;

use echo_core::{Money, Timestamp};
use serde::{Deserialize, Serialize};
use trust::{Envelope, KeyPair};

pub(crate) use self::memo::name;
pub use self::memo::{Memo, Sealed};
pub(crate) use self::table::{Heard, Present, Table};
use crate::{NodeId, RealmTag};

/// The payload type of a presence record's envelope.
pub const PRESENCE_TYPE: &str = "application/vnd.echo.presence.v1+json";
/// The most neighbours that a record names.
pub const MAX_NEIGHBOURS: usize = 32;
/// The most offerings that a record names.
pub const MAX_OFFERINGS: usize = 64;
/// The most bytes of a record: its envelope's payload, in base64.
pub const MAX_RECORD: usize = 32 * 1024;
/// The longest that a record counts, whatever it says.
pub const MAX_LIFETIME: Duration = Duration::from_hours(6);
/// The most records of one realm.
pub const MAX_RECORDS_KEPT: usize = 16 * 1024;
/// The most bytes of a skill's or a SKU's name.
const MAX_WORD: usize = 100;

/// Something that a node does for others.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Offering {
    /// The capability: a skill such as `diagnostics.probe`, or a service of the mesh such as `settle`. What the node's
    /// manifest does not name is not believed.
    pub skill: String,
    /// What it is billed as; none when it costs nothing.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sku: Option<String>,
    /// What one call costs, for show: the grant decides.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub price: Option<Money>,
}

/// What a node says of itself to one realm.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PresenceRecord {
    /// Who; its key signs the record.
    pub node: NodeId,
    /// For which realm: a node of the operator says each realm no more than concerns it.
    pub realm: RealmTag,
    /// The later record has the higher number.
    pub seq: u64,
    /// The node's life in the membership protocol.
    pub life: u64,
    /// When it was made, by the node's own clock.
    pub at: Timestamp,
    /// Until when it counts, by the same clock: the receiver takes the span and begins it when it first hears the
    /// record.
    pub until: Timestamp,
    /// What it does for others; at most [`MAX_OFFERINGS`].
    pub capabilities: Vec<Offering>,
    /// The nodes of this realm that it has links to: at most [`MAX_NEIGHBOURS`]. A full list may not be all.
    pub neighbours: Vec<NodeId>,
    /// Its manifest, certified by the device issuer.
    pub certificate: Envelope,
}

/// Why a presence record is not believed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PresenceError {
    /// Not a record, or out of bounds.
    #[error("not a presence record: {0}")]
    Malformed(String),
    /// Not signed by the node that it speaks of.
    #[error("the presence record of {node:?} is not signed by it: {why}")]
    Unsigned {
        /// Whom it speaks of.
        node: NodeId,
        /// What is wrong.
        why: String,
    },
}

impl PresenceRecord {
    /// The record, signed.
    pub fn sign(&self, key: &KeyPair) -> Result<Envelope, PresenceError> {
        self.check()?;
        Envelope::sign(PRESENCE_TYPE, self, &[key]).map_err(|e| PresenceError::Malformed(e.to_string()))
    }

    /// The record in `envelope`, once the node that it speaks of has signed it. Whether that node may be here is for
    /// its certificate to say.
    pub fn verify(envelope: &Envelope) -> Result<Self, PresenceError> {
        let malformed = |why: String| PresenceError::Malformed(why);
        if envelope.payload.len() > MAX_RECORD {
            return Err(malformed(format!("larger than {MAX_RECORD} bytes")));
        }
        let payload = envelope.payload_unchecked().map_err(|e| malformed(e.to_string()))?;
        let record: Self = serde_json::from_slice(&payload).map_err(|e| malformed(e.to_string()))?;
        record.check()?;
        envelope
            .verify_bytes(PRESENCE_TYPE, &[record.node.key()], 1)
            .map_err(|e| PresenceError::Unsigned { node: record.node, why: e.to_string() })?;
        Ok(record)
    }

    /// How long it counts from the moment it is first heard.
    pub fn lifetime(&self) -> Duration {
        let span = self.until.duration_since(self.at);
        Duration::try_from(span).unwrap_or(Duration::ZERO).min(MAX_LIFETIME)
    }

    fn check(&self) -> Result<(), PresenceError> {
        let fail = |why: String| Err(PresenceError::Malformed(why));
        if self.until <= self.at {
            return fail("it ends before it begins".to_owned());
        }
        if self.neighbours.len() > MAX_NEIGHBOURS {
            return fail(format!(
                "{} neighbours, at most {MAX_NEIGHBOURS} are allowed",
                self.neighbours.len()
            ));
        }
        if self.capabilities.len() > MAX_OFFERINGS {
            return fail(format!(
                "{} offerings, at most {MAX_OFFERINGS} are allowed",
                self.capabilities.len()
            ));
        }
        let long = |word: &String| word.len() > MAX_WORD;
        if self.capabilities.iter().any(|o| long(&o.skill) || o.sku.as_ref().is_some_and(long)) {
            return fail(format!("a skill or a SKU of more than {MAX_WORD} bytes"));
        }
        Ok(())
    }
}

/// How often a node renews its record among `members` when nothing in it changes: every five minutes for few, a minute a
/// member for many, so that there is one new record a minute however many there are, up to two hours. A record counts
/// for three times as long; whether its node lives is asked of membership, not read from it.
pub fn renewal(members: usize) -> Duration {
    let members = u64::try_from(members).unwrap_or(u64::MAX);
    Duration::from_secs(members.saturating_mul(60).max(300)).min(MAX_LIFETIME / 3)
}

#[cfg(test)]
mod tests;
