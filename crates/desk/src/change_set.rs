//! Proposed changes, and the decision about them.

use access::{Action, Principal};
use agents::{Proposal, Skill};
use device_link::Work as DeviceWork;
use echo_core::{CallId, CaseId, ChangeSetId, CustomerId, DeviceId, Digest, Id as _, RunId, Timestamp};
use playbooks::Plan;
use serde::{Deserialize, Serialize};
use store::{Record, Scope};

use crate::{Call, Case, CaseState, Desk, DeskError, SkillCall, TimelineKind, call::scope_of, work::Work};

/// Where a change set stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ChangeSetState {
    /// It waits for a decision.
    Proposed,
    /// Somebody said no.
    Rejected,
    /// Somebody said yes; the device works on it.
    Approved,
    /// It is on the device, verified.
    Applied,
    /// The device took it back because its verification failed.
    RolledBack,
    /// The device could not or would not do it.
    Failed,
}

/// Proposed edits as a unified diff.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ChangeSet {
    /// Its id.
    pub id: ChangeSetId,
    /// In which case.
    pub case: CaseId,
    /// Whose.
    pub customer: CustomerId,
    /// On which device.
    pub device: DeviceId,
    /// The call that proposed it.
    pub call: CallId,
    /// Which playbooks for which findings, and who must approve.
    pub proposal: Proposal,
    /// What the device says would change.
    pub plan: Plan,
    /// Digest of the plan: what an approval is bound to.
    pub plan_digest: Digest,
    /// Where it stands.
    pub state: ChangeSetState,
    /// When it was proposed.
    pub proposed: Timestamp,
    /// Who decided.
    pub decided_by: Option<String>,
    /// When.
    pub decided: Option<Timestamp>,
    /// The run that applies it.
    pub run: Option<RunId>,
    /// The call that applies it.
    pub apply_call: Option<CallId>,
}

impl Record for ChangeSet {
    const KIND: &'static str = "change set";

    fn id(&self) -> &str {
        self.id.as_str()
    }

    fn customer(&self) -> Option<&CustomerId> {
        Some(&self.customer)
    }

    fn parent(&self) -> Option<&str> {
        Some(self.case.as_str())
    }

    /// A call proposes once.
    fn unique(&self) -> Option<String> {
        Some(self.call.to_string())
    }
}

impl Desk {
    /// One change set.
    pub async fn change_set(&self, principal: &Principal, id: &ChangeSetId) -> Result<ChangeSet, DeskError> {
        principal.require(Action::ReadCase)?;
        let mut tx = self.store().read().await?;
        tx.get(&scope_of(principal), id.as_str())
            .await?
            .ok_or_else(|| DeskError::not_found("change set", id.as_str()))
    }

    /// Approves a change set: the device applies exactly this plan, or nothing.
    pub async fn approve(&self, call: &Call, id: &ChangeSetId) -> Result<ChangeSet, DeskError> {
        call.principal.require(Action::ApproveChange)?;
        let mut work = self.work(&call.principal.name).await?;
        let (mut change, mut case) = work.undecided(call, id).await?;
        work.needed_device(&case).await?;
        let playbooks = self.content().signed_playbooks(&change.proposal.playbooks)?;
        let run: RunId = work.id();
        let apply = DeviceWork::Apply {
            run: run.clone(),
            change_set: change.id.clone(),
            plan: change.plan_digest,
            playbooks,
            policy: self.content().signed_policy()?,
        };
        let mut made = work.admit(&call.principal, &case, Skill::RemediationApply, &apply).await?;
        made.change_set = Some(change.id.clone());
        made.command = Some(work.queue_command(&made, &change.device, apply).await?);
        work.tx.update(&made).await?;
        change.run = Some(run);
        change.apply_call = Some(made.id);
        work.decide(&mut change, ChangeSetState::Approved).await?;
        work.move_case(&mut case, CaseState::Applying).await?;
        let title = format!("Change approved by {}", call.principal.name);
        work.note(&case, TimelineKind::Approved, title, change.plan_digest.to_string(), Some(id.as_str()))
            .await?;
        work.finish(call, 200, change).await
    }

