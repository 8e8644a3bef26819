//! What a node remembers of ledgers, over every restart.

use echo_core::Digest;
use ledger::{Checkpoint, note};
use serde::{Deserialize, Serialize};
use witness::Kept;

use super::{ForkProof, Suspicion};

/// What a node remembers of one ledger. It is one document: it is kept and comes back as a whole.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Remembered {
    /// The ledger's origin line.
    pub origin: String,
    /// The newest head that this node cosigned.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub head: Option<Cosigned>,
    /// What may be a fork.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub suspicion: Option<Suspicion>,
    /// The proof that the ledger has two histories.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub fork: Option<ForkProof>,
}

/// A head that this node cosigned.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Cosigned {
    /// How many entries.
    pub size: u64,
    /// The root over them.
    pub root: Digest,
    /// When, in POSIX seconds.
    pub at: u64,
    /// The signed note, with the ledger's own signature.
    pub note: String,
    /// This node's cosignature, as a signature line with its line feed.
    pub line: String,
}

impl Cosigned {
    pub(crate) fn kept(&self) -> Kept {
        Kept { size: self.size, root: self.root.0, at: self.at }
    }

    /// Whether it says what its note says.
    fn is_of(&self, origin: &str) -> bool {
        let head = note::split(&self.note).and_then(|(text, _)| Checkpoint::parse(text).ok());
        head.is_some_and(|head| {
            (head.origin.as_str(), head.size, head.root) == (origin, self.size, self.root.0)
        })
    }
}

impl Remembered {
    /// Whether what was cosigned can be relied on. After a fork nothing is cosigned anyway.
    pub(crate) fn is_sound(&self) -> bool {
        self.fork.is_some() || self.head.as_ref().is_none_or(|head| head.is_of(&self.origin))
    }

    pub(crate) fn nothing(origin: &str) -> Self {
        Self { origin: origin.to_owned(), head: None, suspicion: None, fork: None }
    }
}

/// What was kept, for the start of a node.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Memory {
    /// What is remembered of each ledger.
    pub logs: Vec<Remembered>,
    /// The SHA-256 of the origins of ledgers whose memory cannot be read: they are not cosigned, for the node cannot know
    /// what it cosigned before.
    pub damaged: Vec<Digest>,
}
