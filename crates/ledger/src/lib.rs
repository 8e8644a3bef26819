//! Ground: the append-only ledger, a Merkle log on disk that nobody can rewrite unnoticed.
//!
//! A C2SP `tlog-tiles` log with RFC 6962 hashing: entries go in, a signed checkpoint covers them, and anybody can
//! check an entry, or that an older checkpoint is a prefix of a newer one, with tools that Echo did not write.
//! [`Log`] writes and reads one; [`verify_tlog_proof`], [`verify_checkpoint`] and [`fsck`] need no `Log`.
//!
//! What may not come in: SQL, HTTP, the wall clock, any knowledge of cases, bills or devices. Entries are bytes
//! here; [`Entry`] is the one small shape that Echo puts into them.
//!
//! Order of every batch: one flush of a write-ahead log, then tiles, bundles and checkpoint, whose own flush comes
//! later, for many batches at once (see `writer.rs`).

mod appended;
#[cfg(test)]
mod crash_tests;
mod disk;
mod edge;
mod entry;
mod error;
mod folder;
mod frame;
mod fsck;
mod growth;
mod hash;
mod head;
mod history;
mod lock;
mod log;
pub mod note;
mod parsers;
#[cfg(test)]
mod power;
#[cfg(test)]
mod power_tests;
mod proof;
mod prune;
mod queue;
mod reader;
mod recovery;
mod replay;
mod segment;
mod stage;
mod state;
mod tile;
mod tree;
mod wal;
#[cfg(test)]
mod wal_tests;
mod writer;

pub use appended::{Appended, InclusionProof};
pub use entry::{Entry, EntryError, MAX_ECHO_ENTRY_BYTES};
pub use error::{Fault, LedgerError};
pub use folder::{Consistency, consistency, prove, prove_under, verify_entry};
pub use fsck::{FsckReport, fsck};
pub use hash::leaf_hash;
pub use history::History;
pub use log::Log;
pub use note::{Checkpoint, MAX_NOTE_BYTES, verify_checkpoint, vkey_of};
pub use parsers::check_parsers;
pub use proof::{MAX_PROOF_BYTES, ProofError, Verified, verify_tlog_proof};
pub use queue::{ADMISSION_WAIT, MAX_BATCH_BYTES, MAX_BATCH_ENTRIES, QUEUE_BYTES};
pub use reader::{MAX_READ_BYTES, MAX_READ_ENTRIES};
pub use tile::MAX_ENTRY_BYTES;
pub use tree::verify_consistency;
