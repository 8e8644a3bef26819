//! Calls that two nodes made without the platform: each is looked at once, charged as a call at the desk is, or refused for
//! good, and then the node that brought it may forget it.

use access::Principal;
use agents::Skill;
use echo_core::{CaseId, CustomerId, Digest, GrantId, Id as _, ReceiptId, Timestamp};
use mesh::{AnswerDoc, NodeId, Reply, Settlement, digest_of, verify_settlement};
use serde::{Deserialize, Serialize};
use store::{Record, Scope};
use trust::{Envelope, KeyRole};

use crate::{
    Case, CaseState, Desk, DeskError, Device, DeviceState, GrantRecord, GrantState, SkillCall,
    SkillCallState, TimelineKind, mesh_pulses::device_of, work::Work,
};

/// The most calls in one request.
pub const MAX_SETTLED: usize = 16;
/// How many refused calls of one grant the case's timeline shows; the grant counts all of them.
const MAX_SHOWN: u32 = 16;

/// One call with its answer and the grant that pays for it.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct MeshPapers {
    /// Signed by the node that was called.
    pub answer: Envelope,
    /// Signed by the caller.
    pub call: Envelope,
    /// Signed by the operator.
    pub grant: Envelope,
}

/// The calls that need not be brought again.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct MeshSettled {
    /// The digests of the calls' payloads: charged, known before, refused for good, or brought with papers that do not
    /// hold.
    pub calls: Vec<Digest>,
}

/// What became of a call; its id is the call's digest, so there is one.
#[derive(Debug, Clone, Serialize, Deserialize)]
struct MeshCallRecord {
    id: String,
    grant: GrantId,
    case: CaseId,
    customer: CustomerId,
    receipt: Option<ReceiptId>,
    refused: Option<String>,
    at: Timestamp,
}

impl Record for MeshCallRecord {
    const KIND: &'static str = "mesh call";

    fn id(&self) -> &str {
        &self.id
    }

    fn customer(&self) -> Option<&CustomerId> {
        Some(&self.customer)
    }

    fn parent(&self) -> Option<&str> {
        Some(self.case.as_str())
    }
}

/// A call that holds together, with everything of ours that it speaks of.
struct Found {
    settlement: Settlement,
    answer: AnswerDoc,
    grant: GrantRecord,
    case: Case,
}

impl Desk {
    /// Settles what a device brought by HTTP.
    pub async fn settle_mesh_of(
        &self,
        principal: &Principal,
        papers: &[MeshPapers],
    ) -> Result<MeshSettled, DeskError> {
        principal.require(access::Action::TakeCommand)?;
        let device = principal
            .device
            .as_ref()
            .ok_or_else(|| DeskError::invalid("device", "only devices bring calls"))?;
        if papers.len() > MAX_SETTLED {
            return Err(DeskError::invalid("papers", format!("send at most {MAX_SETTLED} at once")));
        }
        let mut tx = self.store().read().await?;
        let device: Device = tx
            .get(&Scope::All, device.as_str())
            .await?
            .ok_or_else(|| DeskError::not_found("device", device.as_str()))?;
        drop(tx);
        let of = |pick: fn(&MeshPapers) -> &Envelope| papers.iter().map(pick).cloned().collect::<Vec<_>>();
        let (answers, calls, grants) = (of(|p| &p.answer), of(|p| &p.call), of(|p| &p.grant));
        let calls = self.settle_mesh(&NodeId::of(&device.public_key), &answers, &calls, &grants).await?;
        Ok(MeshSettled { calls })
    }

    /// Settles the calls that the node `from` brought, with their answers and grants in the same order. Answers the calls
    /// that it need not bring again: charged now, known before, refused for good, or brought with papers that do not hold.
    /// Such papers leave no trace, so that they never stand in the way of the true ones. All of it is one commit.
    ///
    /// # Errors
    /// [`DeskError::NotFound`] when `from` is nobody in care. Any other error is the platform's own: bring them again.
    pub async fn settle_mesh(
        &self,
        from: &NodeId,
        answers: &[Envelope],
        calls: &[Envelope],
        grants: &[Envelope],
    ) -> Result<Vec<Digest>, DeskError> {
        let mut work = self.work("mesh").await?;
        let bringer = work.member(from).await?;
        let mut settled = Vec::new();
        for ((answer, call), grant) in answers.iter().zip(calls).zip(grants).take(MAX_SETTLED) {
            let name = digest_of(call);
            // The same call may stand there twice, with papers that do not hold and with those that do.
            if work.settle_one(bringer.as_ref(), name, [answer, call, grant]).await?
                && !settled.contains(&name)
            {
                settled.push(name);
            }
        }
        work.commit().await?;
        Ok(settled)
    }
}

