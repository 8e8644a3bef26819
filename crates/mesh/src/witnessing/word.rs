//! What neighbours say to one another about ledgers.

use echo_core::Digest;
use serde::{Deserialize, Serialize};
use witness::MAX_PROOF_LINES;

use super::{ForkProof, MAX_COSIGN_BYTES, MAX_LOGS, MAX_NOTE_BYTES};

/// The most bytes of an origin line.
const MAX_ORIGIN_BYTES: usize = 255;
/// The most bytes of an answer's words or line.
const MAX_ANSWER_BYTES: usize = 1024;

/// One message about ledgers.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "word", rename_all = "snake_case", deny_unknown_fields)]
pub enum Word {
    /// Please cosign this head.
    Cosign {
        /// The body of `add-checkpoint` (C2SP tlog-witness); at most [`MAX_COSIGN_BYTES`].
        request: String,
    },
    /// The answer.
    Cosigned {
        /// Of which ledger.
        origin: String,
        /// What came of it.
        answer: CosignAnswer,
    },
    /// The newest heads that the sender cosigned, one a ledger; at most [`MAX_LOGS`], each at most [`MAX_NOTE_BYTES`].
    Heads {
        /// Signed by the ledgers' keys.
        notes: Vec<String>,
    },
    /// Please show that a ledger of `to` entries begins with the one of `from`.
    Prove {
        /// Which ledger.
        origin: String,
        /// The smaller size.
        from: u64,
        /// The larger size.
        to: u64,
    },
    /// The answer.
    Proof {
        /// Which ledger.
        origin: String,
        /// The smaller size.
        from: u64,
        /// The larger size.
        to: u64,
        /// The consistency proof (RFC 6962, section 2.1.2), at most [`MAX_PROOF_LINES`] hashes; none when there is none.
        proof: Option<Vec<Digest>>,
    },
    /// Ledgers that have two histories; at most [`MAX_LOGS`].
    Forks {
        /// One a ledger.
        proofs: Vec<ForkProof>,
    },
}

/// What came of a request to cosign.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum CosignAnswer {
    /// Cosigned: the signature line with its line feed.
    Line(String),
    /// This node last cosigned so many entries: prove the growth from there.
    Stale(u64),
    /// Not cosigned. Why, for people.
    Refused(String),
}

impl Word {
    /// Whether it is within its bounds.
    pub(crate) fn check(&self) -> Result<(), String> {
        let within = |what: &str, count: usize, most: usize| {
            if count > most { Err(format!("{count} {what}, at most {most} are allowed")) } else { Ok(()) }
        };
        let origin = |origin: &String| within("bytes of an origin", origin.len(), MAX_ORIGIN_BYTES);
        match self {
            Self::Cosign { request } => within("bytes of a request", request.len(), MAX_COSIGN_BYTES),
            Self::Cosigned { origin: of, answer } => {
                origin(of)?;
                match answer {
                    CosignAnswer::Line(text) | CosignAnswer::Refused(text) => {
                        within("bytes of an answer", text.len(), MAX_ANSWER_BYTES)
                    }
                    CosignAnswer::Stale(_) => Ok(()),
                }
            }
            Self::Heads { notes } => {
                within("heads of ledgers", notes.len(), MAX_LOGS)?;
                notes.iter().try_for_each(|note| within("bytes of a head", note.len(), MAX_NOTE_BYTES))
            }
            Self::Prove { origin: of, .. } => origin(of),
            Self::Proof { origin: of, proof, .. } => {
                origin(of)?;
                within("hashes", proof.as_ref().map_or(0, Vec::len), MAX_PROOF_LINES)
            }
            Self::Forks { proofs } => {
                within("forks", proofs.len(), MAX_LOGS)?;
                if proofs.iter().all(ForkProof::is_small) {
                    return Ok(());
                }
                Err(format!("a fork with more than {MAX_NOTE_BYTES} bytes in one part"))
            }
        }
    }
}
