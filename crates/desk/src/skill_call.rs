//! The one way in for every skill: authorise, entitlement, breaker, skill, meter, receipt, ledger.

use access::{Action, Principal};
use agents::{Ask, Gate, Refusal, Skill, Trace};
use dossier::Kind;
use echo_core::{
    CallId, CaseId, ChangeSetId, CommandId, CustomerId, DeviceId, Digest, Id as _, ReceiptId, ScanId,
    Timestamp, TokenId,
};
use revenue::{MeterEvent, Plan, ProofRef, Receipt, SkuId};
use rust_decimal::Decimal;
use serde::{Deserialize, Serialize};
use store::{Record, Scope};

use crate::{
    Case, Desk, DeskError, ReceiptRecord, TimelineKind,
    customer::subscription,
    work::{Owner, Work},
};

/// Where a skill call stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum SkillCallState {
    /// A device or a model works on it.
    Running,
    /// It is done.
    Done,
    /// It did not work; nothing is charged.
    Failed,
}

impl SkillCallState {
    /// As text.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Running => "running",
            Self::Done => "done",
            Self::Failed => "failed",
        }
    }
}

/// What is asked of a case's agents.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AskSkill {
    /// Which skill.
    pub skill: Skill,
    /// The question, for `advisory.answer`.
    #[serde(default)]
    pub question: Option<String>,
}

/// One call of an agent's skill.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct SkillCall {
    /// Its id.
    pub id: CallId,
    /// In which case.
    pub case: CaseId,
    /// Whose.
    pub customer: CustomerId,
    /// On which device.
    pub device: Option<DeviceId>,
    /// Which skill.
    pub skill: Skill,
    /// Where it stands.
    pub state: SkillCallState,
    /// Who asked.
    pub asked_by: String,
    /// By which agent key it was asked, if by one.
    #[serde(default)]
    pub key: Option<TokenId>,
    /// The most that it will be charged, in major units: what it was let in for. Nothing when no key asked.
    #[serde(default)]
    pub held: Option<Decimal>,
    /// When it was let in.
    pub started: Timestamp,
    /// When it ended.
    pub finished: Option<Timestamp>,
    /// Digest of what the skill was given.
    pub input: Digest,
    /// What the skill answered, when that is small: triage, advice, a diagnosis.
    pub output: Option<serde_json::Value>,
    /// Why it failed.
    pub error: Option<String>,
    /// The command that a device carries out for it.
    pub command: Option<CommandId>,
    /// The scan it made.
    pub scan: Option<ScanId>,
    /// The change set it made or applied.
    pub change_set: Option<ChangeSetId>,
    /// The receipt for it.
    pub receipt: Option<ReceiptId>,
    /// Why it answered what it did, for skills that choose their words.
    #[serde(default)]
    pub trace: Option<Trace>,
}

impl Record for SkillCall {
    const KIND: &'static str = "skill call";

    fn id(&self) -> &str {
        self.id.as_str()
    }

    fn customer(&self) -> Option<&CustomerId> {
        Some(&self.customer)
    }

    fn parent(&self) -> Option<&str> {
        Some(self.case.as_str())
    }

    fn state(&self) -> &str {
        self.state.as_str()
    }
}

/// How much of a SKU a customer used in a month.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
struct Usage {
    id: String,
    customer: CustomerId,
    quantity: Decimal,
}

impl Record for Usage {
    const KIND: &'static str = "usage";

    fn id(&self) -> &str {
        &self.id
    }

    fn customer(&self) -> Option<&CustomerId> {
        Some(&self.customer)
    }
}

/// What each skill asks of its caller.
fn action(skill: Skill) -> Action {
    match skill {
        Skill::RemediationApply => Action::ApproveChange,
        _ => Action::AskSkill,
    }
}

impl Desk {
    /// One skill call.
    pub async fn skill_call(&self, principal: &Principal, id: &CallId) -> Result<SkillCall, DeskError> {
        principal.require(Action::ReadCase)?;
        let mut tx = self.store().read().await?;
        tx.get(&crate::call::scope_of(principal), id.as_str())
            .await?
            .ok_or_else(|| DeskError::not_found("skill call", id.as_str()))
    }
}