impl Work<'_> {
    /// The device in care with this key; nothing for the platform's own node.
    async fn member(&mut self, node: &NodeId) -> Result<Option<Device>, DeskError> {
        let own = self.desk.signer(KeyRole::Node).is_ok_and(|key| NodeId::of(&key.public()) == *node);
        if own { Ok(None) } else { device_of(&mut self.tx, &Scope::All, &node.key()).await.map(Some) }
    }

    /// Whether the call need not be brought again.
    async fn settle_one(
        &mut self,
        bringer: Option<&Device>,
        name: Digest,
        [answer, call, grant]: [&Envelope; 3],
    ) -> Result<bool, DeskError> {
        if self.tx.get::<MeshCallRecord>(&Scope::All, &name.to_string()).await?.is_some() {
            return Ok(true);
        }
        let Some(known) = self.known_grant(bringer, grant).await? else {
            tracing::warn!(%name, "a call over the mesh names a grant that is none of ours, or another customer's");
            return Ok(true);
        };
        let registry = self.desk.registry();
        let held = verify_settlement(answer, call, grant, registry, known.granted)
            .and_then(|settlement| AnswerDoc::verify(answer).map(|answer| (settlement, answer)));
        let (settlement, answer) = match held {
            Ok(held) => held,
            Err(error) => {
                // Anybody who saw call and grant can make such papers: nothing is kept by which the true ones would later
                // be taken for known.
                tracing::warn!(%name, grant = %known.grant.id, %error, "the papers of a call over the mesh do not hold");
                return Ok(true);
            }
        };
        let case = self.case(&Scope::All, &known.grant.case).await?;
        let executor = match self.executor(&settlement, &known).await? {
            Ok(executor) => executor,
            Err(reason) => return self.refuse(known, &case, name, &reason).await,
        };
        let found = Found { settlement, answer, grant: known, case };
        if found.settlement.receipt.is_some() {
            self.charge(found, executor).await
        } else {
            self.close_free(found, executor).await
        }
    }

    /// The grant as it was given here, when the one who brings it may know of it.
    async fn known_grant(
        &mut self,
        bringer: Option<&Device>,
        grant: &Envelope,
    ) -> Result<Option<GrantRecord>, DeskError> {
        let claimed = grant.payload_unchecked().ok();
        let claimed = claimed.and_then(|payload| serde_json::from_slice::<mesh::Grant>(&payload).ok());
        let Some(claimed) = claimed else { return Ok(None) };
        let scope = bringer.map_or(Scope::All, |device| Scope::Customer(device.customer.clone()));
        let known = self.tx.get::<GrantRecord>(&scope, claimed.id.as_str()).await?;
        Ok(known.filter(|known| known.digest == mesh::Grant::digest(grant)))
    }

    /// The device that did the work (nothing for the platform's own node), or why it is not paid.
    async fn executor(
        &mut self,
        settlement: &Settlement,
        grant: &GrantRecord,
    ) -> Result<Result<Option<Device>, String>, DeskError> {
        match self.member(&settlement.request.to).await {
            Ok(Some(device)) if device.customer != grant.grant.customer => {
                Ok(Err("the node that was called is another customer's".to_owned()))
            }
            Ok(executor) => Ok(Ok(executor)),
            Err(DeskError::NotFound { .. }) => {
                Ok(Err("the node that was called is not in care here".to_owned()))
            }
            Err(error) => Err(error),
        }
    }

    async fn charge(&mut self, found: Found, executor: Option<Device>) -> Result<bool, DeskError> {
        let Found { settlement, answer, mut grant, case } = found;
        let name = settlement.call;
        if case.state == CaseState::Closed {
            let reason = "it came in after the case was billed";
            return self.refuse(grant, &case, name, reason).await;
        }
        if grant.used >= grant.grant.most_calls {
            let reason =
                format!("the grant pays for {} calls, and they were charged", grant.grant.most_calls);
            return self.refuse(grant, &case, name, &reason).await;
        }
        let skill = settlement.request.skill.parse::<Skill>().ok();
        let Some(price) = skill.and_then(|skill| grant.price(skill)).cloned() else {
            return self.refuse(grant, &case, name, "this platform does not know the skill").await;
        };
        if let Err(why) = self.chargeable(&case, price.skill).await? {
            tracing::error!(%name, why, "a call over the mesh cannot be charged now: it waits");
            return Ok(false);
        }
        let mut call = self.mesh_call(&settlement, &case, price.skill, executor.as_ref()).await?;
        let output = settlement.output.unwrap_or(Digest::of(b""));
        if let Reply::Done(value) = answer.reply {
            call.output = shown(price.skill, value);
        }
        call.state = SkillCallState::Done;
        let receipt = self.receipt(&call, &case, output, None, Some(price.unit_price)).await?;
        call.receipt = Some(receipt.clone());
        self.tx.insert(&call).await?;
        grant.used += 1;
        if grant.used >= grant.grant.most_calls {
            grant.state = GrantState::Used;
        }
        self.tx.update(&grant).await?;
        self.keep_call(&grant, name, Some(receipt.clone()), None).await?;
        let by = executor.map_or_else(|| "the platform".to_owned(), |device| device.name);
        let title = format!("{} done by {by}, over the mesh", price.skill);
        let detail = format!("asked by {} on {}", call.asked_by, settlement.request.made);
        self.note(&case, TimelineKind::Called, title, detail, Some(receipt.as_str())).await?;
        Ok(true)
    }

    /// Whether a receipt can be written: the plan and the catalogue may be others than when the grant was given, and then
    /// the operator has to mend them first.
    async fn chargeable(&mut self, case: &Case, skill: Skill) -> Result<Result<(), String>, DeskError> {
        match self.plan_and_sku(case, skill).await {
            Ok((plan, sku)) if plan.prices.contains_key(&sku) => Ok(Ok(())),
            Ok((plan, sku)) => Ok(Err(format!("the plan {} has no price for {sku}", plan.id))),
            Err(error @ (DeskError::Conflict(_) | DeskError::NotEntitled(_))) => Ok(Err(error.to_string())),
            Err(error) => Err(error),
        }
    }

    /// A call that was not done: kept, shown, not charged.
    async fn close_free(&mut self, found: Found, executor: Option<Device>) -> Result<bool, DeskError> {
        let Found { settlement, answer, grant, case } = found;
        let why = match answer.reply {
            Reply::Failed(why) => why,
            // It was not begun: there is nothing to show.
            Reply::Refused(_) | Reply::Done(_) => {
                self.keep_call(&grant, settlement.call, None, None).await?;
                return Ok(true);
            }
        };
        let Ok(skill) = settlement.request.skill.parse::<Skill>() else {
            return self.refuse(grant, &case, settlement.call, "this platform does not know the skill").await;
        };
        if grant.refused >= MAX_SHOWN {
            return self.refuse(grant, &case, settlement.call, &why).await;
        }
        let mut call = self.mesh_call(&settlement, &case, skill, executor.as_ref()).await?;
        call.state = SkillCallState::Failed;
        call.error = Some(why.clone());
        self.tx.insert(&call).await?;
        self.refuse(grant, &case, settlement.call, &why).await
    }

    async fn mesh_call(
        &mut self,
        settlement: &Settlement,
        case: &Case,
        skill: Skill,
        executor: Option<&Device>,
    ) -> Result<SkillCall, DeskError> {
        let caller = settlement.request.from;
        let device = self.tx.get_unique::<Device>(&Scope::All, &caller.key().to_string()).await?;
        Ok(SkillCall {
            id: self.id(),
            case: case.id.clone(),
            customer: case.customer.clone(),
            device: executor.filter(|d| d.state == DeviceState::Active).map(|d| d.id.clone()),
            skill,
            state: SkillCallState::Running,
            asked_by: device.map_or_else(|| caller.to_string(), |device| device.name),
            key: None,
            held: None,
            started: settlement.request.made,
            finished: Some(self.now),
            input: settlement.input,
            output: None,
            error: None,
            command: None,
            scan: None,
            change_set: None,
            receipt: None,
            trace: None,
        })
    }

    /// Keeps that a call is not charged, and shows it in the case: the first few of a grant one by one.
    async fn refuse(
        &mut self,
        mut grant: GrantRecord,
        case: &Case,
        name: Digest,
        reason: &str,
    ) -> Result<bool, DeskError> {
        tracing::info!(%name, grant = %grant.grant.id, reason, "a call over the mesh is not charged");
        grant.refused = grant.refused.saturating_add(1);
        self.tx.update(&grant).await?;
        if grant.refused > MAX_SHOWN {
            // Nothing is kept of it: it is refused again for the same reason, whoever brings it.
            return Ok(true);
        }
        self.keep_call(&grant, name, None, Some(reason)).await?;
        let title = "A call over the mesh is not charged";
        self.note(case, TimelineKind::Failed, title, reason, Some(grant.grant.id.as_str())).await?;
        Ok(true)
    }

    async fn keep_call(
        &mut self,
        grant: &GrantRecord,
        name: Digest,
        receipt: Option<ReceiptId>,
        refused: Option<&str>,
    ) -> Result<(), DeskError> {
        let record = MeshCallRecord {
            id: name.to_string(),
            grant: grant.grant.id.clone(),
            case: grant.grant.case.clone(),
            customer: grant.grant.customer.clone(),
            receipt,
            refused: refused.map(str::to_owned),
            at: self.now,
        };
        Ok(self.tx.insert(&record).await?)
    }
}

/// What is kept of an output: the diagnosis, which later answers rest on, once it is one.
fn shown(skill: Skill, output: serde_json::Value) -> Option<serde_json::Value> {
    let diagnosis: observability::Diagnosis = match skill {
        Skill::DiagnosticsProbe => serde_json::from_value(output.clone()).ok()?,
        _ => return None,
    };
    diagnosis.validate().is_ok().then_some(output)
}
