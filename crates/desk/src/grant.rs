//! Grants: the operator's word, given while the platform is in reach, that calls between two nodes will be paid when it is
//! not. Authorised and priced as a call at the desk is; signed by the operator and entered into the genesis ledger.

use access::Action;
use agents::Skill;
use dossier::Kind;
use echo_core::{CaseId, CustomerId, Digest, GrantId, Id as _, Money, Page, Timestamp};
use mesh::{Grant, GrantedSkill, NodeId};
use revenue::{Plan, PlanId, SkuId};
use rust_decimal::{Decimal, RoundingStrategy};
use serde::{Deserialize, Serialize};
use store::{Filter, Record, Scope};
use trust::Envelope;

use crate::{
    Call, Case, CaseState, Desk, DeskError, Device, TimelineKind,
    call::scope_of,
    mesh_pulses::device_of,
    work::{Owner, Work},
};

/// The most calls of one grant.
const MAX_CALLS: u32 = 200;
/// The longest that a grant counts, in hours: 31 days.
const MAX_HOURS: u32 = 31 * 24;
/// The most grants of one case that calls are still left of.
const MAX_GRANTS: usize = 100;

/// What is needed for a grant.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct NewGrant {
    /// The node that may call: a device of the case's customer.
    pub holder: NodeId,
    /// Which skills; a change is applied by approving it, and by no grant.
    pub skills: Vec<Skill>,
    /// How many calls of all of them together, 1 to 200.
    pub calls: u32,
    /// For how long it counts, 1 to 744.
    pub hours: u32,
}

/// A grant with what came of it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct GrantRecord {
    /// What was granted.
    pub grant: Grant,
    /// The same, signed by the operator: what the holder shows to whom it calls.
    pub envelope: Envelope,
    /// Digest of its payload, by which calls name it.
    pub digest: Digest,
    /// When it was granted.
    pub granted: Timestamp,
    /// By whom.
    pub granted_by: String,
    /// The plan that priced it.
    pub plan: PlanId,
    /// What one unit of each skill costs, exact, in major units; the signed grant says it in minor units, rounded up.
    pub prices: Vec<GrantPrice>,
    /// How many calls were charged.
    pub used: u32,
    /// How many came in with papers that hold and were not charged: failed, beyond the grant, after the bill.
    pub refused: u32,
    /// Whether calls are still to be expected.
    pub state: GrantState,
}

/// What one unit costs.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct GrantPrice {
    /// Which skill.
    pub skill: Skill,
    /// What is sold.
    pub sku: SkuId,
    /// One unit, in major units.
    pub unit_price: Decimal,
}

/// Where a grant stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum GrantState {
    /// Calls may come in.
    Open,
    /// All of its calls were charged.
    Used,
}

impl Record for GrantRecord {
    const KIND: &'static str = "grant";

    fn id(&self) -> &str {
        self.grant.id.as_str()
    }

    fn customer(&self) -> Option<&CustomerId> {
        Some(&self.grant.customer)
    }

    fn parent(&self) -> Option<&str> {
        Some(self.grant.case.as_str())
    }

    fn state(&self) -> &str {
        match self.state {
            GrantState::Open => "open",
            GrantState::Used => "used",
        }
    }
}

impl GrantRecord {
    /// How many calls may still come in at `now`.
    fn left(&self, now: Timestamp) -> u32 {
        if now < self.grant.until { self.grant.most_calls.saturating_sub(self.used) } else { 0 }
    }

    /// The exact price of a skill.
    pub(crate) fn price(&self, skill: Skill) -> Option<&GrantPrice> {
        self.prices.iter().find(|price| price.skill == skill)
    }
}

impl Desk {
    /// Grants calls of a case's skills to a node, which may then make them while the platform is out of reach.
    pub async fn grant(&self, call: &Call, case: &CaseId, new: NewGrant) -> Result<GrantRecord, DeskError> {
        call.principal.require(Action::GrantCalls)?;
        let skills = checked(&new)?;
        let mut work = self.work(&call.principal.name).await?;
        let case = work.case(&call.scope(), case).await?;
        if matches!(case.state, CaseState::Closed | CaseState::Standing) {
            return Err(DeskError::Conflict(format!(
                "case {} is {}: open another one for further calls",
                case.number,
                case.state.as_str()
            )));
        }
        let holder =
            device_of(&mut work.tx, &Scope::Customer(case.customer.clone()), &new.holder.key()).await?;
        let record = work.grant(&call.principal.name, &case, &new, &skills).await?;
        let title = format!("{} calls granted to {}", new.calls, holder.name);
        let names = skills.iter().map(Skill::to_string).collect::<Vec<_>>().join(", ");
        let detail = format!("{names}; until {}", record.grant.until);
        work.note(&case, TimelineKind::Granted, title, detail, Some(record.grant.id.as_str())).await?;
        work.finish(call, 201, record).await
    }

    /// The grants of a case, oldest first.
    pub async fn grants(
        &self,
        principal: &access::Principal,
        case: &CaseId,
    ) -> Result<Page<GrantRecord>, DeskError> {
        principal.require(Action::ReadCase)?;
        let scope = scope_of(principal);
        let mut tx = self.store().read().await?;
        if tx.get::<Case>(&scope, case.as_str()).await?.is_none() {
            return Err(DeskError::not_found("case", case.as_str()));
        }
        let items = tx.all::<GrantRecord>(&scope, &Filter::under(case.as_str())).await?;
        Ok(Page { items, next: None })
    }

