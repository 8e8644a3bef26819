//! The witness's decision: is this the next head of a log that is known here?
//!
//! Two steps, in the order of C2SP tlog-witness: [`Submission::admit`] needs no state, so that strangers cost little;
//! [`Submission::judge`] compares with what was cosigned last, and has to happen in one transaction with keeping what
//! comes of it.

use ledger::{Checkpoint, ProofError, note, verify_checkpoint, verify_consistency};
use sha2::{Digest as _, Sha256};

use crate::{Cosigner, Policy, PolicyLog, Refusal, Request, keep_lines};

/// What a witness keeps of a log: the newest head that it cosigned.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Kept {
    /// How many entries.
    pub size: u64,
    /// The root over them.
    pub root: [u8; 32],
    /// When it was cosigned, in POSIX seconds.
    pub at: u64,
}

/// A checkpoint that a trusted key of a known log signed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Submission {
    /// The checkpoint.
    pub checkpoint: Checkpoint,
    /// From which size it is proven to have grown.
    pub old: u64,
    proof: Vec<[u8; 32]>,
    note: String,
}

impl Submission {
    /// Reads a request and checks everything that needs no state: its form, that one of `logs` is known by the
    /// checkpoint's origin, and that log's signature.
    pub fn admit(body: &[u8], logs: &Policy) -> Result<Self, Refusal> {
        let Request { old, proof, checkpoint: note } = Request::parse(body)?;
        let origin = note.split('\n').next().unwrap_or_default();
        let vkeys: Vec<&str> =
            logs.logs().iter().filter(|l| l.origin() == origin).map(PolicyLog::vkey).collect();
        if vkeys.is_empty() {
            let (text, _) = note::split(&note).ok_or(Refusal::Malformed("it holds no signed checkpoint"))?;
            Checkpoint::parse(text).map_err(|_| Refusal::Malformed("it holds no checkpoint"))?;
            return Err(Refusal::UnknownLog);
        }
        let mut found = None;
        for vkey in vkeys {
            match verify_checkpoint(&note, vkey) {
                Ok(checkpoint) => found = Some(checkpoint),
                Err(ProofError::Unsigned { .. }) => {}
                Err(ProofError::Signature { .. }) => return Err(Refusal::Signature),
                Err(_) => return Err(Refusal::Malformed("it holds no well-formed checkpoint")),
            }
        }
        let checkpoint = found.ok_or(Refusal::Signature)?;
        if old > checkpoint.size {
            return Err(Refusal::Backwards { old, size: checkpoint.size });
        }
        Ok(Self { checkpoint, old, proof, note })
    }

    /// Whether the checkpoint follows `kept`, what was cosigned of this log last; nothing when it never was. `now` is
    /// the time in POSIX seconds. What it answers has to be kept, durably and atomically with this check, before
    /// [`Submission::cosigned`].
    pub fn judge(&self, kept: Option<&Kept>, now: u64) -> Result<Kept, Refusal> {
        let Checkpoint { size, root, .. } = self.checkpoint;
        let empty = Kept { size: 0, root: Sha256::digest([]).into(), at: 0 };
        let kept = kept.unwrap_or(&empty);
        if self.old != kept.size {
            return Err(Refusal::Stale { size: kept.size });
        }
        verify_consistency(kept.size, &kept.root, size, &root, &self.proof)
            .map_err(|_| Refusal::Inconsistent { old: kept.size, size })?;
        if now < kept.at {
            return Err(Refusal::Clock);
        }
        Ok(Kept { size, root, at: now })
    }

    /// The signed note as it was submitted.
    pub fn note(&self) -> &str {
        &self.note
    }

    /// Whether another signed note has the very same text as this checkpoint.
    pub fn says_the_same(&self, other: &str) -> bool {
        note::split(other).map(|(text, _)| text) == note::split(&self.note).map(|(text, _)| text)
    }

    /// The cosignature at `at`, as the answer carries it: one line.
    pub fn cosign(&self, witness: &Cosigner, at: u64) -> String {
        let (text, _) = note::split(&self.note).expect("admit split this very note");
        witness.cosign(text, at)
    }

    /// The checkpoint as a witness shows it to others: with the signatures of trusted keys of its log, and `line`.
    pub fn cosigned(&self, logs: &Policy, line: &str) -> String {
        let trusted = |name: &str, signature: &[u8]| logs.logs().iter().any(|l| l.signed(name, signature));
        let mut note = keep_lines(&self.note, trusted);
        note.push_str(line);
        note
    }
}

#[cfg(test)]
mod tests;
