//! The fulfilment proof: posture before, the change, posture after. What an invoice for a fix points at.

use std::collections::BTreeSet;

use echo_core::{CaseId, ChangeSetId, CustomerId, DeviceId, Digest, ProofId, RunId, ScanId, Timestamp};
use serde::{Deserialize, Serialize};

use crate::{
    dsse::Envelope,
    key::KeyPair,
    registry::{Registry, TrustError},
    role::KeyRole,
    statement::{Statement, Subject},
};

/// The predicate type of a fulfilment proof.
pub const FULFILMENT_PREDICATE: &str = "urn:echo:attestation:fulfilment:v1";
/// The most failed checks a posture may list.
pub const MAX_FAILED_CHECKS: usize = 10_000;
/// The most playbooks a proof may list.
pub const MAX_PLAYBOOKS: usize = 256;

/// That a change did what it was for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Fulfilment {
    /// The proof's own id.
    pub proof: ProofId,
    /// For whom.
    pub customer: CustomerId,
    /// In which case.
    pub case: CaseId,
    /// On which device.
    pub device: DeviceId,
    /// By which run.
    pub run: RunId,
    /// With which proposed edits.
    pub change_set: ChangeSetId,
    /// The playbooks that were applied.
    pub playbooks: Vec<PlaybookRef>,
    /// The digest of the plan that was approved.
    pub plan: Digest,
    /// The posture before the change.
    pub before: Posture,
    /// The posture after the change.
    pub after: Posture,
    /// Checks that failed before and do not after, ascending.
    pub fixed: Vec<u32>,
    /// Checks that failed before and still do, ascending.
    pub still_failing: Vec<u32>,
    /// Checks that fail after and did not before, ascending.
    pub newly_failing: Vec<u32>,
    /// The digest of the diff.
    pub diff: Digest,
    /// When the run began.
    pub started: Timestamp,
    /// When the second scan ended.
    pub finished: Timestamp,
}

/// A playbook, by name, version and content.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PlaybookRef {
    /// Its id.
    pub id: String,
    /// Its version.
    pub version: String,
    /// The digest of its file.
    pub digest: Digest,
}

/// What one scan found.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Posture {
    /// Which scan.
    pub scan: ScanId,
    /// The digest of its report.
    pub report: Digest,
    /// The score, 0 to 100.
    pub score: u8,
    /// How many checks passed.
    pub passed: u32,
    /// How many checks failed.
    pub failed: u32,
    /// The ids of the failed checks, each once.
    pub failed_checks: Vec<u32>,
}

/// How two postures differ; each list ascending.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Difference {
    /// Failed before, not after.
    pub fixed: Vec<u32>,
    /// Failed before and after.
    pub still_failing: Vec<u32>,
    /// Failed after, not before.
    pub newly_failing: Vec<u32>,
}

/// Why a proof proves nothing.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum FulfilmentError {
    /// A posture contradicts itself.
    #[error("the posture {when} the change contradicts itself: {why}; scan again")]
    Posture {
        /// `before` or `after`.
        when: &'static str,
        /// In what.
        why: String,
    },
    /// A list is not what the two postures give.
    #[error(
        "the list `{list}` is {claimed:?}, but the two scans give {computed:?}: the proof was drawn up wrongly"
    )]
    List {
        /// Which list.
        list: &'static str,
        /// What the proof says.
        claimed: Vec<u32>,
        /// What the postures say.
        computed: Vec<u32>,
    },
    /// Both postures are of one scan.
    #[error("scan {0} stands before and after the change: a proof needs two scans")]
    SameScan(ScanId),
    /// The run ends before it begins.
    #[error("the run finished at {finished}, before it started at {started}")]
    Times {
        /// When it began.
        started: Timestamp,
        /// When it ended.
        finished: Timestamp,
    },
    /// Too much of something.
    #[error("more than {limit} {what} in one proof")]
    TooMany {
        /// Of what.
        what: &'static str,
        /// The bound.
        limit: usize,
    },
    /// The statement names other subjects than the proof.
    #[error("the statement's subjects are not the proof's diff and reports")]
    Subjects,
}

