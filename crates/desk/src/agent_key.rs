//! Agent keys: standing credentials for programs, so that none is given a person's session.
//!
//! A key belongs to one customer, lists the skills it may call, and may have a cap on what its calls cost in a month
//! (see `agent_spend`). The secret is shown once and kept as its digest.

use access::{Action, Principal, Role, agent_key};
use agents::Skill;
use dossier::Kind;
use echo_core::{Currency, CustomerId, Digest, Id as _, Money, Page, PageRequest, Timestamp, TokenId};
use jiff::{civil::Date, tz::TimeZone};
use rust_decimal::Decimal;
use serde::{Deserialize, Serialize};
use store::{Filter, Record, Scope, Tx};

use crate::{
    Call, Desk, DeskError, Event,
    agent_spend::{running, spent},
    call::scope_of,
    work::{Owner, Work},
};

/// A program's standing credential.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct AgentKey {
    /// Its id.
    pub id: TokenId,
    /// What people call it; no two of a customer's keys that are not revoked share a name.
    pub name: String,
    /// Whose it is.
    pub customer: CustomerId,
    /// The skills that it may call.
    pub skills: Vec<Skill>,
    /// The most that its calls may cost in a calendar month (UTC); nothing when only the plan bounds it.
    pub cap: Option<Money>,
    /// From when on it is good for nothing.
    pub expires: Timestamp,
    /// Who made it.
    pub made_by: String,
    /// When.
    pub made: Timestamp,
    /// The last day (UTC) on which it was used.
    pub last_used: Option<Date>,
    /// When it was revoked.
    pub revoked: Option<Timestamp>,
}

/// Whether a key is good.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum AgentKeyState {
    /// It is.
    Active,
    /// Its time is over.
    Expired,
    /// It was ended.
    Revoked,
}

/// A key with what it spends.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct AgentKeyView {
    /// The key.
    #[serde(flatten)]
    pub key: AgentKey,
    /// Whether it is good.
    pub state: AgentKeyState,
    /// What its calls were charged this month (UTC), exact, in major units.
    pub spent: Decimal,
    /// The most that its running calls will be charged, exact, in major units.
    pub held: Decimal,
    /// Of which currency both are.
    pub currency: Currency,
}

/// A key as it is kept: with the digest of its secret.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct AgentKeyRecord {
    pub(crate) key: AgentKey,
    pub(crate) digest: Digest,
}

impl Record for AgentKeyRecord {
    const KIND: &'static str = "agent key";

    fn id(&self) -> &str {
        self.key.id.as_str()
    }

    fn customer(&self) -> Option<&CustomerId> {
        Some(&self.key.customer)
    }

    fn state(&self) -> &str {
        if self.key.revoked.is_some() { "revoked" } else { "kept" }
    }

    /// A revoked key gives its name up.
    fn unique(&self) -> Option<String> {
        self.key.revoked.is_none().then(|| unique_name(&self.key.customer, &self.key.name))
    }
}

/// The unique key of a kept key: its owner and its name.
pub(crate) fn unique_name(customer: &CustomerId, name: &str) -> String {
    format!("{customer}/{name}")
}

/// What is signed and entered of a key: its rights, once when it is made and once when it is revoked.
#[derive(Debug, Serialize)]
struct AgentKeyDocument<'a> {
    id: &'a TokenId,
    name: &'a str,
    customer: &'a CustomerId,
    skills: &'a [Skill],
    cap: Option<Money>,
    expires: Timestamp,
    made_by: &'a str,
    made: Timestamp,
    revoked: Option<Timestamp>,
    revoked_by: Option<&'a str>,
}

impl AgentKey {
    /// The key's holder, as whoever asks.
    fn principal(&self) -> Principal {
        Principal {
            subject: self.id.to_string(),
            name: self.name.clone(),
            role: Role::Agent,
            customer: Some(self.customer.clone()),
            device: None,
            token: self.id.clone(),
            family: None,
        }
    }

    fn state(&self, now: Timestamp) -> AgentKeyState {
        match agent_key::in_force(self.expires, self.revoked, now) {
            Ok(()) => AgentKeyState::Active,
            Err(agent_key::AgentKeyError::Revoked(_)) => AgentKeyState::Revoked,
            Err(_) => AgentKeyState::Expired,
        }
    }
}

impl Desk {
    /// The agent keys that the caller may see, newest first, with what each has spent this month.
    pub async fn agent_keys(
        &self,
        principal: &Principal,
        page: &PageRequest,
    ) -> Result<Page<AgentKeyView>, DeskError> {
        principal.require(Action::ManageAgentKeys)?;
        let mut tx = self.store().read().await?;
        let found = tx.list::<AgentKeyRecord>(&scope_of(principal), &Filter::default(), page).await?;
        let mut items = Vec::with_capacity(found.items.len());
        for record in found.items {
            items.push(self.agent_key_view(&mut tx, record.key).await?);
        }
        Ok(Page { items, next: found.next })
    }

