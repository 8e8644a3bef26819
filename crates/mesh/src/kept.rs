//! "I have it for good": the word after which whoever sent something may forget it. Signed, for a node on the way that
//! could say it in another's name would make pulses and receipts be lost.

use echo_core::{Digest, Timestamp};
use serde::{Deserialize, Serialize};
use trust::{Envelope, KeyPair};

use crate::{
    NodeId,
    document::{DocumentError, Kind},
    wire::{Body, MAX_NEWS},
};

/// The payload type of a signed [`Kept`].
pub const KEPT_TYPE: &str = "application/vnd.echo.mesh-kept.v1+json";
const KIND: Kind = Kind { what: "word that something is kept", payload_type: KEPT_TYPE, most: 4 * 1024 };

/// What is kept.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum What {
    /// Pulses, up to this number, in an unbroken row.
    Pulses(u64),
    /// These calls are settled, or refused for good; at most [`MAX_NEWS`].
    Calls(Vec<Digest>),
    /// The acknowledgements of these notices; at most [`MAX_NEWS`].
    Notices(Vec<Digest>),
}

/// "I have it for good."
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Kept {
    /// Who has it.
    pub from: NodeId,
    /// Whose it was.
    pub to: NodeId,
    /// What.
    pub what: What,
    /// When it was said, by the clock of who has it.
    pub at: Timestamp,
}

impl Kept {
    /// Signs it as the node that has it.
    pub fn sign(&self, key: &KeyPair) -> Result<Envelope, DocumentError> {
        self.check()?;
        KIND.sign(self, key)
    }

    /// The message that says it, signed by the node that has it.
    pub fn body(&self, key: &KeyPair) -> Result<Body, DocumentError> {
        self.sign(key).map(|kept| Body::Kept { kept })
    }

    /// What `from` has of `me`, once it has signed so.
    pub fn verify(envelope: &Envelope, from: &NodeId, me: &NodeId) -> Result<Self, DocumentError> {
        let kept: Self = KIND.open(envelope, &from.key())?;
        kept.check()?;
        if kept.from != *from || kept.to != *me {
            return Err(KIND.contradiction("it is between other nodes"));
        }
        Ok(kept)
    }

    fn check(&self) -> Result<(), DocumentError> {
        match &self.what {
            What::Calls(names) | What::Notices(names) if names.len() > MAX_NEWS => {
                Err(KIND.malformed(format!("{} names, at most {MAX_NEWS} are allowed", names.len())))
            }
            _ => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests;
