//! A ledger with two histories: proven by two heads alone, or suspected for want of a proof.

use echo_core::Digest;
use serde::{Deserialize, Serialize};
use trust::Registry;

use super::{
    MAX_NOTE_BYTES, Word,
    logs::{Logs, NoHead, Seen},
};

/// Two heads of one ledger: one size, two roots, both signed by the ledger's key. It proves itself to whoever knows that
/// key.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ForkProof {
    /// The ledger's origin line.
    pub origin: String,
    /// One signed head (C2SP tlog-checkpoint).
    pub note_a: String,
    /// The other.
    pub note_b: String,
}

/// What a proof of a fork says.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Forked {
    /// The ledger's origin line.
    pub origin: String,
    /// How many entries both heads have.
    pub size: u64,
    /// Their roots.
    pub roots: [Digest; 2],
}

/// Why two notes prove no fork.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ForkError {
    /// The registry names no such ledger.
    #[error("the ledger `{0}` is none that the trust registry names: a newer registry may")]
    UnknownLog(String),
    /// One of the notes is no head of that ledger.
    #[error("it proves no fork: {0}")]
    NoHead(String),
    /// The two heads say the same, or are of two sizes.
    #[error("it proves no fork: the heads have {0} and {1} entries, and no two roots of one size")]
    NoFork(u64, u64),
}

impl ForkProof {
    /// What it proves, judged by the keys of the ledgers in `registry`.
    pub fn verify(&self, registry: &Registry) -> Result<Forked, ForkError> {
        self.judge(&Logs::of(registry))
    }

    pub(crate) fn judge(&self, logs: &Logs) -> Result<Forked, ForkError> {
        let read = |note: &str| {
            logs.read(note).map_err(|why| match why {
                NoHead::Unknown => ForkError::UnknownLog(self.origin.chars().take(255).collect()),
                NoHead::Wrong(why) => ForkError::NoHead(why),
            })
        };
        let (one, other) = (read(&self.note_a)?, read(&self.note_b)?);
        if one.head.origin != self.origin || other.head.origin != self.origin {
            return Err(ForkError::NoHead("the heads are of another ledger".to_owned()));
        }
        if one.head.size != other.head.size || one.head.root == other.head.root {
            return Err(ForkError::NoFork(one.head.size, other.head.size));
        }
        let (size, roots) = (one.head.size, [one.root(), other.root()]);
        Ok(Forked { origin: self.origin.clone(), size, roots })
    }

    /// The proof that two heads make, when they do.
    pub(crate) fn of(one: &Seen, other: &Seen) -> Option<Self> {
        let fork = one.head.origin == other.head.origin
            && one.head.size == other.head.size
            && one.head.root != other.head.root;
        // In one order, so that two who find it write the same.
        let (a, b) = if one.head.root < other.head.root { (one, other) } else { (other, one) };
        fork.then(|| Self { origin: a.head.origin.clone(), note_a: a.note.clone(), note_b: b.note.clone() })
    }

    /// Whether it is within its bounds; says nothing of whether it holds.
    pub(crate) fn is_small(&self) -> bool {
        [&self.origin, &self.note_a, &self.note_b].iter().all(|text| text.len() <= MAX_NOTE_BYTES)
    }
}

/// Two heads of one ledger of which nobody showed that the larger begins with the smaller. Weaker than a [`ForkProof`]:
/// that there is no proof can be seen only by who asked for it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Suspicion {
    /// The smaller head, signed by the ledger's key.
    pub smaller: String,
    /// The larger one.
    pub larger: String,
    /// What was answered, for people.
    pub why: String,
}

impl Suspicion {
    /// Both heads, for neighbours: one of them may know another head of the same size, which is then a proof. Whoever comes
    /// to suspect the ledger by them tells them on, so that they reach everybody.
    pub(crate) fn word(&self) -> Word {
        Word::Heads { notes: vec![self.smaller.clone(), self.larger.clone()] }
    }
}
