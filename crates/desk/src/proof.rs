//! Fulfilment proofs: posture before, change, posture after, measured and signed by the device.

use access::{Action, Principal};
use dossier::{Kind, posture};
use echo_core::{CaseId, CustomerId, DeviceId, Digest, Id as _, Page, PageRequest, ProofId, RunId, ScanId};
use playbooks::{RunOutcome, RunReport};
use revenue::ProofRef;
use security::Report;
use serde::{Deserialize, Serialize};
use store::{Filter, Record, Scope};
use trust::{
    Fulfilment,
    fulfilment::{Difference, PlaybookRef},
};

use crate::{
    Case, CaseState, ChangeSet, ChangeSetState, Desk, DeskError, Device, SkillCall, TimelineKind,
    call::scope_of,
    work::{Owner, Work},
};

/// What a device measured and signed around one run.
pub(crate) struct Measured {
    pub(crate) before: Report,
    pub(crate) run: RunReport,
    pub(crate) after: Report,
}

/// A proof, and what the device reported of the run.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Proof {
    /// Its id.
    pub id: ProofId,
    /// In which case.
    pub case: CaseId,
    /// Whose.
    pub customer: CustomerId,
    /// On which device.
    pub device: DeviceId,
    /// Of which run.
    pub run: RunId,
    /// What is attested.
    pub fulfilment: Fulfilment,
    /// What was done, step by step.
    pub report: RunReport,
    /// Digest of the signed proof, by which receipts and ledgers name it.
    pub digest: Digest,
}

impl Record for Proof {
    const KIND: &'static str = "proof";

    fn id(&self) -> &str {
        self.id.as_str()
    }

    fn customer(&self) -> Option<&CustomerId> {
        Some(&self.customer)
    }

    fn parent(&self) -> Option<&str> {
        Some(self.case.as_str())
    }

    /// A run is proven once.
    fn unique(&self) -> Option<String> {
        Some(self.run.to_string())
    }
}

impl Desk {
    /// The proofs that the caller may see, newest first.
    pub async fn proofs(&self, principal: &Principal, page: &PageRequest) -> Result<Page<Proof>, DeskError> {
        principal.require(Action::ReadCase)?;
        Ok(self.store().read().await?.list(&scope_of(principal), &Filter::default(), page).await?)
    }
}

impl Work<'_> {
    /// Takes what a device measured around a run: attests it, logs it, and charges for it when it fixed something
    /// and broke nothing.
    pub(crate) async fn applied(
        &mut self,
        call: &mut SkillCall,
        case: &mut Case,
        device: Device,
        measured: Measured,
    ) -> Result<(), DeskError> {
        let id = call
            .change_set
            .clone()
            .ok_or_else(|| DeskError::Internal("a run without a change set".into()))?;
        let mut change: ChangeSet = self
            .tx
            .get(&Scope::All, id.as_str())
            .await?
            .ok_or_else(|| DeskError::not_found("change set", id.as_str()))?;
        let held = measured.run.outcome == RunOutcome::Applied;
        change.state = if held { ChangeSetState::Applied } else { ChangeSetState::RolledBack };
        self.tx.update(&change).await?;
        let scan: ScanId = self.id();
        self.take_report(case, &device.id, &scan, &measured.after).await?;
        self.remember_posture(device.clone(), &measured.after, self.now).await?;
        let proof = self.attest(case, &change, &device, scan, measured).await?;
        let f = &proof.fulfilment;
        let delivered = held && !f.fixed.is_empty() && f.newly_failing.is_empty();
        let title = format!(
            "Posture {} before, {} after: {} fixed, {} still failing",
            f.before.score,
            f.after.score,
            f.fixed.len(),
            f.still_failing.len()
        );
        self.move_case(case, if held { CaseState::Resolved } else { CaseState::Open }).await?;
        let done = if held { "Change applied and verified" } else { "Change rolled back by the device" };
        self.note(case, TimelineKind::Applied, done, "", Some(id.as_str())).await?;
        self.note(case, TimelineKind::Proven, title, proof.digest.to_string(), Some(proof.id.as_str()))
            .await?;
        if delivered {
            let reference = ProofRef { id: proof.id.clone(), digest: proof.digest };
            self.complete(call, case, &proof.fulfilment, Some(reference), true).await
        } else {
            self.fail(call, case, "the change did not improve the posture: see the proof").await
        }
    }

    async fn attest(
        &mut self,
        case: &Case,
        change: &ChangeSet,
        device: &Device,
        scan: ScanId,
        measured: Measured,
    ) -> Result<Proof, DeskError> {
        let before = posture(self.id(), &measured.before);
        let after = posture(scan, &measured.after);
        let playbooks = self.desk.content().signed_playbooks(&change.proposal.playbooks)?;
        let difference = Difference::between(&before, &after);
        let fulfilment = Fulfilment {
            proof: self.id(),
            customer: case.customer.clone(),
            case: case.id.clone(),
            device: device.id.clone(),
            run: measured.run.run.clone(),
            change_set: change.id.clone(),
            playbooks: playbooks
                .iter()
                .zip(&change.plan.playbooks)
                .map(|(content, plan)| PlaybookRef {
                    id: plan.id.clone(),
                    version: plan.version.to_string(),
                    digest: Digest::of(content.text.as_bytes()),
                })
                .collect(),
            plan: change.plan_digest,
            before,
            after,
            fixed: difference.fixed,
            still_failing: difference.still_failing,
            newly_failing: difference.newly_failing,
            diff: Digest::of(change.plan.diff.as_bytes()),
            started: measured.run.started,
            finished: measured.run.finished,
        };
        let proof = fulfilment.proof.clone();
        let statement = fulfilment.clone().into_statement();
        let digest = self.record(Kind::Attestation, proof.as_str(), Owner::case(case), &statement).await?;
        let again = self.record(Kind::Fulfilment, proof.as_str(), Owner::case(case), &statement).await?;
        debug_assert_eq!(digest, again, "Ed25519 signatures are deterministic (RFC 8032)");
        let proof = Proof {
            id: proof,
            case: case.id.clone(),
            customer: case.customer.clone(),
            device: device.id.clone(),
            run: measured.run.run.clone(),
            fulfilment,
            report: measured.run,
            digest,
        };
        self.tx.insert(&proof).await?;
        Ok(proof)
    }
}
