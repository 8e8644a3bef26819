//! How transfers stand, for people.

use echo_core::{Digest, Timestamp};
use serde::{Deserialize, Serialize};

use super::{FileName, TransferId};
use crate::NodeId;

/// Which way a file goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Way {
    /// From here.
    Out,
    /// To here.
    In,
}

/// How far a transfer is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Stage {
    /// Nothing goes now: [`TransferView::why`] says what it waits for.
    Waiting,
    /// The receiver is asked where to begin.
    Offered,
    /// Bytes go.
    Moving,
    /// All bytes are there; the receiver compares and keeps.
    Checking,
    /// The receiver has it, and signed so.
    Delivered,
    /// It was not delivered: [`TransferView::why`].
    Failed,
    /// Somebody wanted it no more.
    Cancelled,
}

impl Stage {
    /// Whether nothing comes after it.
    pub fn is_end(self) -> bool {
        matches!(self, Self::Delivered | Self::Failed | Self::Cancelled)
    }
}

/// A transfer.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TransferView {
    /// Which.
    pub id: TransferId,
    /// Which way.
    pub way: Way,
    /// The other node.
    pub node: NodeId,
    /// What the file is called.
    pub name: FileName,
    /// Its SHA-256.
    pub digest: Digest,
    /// Its bytes.
    pub size: u64,
    /// How many of them are durable at the receiver.
    pub done: u64,
    /// Bytes a second, lately.
    pub rate: u64,
    /// How far it is.
    pub stage: Stage,
    /// Why it waits or failed; else nothing.
    pub why: String,
    /// When it was asked for, or offered.
    pub since: Timestamp,
}