impl Difference {
    /// How `after` differs from `before`.
    pub fn between(before: &Posture, after: &Posture) -> Self {
        let was: BTreeSet<u32> = before.failed_checks.iter().copied().collect();
        let is: BTreeSet<u32> = after.failed_checks.iter().copied().collect();
        Self {
            fixed: was.difference(&is).copied().collect(),
            still_failing: was.intersection(&is).copied().collect(),
            newly_failing: is.difference(&was).copied().collect(),
        }
    }
}

impl Posture {
    fn check(&self, when: &'static str) -> Result<(), FulfilmentError> {
        if self.failed_checks.len() > MAX_FAILED_CHECKS {
            return Err(FulfilmentError::TooMany { what: "failed checks", limit: MAX_FAILED_CHECKS });
        }
        let fail = |why: String| Err(FulfilmentError::Posture { when, why });
        let different: BTreeSet<u32> = self.failed_checks.iter().copied().collect();
        if different.len() != self.failed_checks.len() {
            return fail("a failed check is listed twice".to_owned());
        }
        if self.failed as usize != different.len() {
            return fail(format!("{} checks failed, {} are listed", self.failed, different.len()));
        }
        if self.score > 100 {
            return fail(format!("a score of {}", self.score));
        }
        Ok(())
    }
}

impl Fulfilment {
    /// Whether the proof follows from its two postures: computes its lists again.
    pub fn check(&self) -> Result<(), FulfilmentError> {
        self.before.check("before")?;
        self.after.check("after")?;
        if self.before.scan == self.after.scan {
            return Err(FulfilmentError::SameScan(self.after.scan.clone()));
        }
        if self.finished < self.started {
            return Err(FulfilmentError::Times { started: self.started, finished: self.finished });
        }
        if self.playbooks.len() > MAX_PLAYBOOKS {
            return Err(FulfilmentError::TooMany { what: "playbooks", limit: MAX_PLAYBOOKS });
        }
        let computed = Difference::between(&self.before, &self.after);
        for (list, claimed, computed) in [
            ("fixed", &self.fixed, computed.fixed),
            ("still_failing", &self.still_failing, computed.still_failing),
            ("newly_failing", &self.newly_failing, computed.newly_failing),
        ] {
            if *claimed != computed {
                return Err(FulfilmentError::List { list, claimed: claimed.clone(), computed });
            }
        }
        Ok(())
    }

    /// What the proof is about: the diff and both scan reports, by content.
    pub fn subjects(&self) -> Vec<Subject> {
        vec![
            Subject::new(format!("diff/{}", self.change_set), self.diff),
            Subject::new(format!("report/{}", self.before.scan), self.before.report),
            Subject::new(format!("report/{}", self.after.scan), self.after.report),
        ]
    }

    /// The proof as an in-toto statement about [`Fulfilment::subjects`].
    pub fn into_statement(self) -> Statement<Self> {
        Statement::new(FULFILMENT_PREDICATE, self.subjects(), self)
    }

    /// Checks the proof and signs its statement. `attestor` is the key of [`KeyRole::Attestor`].
    pub fn attest(self, attestor: &KeyPair) -> Result<Envelope, TrustError> {
        self.check().map_err(|e| TrustError::Document(e.to_string()))?;
        self.into_statement().sign(&[attestor]).map_err(|e| TrustError::Document(e.to_string()))
    }

    /// The proof in `envelope`, once the attestor has signed it and it holds together.
    pub fn verify(envelope: &Envelope, registry: &Registry) -> Result<Self, TrustError> {
        let statement =
            Statement::<Self>::verify(envelope, FULFILMENT_PREDICATE, registry, KeyRole::Attestor)?;
        let proof = statement.predicate;
        let sound = proof.check().and_then(|()| {
            if statement.subject == proof.subjects() { Ok(()) } else { Err(FulfilmentError::Subjects) }
        });
        sound.map_err(|e| TrustError::Document(e.to_string()))?;
        Ok(proof)
    }
}

#[cfg(test)]
mod tests;
