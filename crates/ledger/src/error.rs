//! What can go wrong with a ledger, in words that say what to do.

use std::{fmt, path::PathBuf};

use durable::DurableError;

use crate::{
    proof::ProofError,
    queue::{MAX_BATCH_BYTES, MAX_BATCH_ENTRIES},
    tile::MAX_ENTRY_BYTES,
};

/// A file of a ledger that is not what it should be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fault {
    /// Which file.
    pub path: PathBuf,
    /// What is wrong with it.
    pub what: String,
    /// How to recover.
    pub recover: &'static str,
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}; {}", self.path.display(), self.what, self.recover)
    }
}

/// Why the ledger could not do it.
#[derive(Debug, thiserror::Error)]
pub enum LedgerError {
    /// A file could not be read or written.
    #[error(transparent)]
    File(#[from] DurableError),
    /// The writer's thread could not be started.
    #[error("cannot start the writer of the ledger {}: {source}; free some memory or processes and try again", dir.display())]
    Thread {
        /// The ledger's folder.
        dir: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// Somebody else writes this ledger.
    #[error(
        "the ledger {} is already being written by {holder}: stop it first, or work on another home", dir.display()
    )]
    Locked {
        /// The ledger's folder.
        dir: PathBuf,
        /// Who holds the lock, such as `process 4711`.
        holder: String,
    },
    /// The name cannot name a log.
    #[error(
        "{origin:?} cannot name a ledger: use up to 255 bytes without spaces and plus signs, such as echo.local/genesis/1a2b3c4d"
    )]
    Origin {
        /// The name given.
        origin: String,
    },
    /// The folder holds the ledger of another key or name.
    #[error(
        "the ledger {} belongs to {found}, not to {expected}: open it with its own name and key, or restore the \
         right folder", dir.display()
    )]
    WrongKey {
        /// The ledger's folder.
        dir: PathBuf,
        /// The verifier key in the folder.
        found: String,
        /// The verifier key given.
        expected: String,
    },
    /// An entry is longer than a bundle can hold.
    #[error(
        "an entry of {bytes} bytes is too long for a ledger (at most {MAX_ENTRY_BYTES}): enter its digest instead"
    )]
    EntryTooLong {
        /// Its length.
        bytes: usize,
    },
    /// More was appended at once than fits a batch.
    #[error(
        "{entries} entries of {bytes} bytes are too much for one append (at most {MAX_BATCH_ENTRIES} and \
         {MAX_BATCH_BYTES}): append them in parts"
    )]
    BatchTooLarge {
        /// How many entries.
        entries: usize,
        /// Their bytes together.
        bytes: usize,
    },
    /// The queue stayed full for [`crate::ADMISSION_WAIT`].
    #[error("the ledger cannot keep up with what is appended: nothing was appended, try again in a moment")]
    Busy,
    /// The log was closed.
    #[error("the ledger {} is closed: nothing more can be appended until it is opened again", dir.display())]
    Closed {
        /// The ledger's folder.
        dir: PathBuf,
    },
    /// The batch was not appended, and nothing of it stays.
    #[error("nothing was appended to the ledger: {cause}; put that right and append again")]
    NotAppended {
        /// What failed, on which file.
        cause: String,
    },
    /// The batch is in the write-ahead log but could not be published, or it is not certain whether it is there.
    #[error(
        "the ledger could not be written: {cause}; the entries may be in it all the same: put the disk right, open \
         the ledger again (restart the platform) and look for them before you append them again"
    )]
    Unsettled {
        /// What failed, on which file.
        cause: String,
    },
    /// There is no such entry.
    #[error("the ledger has {size} entries, so there is no number {index} (they count from 0)")]
    NoSuchEntry {
        /// What was asked for.
        index: u64,
        /// Entries in the log.
        size: u64,
    },
    /// The log was never of these sizes.
    #[error("the ledger did not grow from {from} to {to} entries: give sizes in order, of at most {size}")]
    NoSuchSize {
        /// The older size.
        from: u64,
        /// The newer size.
        to: u64,
        /// Entries in the log.
        size: u64,
    },
    /// A file is not what it should be.
    #[error("the ledger is damaged: {0}")]
    Damaged(Fault),
    /// Files are not what they should be: all that [`crate::fsck`] found, at most 100.
    #[error("the ledger is damaged in {} files: {}", faults.len(), first(faults))]
    Unsound {
        /// Each of them.
        faults: Vec<Fault>,
    },
    /// The verifier key is no such.
    #[error(transparent)]
    Key(ProofError),
    /// A proof does not hold.
    #[error(transparent)]
    Unproven(ProofError),
}

/// The first few faults, for a message that stays readable.
fn first(faults: &[Fault]) -> String {
    let texts: Vec<String> = faults.iter().take(3).map(Fault::to_string).collect();
    texts.join("; also ")
}

/// What to do about a wrong tile: it says nothing that the entries do not.
pub(crate) const RESTORE_TILE: &str = "the entries are not touched by this: put back this one file from a backup or from any mirror of the ledger";
/// What to do about a wrong bundle: it is the only copy of its entries.
pub(crate) const RESTORE_BUNDLE: &str =
    "stop the platform and put back this one file from a backup or from any mirror of the ledger";
/// What to do when the head and the rest do not belong together.
pub(crate) const RESTORE_FOLDER: &str =
    "stop the platform, move the folder aside and restore the latest backup of it as a whole";

impl LedgerError {
    pub(crate) fn damaged(path: PathBuf, what: impl Into<String>, recover: &'static str) -> Self {
        Self::Damaged(Fault { path, what: what.into(), recover })
    }
}
