//! Domain: the papers of a case, and how anyone checks them.
//!
//! [`Kind`] is the table of documents that Echo enters into its ledgers: who must sign each and which ledger holds
//! it. A [`Dossier`] is one file with all documents of one case, each with its ledger entry and inclusion proof;
//! [`verify`] checks it with nothing but the fingerprint of the platform's trust root.
//!
//! [`Index`] lists what was attested here and, once checked by [`merge`], what other Echos attested.
//!
//! Data flow: bytes -> [`verify`] -> [`Verified`], or the first thing that does not hold. Nothing here trusts the
//! platform that made the file: every key comes from the pinned trust chain.
//!
//! What may not come in: I/O, the clock, SQL, HTTP, how a case is handled.

mod commitment;
mod document;
mod file;
pub mod index;
pub mod merge;
mod money;
mod posture;
mod shipped;
#[cfg(test)]
mod test_echo;
mod verify;

pub use commitment::{COMMITMENT_TYPE, Commitment};
pub use document::{Document, Kind, LogName, envelope_digest};
pub use file::{DOSSIER_TYPE, Dossier, DossierError, MAX_BYTES};
pub use index::{INDEX_FILE, INDEX_LOCK_FILE, INDEX_TABLE_FILE, INDEX_TYPE, Index, IndexError};
pub use merge::{LogWalk, MergeError};
pub use posture::{posture, report_digest};
pub use shipped::{MAX_SHIPPED, SHIPPED, SHIPPED_FOLDER, shipped_claim, shipped_id, verify_shipped};
pub use verify::{Check, Verified, VerifyError, verify, verify_with};