    /// Ends an agent key at once. What it called already goes on, and is charged.
    ///
    /// # Errors
    /// [`DeskError::Conflict`] when it is revoked already.
    pub async fn revoke_agent_key(&self, call: &Call, id: &TokenId) -> Result<AgentKeyView, DeskError> {
        call.principal.require(Action::ManageAgentKeys)?;
        let mut work = self.work(&call.principal.name).await?;
        let mut record: AgentKeyRecord = work
            .tx
            .get(&call.scope(), id.as_str())
            .await?
            .ok_or_else(|| DeskError::not_found("agent key", id.as_str()))?;
        if record.key.revoked.is_some() {
            let name = record.key.name;
            return Err(DeskError::Conflict(format!("the agent key {name} is revoked already")));
        }
        record.key.revoked = Some(work.now);
        work.tx.update(&record).await?;
        work.enter_key(&record.key, &format!("{id}-revoked"), "revoked").await?;
        let view = self.agent_key_view(&mut work.tx, record.key).await?;
        work.finish(call, 200, view).await
    }

    /// The calling agent's own key with what it has spent this month; nothing when no agent calls.
    pub async fn own_agent_key(&self, principal: &Principal) -> Result<Option<AgentKeyView>, DeskError> {
        if principal.role != Role::Agent {
            return Ok(None);
        }
        let mut tx = self.store().read().await?;
        let record = tx.get::<AgentKeyRecord>(&scope_of(principal), principal.token.as_str()).await?;
        match record {
            Some(record) => Ok(Some(self.agent_key_view(&mut tx, record.key).await?)),
            None => Ok(None),
        }
    }

    /// Who holds this agent key, if it is good.
    pub(crate) async fn authenticate_key(&self, secret: &str) -> Result<Principal, DeskError> {
        let refused = |e: agent_key::AgentKeyError| DeskError::Unauthenticated(e.to_string());
        let unknown = || refused(agent_key::AgentKeyError::Unknown);
        let id = agent_key::id_of(secret).ok_or_else(unknown)?;
        let mut tx = self.store().read().await?;
        let record: AgentKeyRecord = tx.get(&Scope::All, id.as_str()).await?.ok_or_else(unknown)?;
        drop(tx);
        let (key, now) = (&record.key, self.now());
        agent_key::check(secret, &record.digest, key.expires, key.revoked, now).map_err(refused)?;
        let today = now.to_zoned(TimeZone::UTC).date();
        if key.last_used != Some(today)
            && let Err(error) = self.note_key_use(&id, today).await
        {
            // The day of the last use is worth no refusal.
            tracing::warn!(key = %id, %error, "the day of an agent key's use could not be kept");
        }
        Ok(record.key.principal())
    }

    async fn note_key_use(&self, id: &TokenId, today: Date) -> Result<(), DeskError> {
        let mut tx = self.store().write().await?;
        if let Some(mut record) = tx.get::<AgentKeyRecord>(&Scope::All, id.as_str()).await? {
            record.key.last_used = Some(today);
            tx.update(&record).await?;
        }
        Ok(tx.commit().await?)
    }

    pub(crate) async fn agent_key_view(&self, tx: &mut Tx, key: AgentKey) -> Result<AgentKeyView, DeskError> {
        let (now, currency) = (self.now(), self.content().catalogue.currency);
        let running = running(tx, &key.customer).await?;
        let spent = spent(tx, &key, currency, &running, now).await?;
        Ok(AgentKeyView { state: key.state(now), spent: spent.charged, held: spent.held, currency, key })
    }
}

impl Work<'_> {
    /// Signs what a key may do, owes it to the genesis ledger as `id`, and tells those who watch.
    pub(crate) async fn enter_key(&mut self, key: &AgentKey, id: &str, what: &str) -> Result<(), DeskError> {
        let actor = self.actor.clone();
        let document = AgentKeyDocument {
            id: &key.id,
            name: &key.name,
            customer: &key.customer,
            skills: &key.skills,
            cap: key.cap,
            expires: key.expires,
            made_by: &key.made_by,
            made: key.made,
            revoked: key.revoked,
            revoked_by: key.revoked.is_some().then_some(actor.as_str()),
        };
        let owner = Owner { customer: Some(&key.customer), parent: Some(key.id.as_str()) };
        self.record(Kind::AgentKey, id, owner, &document).await?;
        let event = Event {
            topic: "agent_key".to_owned(),
            id: key.id.to_string(),
            what: format!("agent key {} {what} by {actor}", key.name),
            at: self.now,
        };
        self.tell(Some(&key.customer), &event).await
    }
}