    /// The signed grants that the calling device holds and that still count.
    pub async fn held_grants(&self, principal: &access::Principal) -> Result<Page<Envelope>, DeskError> {
        principal.require(Action::TakeCommand)?;
        let scope = scope_of(principal);
        let device = principal
            .device
            .as_ref()
            .ok_or_else(|| DeskError::invalid("device", "only devices hold grants"))?;
        let mut tx = self.store().read().await?;
        let device: Device = tx
            .get(&scope, device.as_str())
            .await?
            .ok_or_else(|| DeskError::not_found("device", device.as_str()))?;
        let holder = NodeId::of(&device.public_key);
        let now = self.now();
        let open = tx.all::<GrantRecord>(&scope, &Filter::in_state("open")).await?;
        let held = open.into_iter().filter(|record| record.grant.holder == holder && record.left(now) > 0);
        Ok(Page { items: held.map(|record| record.envelope).collect(), next: None })
    }
}

impl Work<'_> {
    async fn grant(
        &mut self,
        by: &str,
        case: &Case,
        new: &NewGrant,
        skills: &[Skill],
    ) -> Result<GrantRecord, DeskError> {
        let others = self
            .tx
            .all::<GrantRecord>(&Scope::Customer(case.customer.clone()), &Filter::in_state("open"))
            .await?;
        let counts = |other: &&GrantRecord| other.grant.case == case.id && other.left(self.now) > 0;
        if others.iter().filter(counts).count() >= MAX_GRANTS {
            return Err(DeskError::Conflict(format!(
                "a case has at most {MAX_GRANTS} grants at a time: use these first, or wait until one has ended"
            )));
        }
        let mut by_plan = None;
        let (mut granted, mut prices) = (Vec::new(), Vec::new());
        for skill in skills {
            let (plan, price) = self.granted_price(case, *skill, new.calls, &others).await?;
            let unit_price = in_minor_units(price.unit_price, &plan)?;
            granted.push(GrantedSkill { skill: skill.to_string(), sku: price.sku.to_string(), unit_price });
            prices.push(price);
            by_plan = Some(plan.id);
        }
        let plan = by_plan.ok_or_else(|| DeskError::invalid("skills", "name at least one skill"))?;
        let grant = Grant {
            id: self.id(),
            holder: new.holder,
            case: case.id.clone(),
            customer: case.customer.clone(),
            skills: granted,
            most_calls: new.calls,
            from: self.now,
            until: self.after(i64::from(new.hours) * 3600),
        };
        let operator = self.desk.signer(Kind::MeshGrant.signer())?;
        let envelope = grant.sign(operator).map_err(|e| DeskError::invalid("grant", e))?;
        let id: &GrantId = &grant.id;
        self.record_signed(Kind::MeshGrant, id.as_str(), Owner::case(case), envelope.clone()).await?;
        let record = GrantRecord {
            digest: Grant::digest(&envelope),
            grant,
            envelope,
            granted: self.now,
            granted_by: by.to_owned(),
            plan,
            prices,
            used: 0,
            refused: 0,
            state: GrantState::Open,
        };
        self.tx.insert(&record).await?;
        Ok(record)
    }

    /// What one call costs, once the plan covers all that may still come in, by this grant and the others.
    async fn granted_price(
        &mut self,
        case: &Case,
        skill: Skill,
        calls: u32,
        others: &[GrantRecord],
    ) -> Result<(Plan, GrantPrice), DeskError> {
        let (plan, sku) = self.plan_and_sku(case, skill).await?;
        let open = others.iter().filter(|other| other.price(skill).is_some());
        let promised: u64 = open.map(|other| u64::from(other.left(self.now))).sum();
        let used = self.used(case, &sku).await?;
        let before_the_last = used + Decimal::from(promised) + Decimal::from(calls.saturating_sub(1));
        self.desk
            .content()
            .catalogue
            .entitled(&plan, &sku, before_the_last)
            .map_err(|e| DeskError::NotEntitled(format!("{calls} more calls of {skill}: {e}")))?;
        let unit_price =
            plan.prices.get(&sku).map(|price| price.unit_price).ok_or_else(|| {
                DeskError::NotEntitled(format!("the plan {} has no price for {sku}", plan.id))
            })?;
        Ok((plan, GrantPrice { skill, sku, unit_price }))
    }
}

/// The skills, each once, when the request is within bounds.
fn checked(new: &NewGrant) -> Result<Vec<Skill>, DeskError> {
    let mut skills = new.skills.clone();
    skills.sort_unstable();
    skills.dedup();
    if skills.is_empty() || skills.len() != new.skills.len() {
        return Err(DeskError::invalid("skills", "name one or more skills, each once"));
    }
    if skills.contains(&Skill::RemediationApply) {
        return Err(DeskError::invalid("skills", "a change is applied by approving its change set"));
    }
    if skills.iter().any(|skill| !skill.needs_case()) {
        return Err(DeskError::invalid("skills", "models are asked where they are, not over the mesh"));
    }
    if new.calls == 0 || new.calls > MAX_CALLS {
        return Err(DeskError::invalid("calls", format!("write a number from 1 to {MAX_CALLS}")));
    }
    if new.hours == 0 || new.hours > MAX_HOURS {
        return Err(DeskError::invalid("hours", format!("write a number from 1 to {MAX_HOURS}")));
    }
    Ok(skills)
}

/// A price as the signed grant says it: rounded up, so that nobody is charged more than it says.
fn in_minor_units(price: Decimal, plan: &Plan) -> Result<Money, DeskError> {
    let places = plan.currency.exponent();
    let up = price.round_dp_with_strategy(places, RoundingStrategy::AwayFromZero);
    Money::round(up, plan.currency).map_err(|e| DeskError::Internal(e.to_string()))
}
