//! Ground: the append-only ledger, a Merkle log on disk that nobody can rewrite unnoticed.
//!
//! A C2SP `tlog-tiles` log with RFC 6962 hashing: entries go in, a signed checkpoint covers them, and anybody can
//! check an entry, or that an older checkpoint is a prefix of a newer one, with tools that Echo did not write.
//! [`Log`] writes and reads one; [`verify_tlog_proof`], [`verify_checkpoint`] and [`fsck`] need no `Log`.
//!
//! What may not come in: SQL, HTTP, the wall clock, any knowledge of cases, bills or devices. Entries are bytes
//! here; [`Entry`] is the one small shape that Echo puts into them.
//!
//! Order of every batch: stage, tiles and bundles, checkpoint, drop the stage (see `writer.rs`).

#[cfg(test)]
mod crash_tests;
mod disk;
mod edge;
mod entry;
mod error;
mod fsck;
mod hash;
mod log;
mod note;
mod proof;
mod queue;
mod reader;
mod stage;
mod tile;
mod tree;
mod writer;

pub use entry::{Entry, EntryError, MAX_ECHO_ENTRY_BYTES};
pub use error::{Fault, LedgerError};
pub use fsck::{FsckReport, fsck};
pub use hash::leaf_hash;
pub use log::Log;
pub use note::{Checkpoint, MAX_NOTE_BYTES, verify_checkpoint, vkey_of};
pub use proof::{MAX_PROOF_BYTES, ProofError, Verified, verify_tlog_proof};
pub use queue::{ADMISSION_WAIT, MAX_BATCH_BYTES, MAX_BATCH_ENTRIES, QUEUE_BYTES};
pub use reader::{MAX_READ_BYTES, MAX_READ_ENTRIES};
pub use tile::MAX_ENTRY_BYTES;
pub use tree::verify_consistency;