impl Work<'_> {
    /// Lets a call in, or says why not.
    pub(crate) async fn admit<I: Serialize>(
        &mut self,
        principal: &Principal,
        case: &Case,
        skill: Skill,
        input: &I,
    ) -> Result<SkillCall, DeskError> {
        let (plan, sku) = self.plan_and_sku(case, skill).await?;
        let used = self.usage(case, &sku).await?.quantity;
        let hold = self.hold(principal, case, skill, &plan, &sku, used).await?;
        let ask = Ask {
            skill,
            authorised: principal.require(action(skill)).is_ok(),
            entitlement: self.desk.content().catalogue.entitled(&plan, &sku, used).map_err(|e| e.to_string()),
            now: self.now,
        };
        let id: CallId = self.id();
        self.desk.admit(&id, &ask, principal.role)?;
        let call = SkillCall {
            id,
            case: case.id.clone(),
            customer: case.customer.clone(),
            device: case.device.clone(),
            skill,
            state: SkillCallState::Running,
            asked_by: principal.name.clone(),
            key: hold.as_ref().map(|hold| hold.key.clone()),
            held: hold.map(|hold| hold.price),
            started: self.now,
            finished: None,
            input: Digest::of(&serde_json::to_vec(input)?),
            output: None,
            error: None,
            command: None,
            scan: None,
            change_set: None,
            receipt: None,
            trace: None,
        };
        self.tx.insert(&call).await?;
        Ok(call)
    }

    /// Ends a call that worked: metered, rated, receipted when `billable`.
    pub(crate) async fn complete<O: Serialize>(
        &mut self,
        call: &mut SkillCall,
        case: &Case,
        output: &O,
        proof: Option<ProofRef>,
        billable: bool,
    ) -> Result<(), DeskError> {
        let json = serde_json::to_vec(output)?;
        call.state = SkillCallState::Done;
        call.finished = Some(self.now);
        if matches!(call.skill, Skill::TriageClassify | Skill::AdvisoryAnswer | Skill::DiagnosticsProbe) {
            call.output = Some(serde_json::from_slice(&json)?);
        }
        if billable {
            call.receipt = Some(self.receipt(call, case, Digest::of(&json), proof, None).await?);
        }
        self.desk.report(&call.id, true, self.now);
        Ok(self.tx.update(call).await?)
    }

    /// Ends a call that did not work: nothing is charged.
    pub(crate) async fn fail(
        &mut self,
        call: &mut SkillCall,
        case: &Case,
        reason: &str,
    ) -> Result<(), DeskError> {
        self.desk.report(&call.id, false, self.now);
        self.end_failed(call, case, reason).await
    }

    async fn end_failed(&mut self, call: &mut SkillCall, case: &Case, reason: &str) -> Result<(), DeskError> {
        call.state = SkillCallState::Failed;
        call.finished = Some(self.now);
        call.error = Some(reason.chars().take(2_000).collect());
        self.tx.update(call).await?;
        let title = format!("{} did not work; nothing is charged", call.skill);
        self.note(case, TimelineKind::Failed, title, reason, None).await
    }

    /// Ends a running call, by its id, that the device never took up. That is no fault of the skill, so its breaker
    /// does not hear of it.
    pub(crate) async fn fail_call(&mut self, id: &CallId, reason: &str) -> Result<(), DeskError> {
        let Some(mut call) = self.tx.get::<SkillCall>(&Scope::All, id.as_str()).await? else {
            return Ok(());
        };
        if call.state != SkillCallState::Running {
            return Ok(());
        }
        let mut case = self.case(&Scope::All, &call.case).await?;
        self.abandon_change(&call, &mut case).await?;
        self.desk.gates().admitted.remove(id);
        self.end_failed(&mut call, &case, reason).await
    }

    pub(crate) async fn plan_and_sku(
        &mut self,
        case: &Case,
        skill: Skill,
    ) -> Result<(Plan, SkuId), DeskError> {
        let subscription = subscription(&mut self.tx, &case.customer).await?;
        let catalogue = &self.desk.content().catalogue;
        let plan = catalogue.plan(&subscription.plan).ok_or_else(|| {
            DeskError::Conflict(format!(
                "the plan {} is not in the catalogue any more: put the customer on another",
                subscription.plan
            ))
        })?;
        let sku = catalogue.sku_for_skill(skill.as_str()).ok_or_else(|| {
            DeskError::NotEntitled(format!("{skill} is not for sale: add it to manifest/catalogue.yaml"))
        })?;
        Ok((plan.clone(), sku.id.clone()))
    }

    /// How much of a SKU the case's customer used this month.
    pub(crate) async fn used(&mut self, case: &Case, sku: &SkuId) -> Result<Decimal, DeskError> {
        Ok(self.usage(case, sku).await?.quantity)
    }

    async fn usage(&mut self, case: &Case, sku: &SkuId) -> Result<Usage, DeskError> {
        let id = format!("{}/{sku}/{}", case.customer, self.now.strftime("%Y-%m"));
        let known = self.tx.get::<Usage>(&Scope::Customer(case.customer.clone()), &id).await?;
        Ok(known.unwrap_or(Usage { id, customer: case.customer.clone(), quantity: Decimal::ZERO }))
    }

    /// Meters and rates one call, and writes its receipt. `promised` is the unit price that was granted before, whatever
    /// the plan says now.
    pub(crate) async fn receipt(
        &mut self,
        call: &SkillCall,
        case: &Case,
        output: Digest,
        proof: Option<ProofRef>,
        promised: Option<Decimal>,
    ) -> Result<ReceiptId, DeskError> {
        let (mut plan, sku) = self.plan_and_sku(case, call.skill).await?;
        if let (Some(promised), Some(price)) = (promised, plan.prices.get_mut(&sku)) {
            price.unit_price = promised;
        }
        let mut usage = self.usage(case, &sku).await?;
        let event = MeterEvent {
            id: self.id(),
            customer: case.customer.clone(),
            case: case.id.clone(),
            device: call.device.clone(),
            call: call.id.clone(),
            sku: sku.clone(),
            quantity: Decimal::ONE,
            at: self.now,
        };
        let rated = self.rated(call, &mut plan, &event, usage.quantity).await?;
        let number = self.tx.next("receipt").await?;
        let receipt = Receipt {
            id: self.id(),
            number: u64::try_from(number).ok(),
            call: call.id.clone(),
            meter_event: event.id.clone(),
            customer: case.customer.clone(),
            case: case.id.clone(),
            device: call.device.clone(),
            agent: call.skill.agent().to_owned(),
            skill: call.skill.to_string(),
            sku,
            plan: plan.id.clone(),
            quantity: rated.quantity,
            included: rated.included,
            unit_price: rated.unit_price,
            amount: rated.amount,
            currency: rated.currency,
            input: call.input,
            output,
            proof,
            at: self.now,
        };
        let digest = self.record(Kind::Receipt, receipt.id.as_str(), Owner::case(case), &receipt).await?;
        let first = usage.quantity.is_zero();
        usage.quantity += event.quantity;
        if first {
            self.tx.insert(&usage).await?;
        } else {
            self.tx.update(&usage).await?;
        }
        let id = receipt.id.clone();
        self.tx.insert(&ReceiptRecord { receipt, digest, meter_event: event }).await?;
        Ok(id)
    }
}

impl Desk {
    /// Asks the gate, and keeps the admission until the call ends.
    fn admit(&self, id: &CallId, ask: &Ask, role: access::Role) -> Result<(), DeskError> {
        let mut gates = self.gates();
        let breaker = gates.breakers.entry(ask.skill).or_default();
        let admitted = Gate::admit(ask, breaker).map_err(|refusal| match refusal {
            Refusal::Unauthorised { .. } => {
                DeskError::Denied(access::Denied { role, action: action(ask.skill) })
            }
            Refusal::NotEntitled { ref reason, .. } => DeskError::NotEntitled(reason.clone()),
            Refusal::BreakerOpen { skill, retry_after_seconds } => {
                DeskError::Resting { skill: skill.to_string(), retry_after_seconds }
            }
        })?;
        gates.admitted.insert(id.clone(), admitted);
        Ok(())
    }

    /// Tells the breaker how a call ended. A call that was let in before a restart is not counted.
    pub(crate) fn report(&self, id: &CallId, ok: bool, now: Timestamp) {
        let mut gates = self.gates();
        if let Some(admitted) = gates.admitted.remove(id) {
            let breaker = gates.breakers.entry(admitted.skill()).or_default();
            admitted.complete(ok, breaker, now);
        }
    }
}
