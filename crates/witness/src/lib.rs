//! Ground: witnesses, who stop a log from telling two people two histories.
//!
//! A witness remembers the newest head of a log that it saw, and cosigns the next one only when that grew from it.
//! Whoever demands the cosignatures of a quorum ([`Policy`]) sees the same log as everybody else does.
//! [`Cosigner`] signs and [`WitnessKey`] verifies (C2SP tlog-cosignature), [`Submission`] is what a log sends and
//! [`Submission::judge`] what its witness thinks of it (C2SP tlog-witness), [`merge`] puts cosignatures onto a head.
//!
//! What may not come in: HTTP, disk, the database, the wall clock. What was cosigned last is a parameter, and so is
//! the time; whoever calls makes the new state durable before the cosignature leaves.

mod cosigner;
mod key;
mod merge;
mod policy;
mod refusal;
mod request;
mod submission;
#[cfg(test)]
mod test_log;

pub use cosigner::Cosigner;
pub use key::{KeyError, WitnessKey};
pub use merge::{Added, MAX_AHEAD_SECONDS, MAX_ANSWER_BYTES, MergeError, keep_lines, merge};
pub use policy::{
    Accepted, Group, MAX_LINE_BYTES, MAX_LOGS, MAX_POLICY_BYTES, MAX_WITNESSES, Member, Policy, PolicyError,
    PolicyLog, PolicyWitness, Unaccepted,
};
pub use refusal::Refusal;
pub use request::{MAX_PROOF_LINES, MAX_REQUEST_BYTES, Request};
pub use submission::{Kept, Submission};
