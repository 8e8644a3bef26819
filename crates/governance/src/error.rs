//! Why a rotation, a ceremony or a notice does not go on.

use std::path::PathBuf;

use durable::DurableError;
use trust::{KeyRole, KeystoreError, TrustError};

/// Why something about the house's keys is refused.
#[derive(Debug, thiserror::Error)]
pub enum GovernanceError {
    /// The key of a log or a witness is its identity.
    #[error(
        "the {0} key is not rotated: it is the identity of its log or witness, and under another key every \
         checkpoint, proof and cosignature from before would belong to somebody else. When it is stolen, stop the \
         platform, keep the ledger folder as evidence, and found a new home; see docs/rotation.md"
    )]
    Identity(KeyRole),
    /// What is wanted makes no sense.
    #[error("this rotation is not possible: {0}")]
    Plan(String),
    /// A ceremony file is not what it should be.
    #[error("the ceremony file is refused: {0}")]
    Ceremony(String),
    /// A notice is not what it should be.
    #[error("the deprecation notice is refused: {0}")]
    Notice(String),
    /// A file of the home's `governance` folder cannot be used.
    #[error("{} is damaged: {why}; restore it from your backup", path.display())]
    Damaged {
        /// Which file.
        path: PathBuf,
        /// What is wrong.
        why: String,
    },
    /// The trust chain does not allow it.
    #[error(transparent)]
    Trust(#[from] TrustError),
    /// The keystore does not allow it.
    #[error(transparent)]
    Keystore(#[from] KeystoreError),
    /// A file could not be read or written.
    #[error(transparent)]
    File(#[from] DurableError),
}
