//! What the two ends of a transfer say to one another, as JSON text on the bulk stream.

use echo_core::Digest;
use serde::{Deserialize, Serialize};
use trust::Envelope;

use super::TransferId;

/// The most characters of a reason.
const MAX_WHY: usize = 200;

/// A message about a transfer.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case", deny_unknown_fields)]
pub enum Say {
    /// The sender has a file. Said again, it asks where to go on.
    Offer {
        /// The transfer.
        id: TransferId,
        /// What to call it; the receiver decides whether it can be called so.
        name: String,
        /// Its bytes.
        size: u64,
        /// Its SHA-256.
        digest: Digest,
    },
    /// The receiver takes it.
    Accept {
        /// The transfer.
        id: TransferId,
        /// What it has already, in bytes: a multiple of [`super::CHUNK`], or the size.
        from: u64,
        /// Up to which byte the sender may send.
        upto: u64,
    },
    /// The receiver has more of it for good.
    Credit {
        /// The transfer.
        id: TransferId,
        /// How many bytes are durable.
        kept: u64,
        /// Up to which byte the sender may send.
        upto: u64,
    },
    /// The receiver does not take it, or no more of it now.
    Refuse {
        /// The transfer.
        id: TransferId,
        /// Why.
        declined: Declined,
    },
    /// The sender does not want to send it any more: forget what came of it.
    Cancel {
        /// The transfer.
        id: TransferId,
    },
    /// The receiver has the whole, for good: a [`super::FileReceipt`].
    Kept {
        /// The transfer.
        id: TransferId,
        /// Signed by the receiver.
        receipt: Box<Envelope>,
    },
}

/// Why a file is not taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Code {
    /// The receiver takes no files.
    Off,
    /// It is larger than the receiver ever takes.
    TooLarge,
    /// It cannot be called so.
    Name,
    /// The transfer's name stands for another file there.
    Confused,
    /// Somebody at the receiver wants it no more.
    Cancelled,
    /// There is no room now; asked again after a while.
    NoRoom,
    /// Too many transfers are under way there; asked again after a while.
    Busy,
    /// What arrived has another digest than was offered.
    Broken,
}

/// A refusal.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, thiserror::Error)]
#[serde(deny_unknown_fields)]
#[error("{why}")]
pub struct Declined {
    /// Why, in one word.
    pub code: Code,
    /// Why, for people.
    pub why: String,
}

impl Declined {
    /// With this reason, cut to a bound.
    pub fn new(code: Code, why: impl Into<String>) -> Self {
        Self { code, why: why.into().chars().filter(|c| !c.is_control()).take(MAX_WHY).collect() }
    }

    /// Whether the same may be taken later.
    pub fn passes(&self) -> bool {
        matches!(self.code, Code::NoRoom | Code::Busy)
    }
}

impl Say {
    /// Of which transfer it speaks.
    pub fn id(&self) -> TransferId {
        match self {
            Self::Offer { id, .. }
            | Self::Accept { id, .. }
            | Self::Credit { id, .. }
            | Self::Refuse { id, .. }
            | Self::Cancel { id }
            | Self::Kept { id, .. } => *id,
        }
    }
}
