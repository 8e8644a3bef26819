//! Whether a checkpoint is good enough for a policy.

use std::collections::BTreeSet;

use ledger::{Checkpoint, ProofError, note, verify_checkpoint};

use super::Policy;

/// A checkpoint that a policy takes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Accepted {
    /// The checkpoint.
    pub checkpoint: Checkpoint,
    /// The witnesses of the policy that cosigned it.
    pub cosigned: Vec<Member>,
}

/// A witness that cosigned.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Member {
    /// Its name in the policy.
    pub name: String,
    /// When it did, in POSIX seconds.
    pub at: u64,
}

/// Why a policy does not take a checkpoint.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Unaccepted {
    /// The log's own signature does not hold.
    #[error(transparent)]
    Log(#[from] ProofError),
    /// The log is none of the policy's.
    #[error("the checkpoint is of {0}, a log that the policy does not name")]
    UnknownLog(String),
    /// A cosignature by a key of the policy is wrong.
    #[error("the cosignature of {0} is wrong: the checkpoint was changed, do not trust it")]
    Cosignature(String),
    /// Too few cosigned.
    #[error(
        "too few witnesses cosigned the checkpoint for the quorum {quorum} (there are: {found}): get a fresh checkpoint, or ask why its witnesses do not cosign"
    )]
    Quorum {
        /// Who would have had to.
        quorum: String,
        /// Who did.
        found: String,
    },
}

impl Policy {
    /// Checks a signed note: by any of the policy's logs, and cosigned by the quorum.
    pub fn evaluate(&self, signed: &str) -> Result<Accepted, Unaccepted> {
        let checkpoint = self.of_a_log(signed)?;
        let cosigned = self.cosigners(signed)?;
        let quorum = self.quorum();
        if quorum.is_some_and(|quorum| !self.met(&cosigned).contains(quorum)) {
            let names: Vec<&str> = cosigned.iter().map(|m| m.name.as_str()).collect();
            let found = if names.is_empty() { "none".to_owned() } else { names.join(", ") };
            return Err(Unaccepted::Quorum { quorum: self.quorum.clone(), found });
        }
        Ok(Accepted { checkpoint, cosigned })
    }

    fn of_a_log(&self, signed: &str) -> Result<Checkpoint, Unaccepted> {
        let origin = signed.split('\n').next().unwrap_or_default();
        let mut refused = Unaccepted::UnknownLog(origin.chars().take(255).collect());
        for log in self.logs.iter().filter(|log| log.origin() == origin) {
            match verify_checkpoint(signed, log.vkey()) {
                Ok(checkpoint) => return Ok(checkpoint),
                // Another key of the same log may have signed.
                Err(error @ ProofError::Unsigned { .. }) => refused = error.into(),
                Err(error) => return Err(error.into()),
            }
        }
        Err(refused)
    }

    /// The policy's witnesses whose cosignatures a note carries. A wrong one refuses the note.
    fn cosigners(&self, signed: &str) -> Result<Vec<Member>, Unaccepted> {
        let (text, lines) = note::split(signed).expect("a note whose log signature verified has signatures");
        let mut found: Vec<Member> = Vec::new();
        for (name, signature) in lines.iter().filter_map(|line| note::signature(line)) {
            let Some(witness) = self.witnesses.iter().find(|w| w.key.names(name, &signature)) else {
                continue;
            };
            let at = witness
                .key
                .check(text, &signature)
                .ok_or_else(|| Unaccepted::Cosignature(witness.name.clone()))?;
            match found.iter_mut().find(|m| m.name == witness.name) {
                Some(member) => member.at = member.at.max(at),
                None => found.push(Member { name: witness.name.clone(), at }),
            }
        }
        Ok(found)
    }

    /// The names of all witnesses and groups that cosigned. Groups name what stands before them, so one pass does.
    fn met<'a>(&'a self, cosigned: &'a [Member]) -> BTreeSet<&'a str> {
        let mut met: BTreeSet<&str> = cosigned.iter().map(|m| m.name.as_str()).collect();
        for group in &self.groups {
            let count = group.members.iter().filter(|m| met.contains(m.as_str())).count();
            if count >= group.threshold {
                met.insert(&group.name);
            }
        }
        met
    }
}
