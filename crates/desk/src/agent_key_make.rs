//! How an agent key is made: whose it is, what it may call and spend, and until when.

use access::{Action, agent_key};
use agents::Skill;
use echo_core::{CustomerId, Id as _, Money, Timestamp};
use jiff::SignedDuration;
use serde::{Deserialize, Serialize};
use store::{Filter, Scope};

use crate::{
    AgentKey, AgentKeyView, Call, Customer, Desk, DeskError,
    agent_key::{AgentKeyRecord, unique_name},
    customer::{checked_name, subscription},
    work::Work,
};

/// The longest that a key may live, in days.
pub const MAX_KEY_DAYS: u32 = 366;
/// How long a key lives when nobody says otherwise, in days.
pub const KEY_DAYS: u32 = 90;
/// The most keys of one customer that are not revoked.
pub const MAX_KEYS: u64 = 100;

/// A key with its secret, which is shown this once.
#[derive(Clone, PartialEq, Eq, Serialize)]
pub struct MadeAgentKey {
    /// The key.
    pub key: AgentKeyView,
    /// The secret, for the `Authorization: Bearer` header.
    pub secret: String,
}

impl std::fmt::Debug for MadeAgentKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("MadeAgentKey").field("key", &self.key).finish_non_exhaustive()
    }
}

/// What is needed for a key.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct NewAgentKey {
    /// Whose; demanded from the operator's people, and for customers their own.
    #[serde(default)]
    pub customer: Option<CustomerId>,
    /// What people call it, 1 to 120 characters.
    pub name: String,
    /// The skills that it may call, each once; a change is applied by approving it, and by no key.
    pub skills: Vec<Skill>,
    /// The most that its calls may cost in a calendar month, in the currency of the customer's plan.
    #[serde(default)]
    pub cap: Option<Money>,
    /// For how many days it is good, 1 to 366; 90 when not said.
    #[serde(default)]
    pub days: Option<u32>,
}

impl Desk {
    /// Makes an agent key. The answer holds a secret and is not kept: a retry is told that the name is taken.
    ///
    /// # Errors
    /// [`DeskError::Invalid`] for rights that no key can have, [`DeskError::Conflict`] when the name is taken or there
    /// are too many.
    pub async fn make_agent_key(&self, call: &Call, new: NewAgentKey) -> Result<MadeAgentKey, DeskError> {
        call.principal.require(Action::ManageAgentKeys)?;
        let mut work = self.work(&call.principal.name).await?;
        let customer = work.owner_of_key(call, new.customer.clone()).await?;
        let made = work.make_agent_key(customer, new).await?;
        work.commit().await?;
        Ok(made)
    }
}

impl Work<'_> {
    async fn owner_of_key(&mut self, call: &Call, asked: Option<CustomerId>) -> Result<Customer, DeskError> {
        let id = asked
            .or_else(|| call.principal.customer.clone())
            .ok_or_else(|| DeskError::invalid("customer", "say whose key this is"))?;
        self.tx
            .get(&call.scope(), id.as_str())
            .await?
            .ok_or_else(|| DeskError::not_found("customer", id.as_str()))
    }

    async fn make_agent_key(
        &mut self,
        customer: Customer,
        new: NewAgentKey,
    ) -> Result<MadeAgentKey, DeskError> {
        let name = checked_name("name", &new.name)?;
        let skills = checked_skills(new.skills)?;
        let days = new.days.unwrap_or(KEY_DAYS);
        if days == 0 || days > MAX_KEY_DAYS {
            return Err(DeskError::invalid("days", format!("write a number from 1 to {MAX_KEY_DAYS}")));
        }
        if let Some(cap) = new.cap {
            self.check_cap(&customer.id, cap).await?;
        }
        self.room_for_key(&customer.id, &name).await?;
        let minted = agent_key::mint(self.desk.mint());
        let key = AgentKey {
            id: minted.id,
            name,
            customer: customer.id,
            skills,
            cap: new.cap,
            expires: self
                .now
                .saturating_add(SignedDuration::from_hours(i64::from(days) * 24))
                .unwrap_or(Timestamp::MAX),
            made_by: self.actor.clone(),
            made: self.now,
            last_used: None,
            revoked: None,
        };
        self.tx.insert(&AgentKeyRecord { key: key.clone(), digest: minted.digest }).await?;
        self.enter_key(&key, key.id.as_str(), "made").await?;
        let view = self.desk.agent_key_view(&mut self.tx, key).await?;
        Ok(MadeAgentKey { key: view, secret: minted.secret })
    }

    async fn check_cap(&mut self, customer: &CustomerId, cap: Money) -> Result<(), DeskError> {
        let subscription = subscription(&mut self.tx, customer).await?;
        let catalogue = &self.desk.content().catalogue;
        let currency = catalogue.plan(&subscription.plan).map_or(catalogue.currency, |plan| plan.currency);
        if cap.currency != currency {
            let reason = format!("the customer's plan is in {currency}: write the cap in it");
            return Err(DeskError::invalid("cap", reason));
        }
        if cap.minor < 0 {
            return Err(DeskError::invalid("cap", "write 0 or more"));
        }
        Ok(())
    }

    async fn room_for_key(&mut self, customer: &CustomerId, name: &str) -> Result<(), DeskError> {
        let scope = Scope::Customer(customer.clone());
        let same = self.tx.get_unique::<AgentKeyRecord>(&scope, &unique_name(customer, name)).await?;
        if let Some(same) = same {
            return Err(DeskError::Conflict(format!(
                "there is an agent key {name} already ({}): revoke it, or choose another name",
                same.key.id
            )));
        }
        if self.tx.count::<AgentKeyRecord>(&scope, &Filter::in_state("kept")).await? >= MAX_KEYS {
            return Err(DeskError::Conflict(format!(
                "a customer has at most {MAX_KEYS} agent keys: revoke those that are not needed"
            )));
        }
        Ok(())
    }
}

/// The skills, each once.
fn checked_skills(mut skills: Vec<Skill>) -> Result<Vec<Skill>, DeskError> {
    let given = skills.len();
    skills.sort_unstable();
    skills.dedup();
    if skills.is_empty() || skills.len() != given {
        return Err(DeskError::invalid("skills", "name one or more skills, each once"));
    }
    if skills.contains(&Skill::RemediationApply) {
        return Err(DeskError::invalid(
            "skills",
            "a change is applied by approving its change set, by a person",
        ));
    }
    Ok(skills)
}
