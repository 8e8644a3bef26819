//! "I have your file": what proves that it was delivered.

use echo_core::{Digest, Timestamp};
use serde::{Deserialize, Serialize};
use trust::{Envelope, KeyPair};

use super::{FileName, TransferId};
use crate::{
    NodeId,
    document::{DocumentError, Kind},
};

/// The payload type of a signed [`FileReceipt`].
pub const FILE_RECEIPT_TYPE: &str = "application/vnd.echo.mesh-file-receipt.v1+json";
const KIND: Kind = Kind { what: "receipt for a file", payload_type: FILE_RECEIPT_TYPE, most: 4 * 1024 };

/// The receiver's word that it has a whole file, durable and with this digest.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FileReceipt {
    /// The transfer.
    pub id: TransferId,
    /// What the sender called it.
    pub name: FileName,
    /// Its SHA-256.
    pub digest: Digest,
    /// Its bytes.
    pub size: u64,
    /// Who sent it.
    pub from: NodeId,
    /// Who has it, and signs.
    pub to: NodeId,
    /// When it was whole, by the receiver's clock.
    pub at: Timestamp,
}

impl FileReceipt {
    /// Signs it as the receiver.
    pub fn sign(&self, key: &KeyPair) -> Result<Envelope, DocumentError> {
        KIND.sign(self, key)
    }

    /// What it says, once `to` has signed that it is from `from`.
    pub fn verify(envelope: &Envelope, from: &NodeId, to: &NodeId) -> Result<Self, DocumentError> {
        let receipt: Self = KIND.open(envelope, &to.key())?;
        if receipt.from != *from || receipt.to != *to {
            return Err(KIND.contradiction("it is between other nodes"));
        }
        Ok(receipt)
    }

    /// What it says, whoever signed it: for a receiver's own records.
    pub fn claimed(envelope: &Envelope) -> Result<Self, DocumentError> {
        KIND.claimed(envelope)
    }
}
