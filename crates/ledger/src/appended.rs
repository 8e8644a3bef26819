//! What an append answers.

use std::{ops::Range, sync::Arc};

use crate::{edge::Prover, proof};

/// An entry that is durable and under a published checkpoint.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Appended {
    /// Its number, from 0.
    pub index: u64,
    /// The proof of that, under the checkpoint with which it was published.
    pub proof: InclusionProof,
}

/// The proof that an entry is in the log at its place; [`crate::verify_tlog_proof`] checks its text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct InclusionProof {
    /// The entry's number, from 0.
    pub index: u64,
    /// The audit path, the leaf's sibling first (RFC 6962, section 2.1.1).
    pub path: Vec<[u8; 32]>,
    /// The signed checkpoint, which all entries of a batch share.
    pub checkpoint: Arc<str>,
}

/// A batch that is durable and published. Whoever waited for it makes the proofs, all at once and beside the writer.
#[derive(Debug)]
pub(crate) struct Batch {
    /// The number of its first entry.
    pub first: u64,
    pub prover: Prover,
    pub checkpoint: Arc<str>,
}

impl Batch {
    /// What is answered for the entries with the numbers `range`, which are in the batch.
    pub fn appended(&self, range: Range<u64>) -> Vec<Appended> {
        let prove = |index| {
            let (path, checkpoint) = (self.prover.inclusion(index), Arc::clone(&self.checkpoint));
            Appended { index, proof: InclusionProof { index, path, checkpoint } }
        };
        range.map(prove).collect()
    }
}

impl InclusionProof {
    /// The text of the proof (C2SP tlog-proof).
    pub fn render(&self) -> String {
        proof::render(self.index, &self.path, &self.checkpoint)
    }
}