    /// Rejects a change set: nothing is changed on the device.
    pub async fn reject(&self, call: &Call, id: &ChangeSetId) -> Result<ChangeSet, DeskError> {
        call.principal.require(Action::ApproveChange)?;
        let mut work = self.work(&call.principal.name).await?;
        let (mut change, mut case) = work.undecided(call, id).await?;
        work.decide(&mut change, ChangeSetState::Rejected).await?;
        work.move_case(&mut case, CaseState::Open).await?;
        let title = format!("Change rejected by {}", call.principal.name);
        work.note(&case, TimelineKind::Rejected, title, "", Some(id.as_str())).await?;
        work.finish(call, 200, change).await
    }
}

impl Work<'_> {
    async fn undecided(&mut self, call: &Call, id: &ChangeSetId) -> Result<(ChangeSet, Case), DeskError> {
        let change: ChangeSet = self
            .tx
            .get(&call.scope(), id.as_str())
            .await?
            .ok_or_else(|| DeskError::not_found("change set", id.as_str()))?;
        if change.state != ChangeSetState::Proposed {
            return Err(DeskError::Conflict("this change set was decided already: see its state".to_owned()));
        }
        let case = self.case(&call.scope(), &change.case).await?;
        Ok((change, case))
    }

    async fn decide(&mut self, change: &mut ChangeSet, state: ChangeSetState) -> Result<(), DeskError> {
        change.state = state;
        change.decided = Some(self.now);
        change.decided_by = Some(self.actor.clone());
        Ok(self.tx.update(change).await?)
    }

    /// Keeps what the device planned as a change set for somebody to decide about.
    pub(crate) async fn propose(
        &mut self,
        call: &mut SkillCall,
        case: &mut Case,
        device: &DeviceId,
        plan: Plan,
    ) -> Result<(), DeskError> {
        let proposal: Proposal = serde_json::from_value(call.output.clone().unwrap_or_default())?;
        if plan.is_empty() {
            return self.fail(call, case, "the playbooks would change nothing on this device").await;
        }
        let change = ChangeSet {
            id: self.id(),
            case: case.id.clone(),
            customer: case.customer.clone(),
            device: device.clone(),
            call: call.id.clone(),
            plan_digest: plan.digest(),
            proposal,
            plan,
            state: ChangeSetState::Proposed,
            proposed: self.now,
            decided_by: None,
            decided: None,
            run: None,
            apply_call: None,
        };
        self.tx.insert(&change).await?;
        call.change_set = Some(change.id.clone());
        self.complete(call, case, &change.plan, None, true).await?;
        self.move_case(case, CaseState::AwaitingApproval).await?;
        let title = format!(
            "Change proposed: {} files, {} risk, fixes {} findings",
            change.plan.changes.len(),
            change.proposal.risk,
            change.proposal.covers.len()
        );
        self.note(case, TimelineKind::Proposed, title, &change.proposal.because, Some(change.id.as_str()))
            .await
    }

    /// When the call was applying a change, the change has failed and the case is open again.
    pub(crate) async fn abandon_change(
        &mut self,
        call: &SkillCall,
        case: &mut Case,
    ) -> Result<(), DeskError> {
        let (Skill::RemediationApply, Some(id)) = (call.skill, &call.change_set) else {
            return Ok(());
        };
        if let Some(mut change) = self.tx.get::<ChangeSet>(&Scope::All, id.as_str()).await? {
            change.state = ChangeSetState::Failed;
            self.tx.update(&change).await?;
        }
        if case.state == CaseState::Applying {
            self.move_case(case, CaseState::Open).await?;
        }
        Ok(())
    }
}
