//! What an agent key may spend: the price of a call is held when it is let in, and charged when it is done.
//!
//! Both happen in a transaction that may write, and those run one after another: what two calls at once may spend is
//! decided as if one had come after the other. A call is charged at most what was held for it.

use access::{Principal, Role, agent_key};
use agents::Skill;
use echo_core::{Currency, CustomerId, Id as _, Timestamp, TokenId};
use jiff::{ToSpan as _, tz::TimeZone};
use revenue::{MeterEvent, Plan, Rated, SkuId};
use rust_decimal::Decimal;
use serde::{Deserialize, Serialize};
use store::{Filter, Record, Scope, Tx};

use crate::{AgentKey, Case, DeskError, SkillCall, agent_key::AgentKeyRecord, work::Work};

/// The most calls of one customer that may be running when an agent's call is let in.
const MAX_RUNNING: usize = 1_000;

/// What an agent key was charged in one calendar month (UTC).
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
struct KeySpend {
    id: String,
    customer: CustomerId,
    charged: Decimal,
}

impl Record for KeySpend {
    const KIND: &'static str = "agent key spend";

    fn id(&self) -> &str {
        &self.id
    }

    fn customer(&self) -> Option<&CustomerId> {
        Some(&self.customer)
    }
}

/// A call that an agent key may make.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Hold {
    /// By which key.
    pub(crate) key: TokenId,
    /// The most that the call will be charged, in major units.
    pub(crate) price: Decimal,
}

/// What a key has spent this month and what its running calls may still cost, in major units.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Spent {
    pub(crate) charged: Decimal,
    pub(crate) held: Decimal,
}

/// What `key` was charged in the month of `now`, and what is held for those of the `running` calls that are its own.
pub(crate) async fn spent(
    tx: &mut Tx,
    key: &AgentKey,
    currency: Currency,
    running: &[SkillCall],
    now: Timestamp,
) -> Result<Spent, DeskError> {
    let scope = Scope::Customer(key.customer.clone());
    let known = tx.get::<KeySpend>(&scope, &month_of(&key.id, currency, now)).await?;
    let own = running.iter().filter(|call| call.key.as_ref() == Some(&key.id));
    Ok(Spent {
        charged: known.map_or(Decimal::ZERO, |known| known.charged),
        held: own.filter_map(|call| call.held).sum(),
    })
}

/// The calls of a customer that have begun and not ended.
pub(crate) async fn running(tx: &mut Tx, customer: &CustomerId) -> Result<Vec<SkillCall>, DeskError> {
    Ok(tx.all(&Scope::Customer(customer.clone()), &Filter::in_state("running")).await?)
}

impl Work<'_> {
    /// Whether the agent key that asks may call `skill` and pay for it; nothing when it is no agent that asks.
    ///
    /// # Errors
    /// [`DeskError::Unauthenticated`] when the key has ended meanwhile, [`DeskError::NotListed`] when it does not list
    /// the skill, [`DeskError::SpendCap`] when it may not spend so much.
    pub(crate) async fn hold(
        &mut self,
        principal: &Principal,
        case: &Case,
        skill: Skill,
        plan: &Plan,
        sku: &SkuId,
        used: Decimal,
    ) -> Result<Option<Hold>, DeskError> {
        if principal.role != Role::Agent {
            return Ok(None);
        }
        let key = self.asking_key(principal, case).await?;
        if !key.skills.contains(&skill) {
            let listed = key.skills.iter().map(|s| s.as_str()).collect::<Vec<_>>().join(", ");
            return Err(DeskError::NotListed { key: key.name, skill: skill.to_string(), listed });
        }
        let running = running(&mut self.tx, &case.customer).await?;
        if running.len() >= MAX_RUNNING {
            return Err(DeskError::Conflict(format!(
                "{MAX_RUNNING} calls of this customer are running: wait until some have ended"
            )));
        }
        // Whoever began before may take what the plan still includes, so it is not promised twice.
        let before = running.iter().filter(|call| call.skill == skill).count();
        let price = self.price(case, plan, sku, used + Decimal::from(before));
        let spent = spent(&mut self.tx, &key, plan.currency, &running, self.now).await?;
        within_cap(&key, spent, price, plan.currency, self.now)?;
        Ok(Some(Hold { key: key.id, price }))
    }

    async fn asking_key(&mut self, principal: &Principal, case: &Case) -> Result<AgentKey, DeskError> {
        let scope = Scope::Customer(case.customer.clone());
        let record = self.tx.get::<AgentKeyRecord>(&scope, principal.token.as_str()).await?;
        let key = record.map(|record| record.key).ok_or(agent_key::AgentKeyError::Unknown);
        // It was good when the request came in; it may have been revoked since.
        key.and_then(|key| agent_key::in_force(key.expires, key.revoked, self.now).map(|()| key))
            .map_err(|e| DeskError::Unauthenticated(e.to_string()))
    }

    /// What one use costs after `used` units this month. A plan without a price refuses the call a step later.
    fn price(&self, case: &Case, plan: &Plan, sku: &SkuId, used: Decimal) -> Decimal {
        let event = MeterEvent {
            id: self.id(),
            customer: case.customer.clone(),
            case: case.id.clone(),
            device: case.device.clone(),
            call: self.id(),
            sku: sku.clone(),
            quantity: Decimal::ONE,
            at: self.now,
        };
        revenue::rate(plan, &event, used).map_or(Decimal::ZERO, |rated| rated.amount)
    }

    /// Rates a use, and counts it to the agent key that asked for it, if one did.
    ///
    /// What was included, or cheaper, when an agent's call began stays so: its cap was asked about that price.
    pub(crate) async fn rated(
        &mut self,
        call: &SkillCall,
        plan: &mut Plan,
        event: &MeterEvent,
        used: Decimal,
    ) -> Result<Rated, DeskError> {
        let rate =
            |plan: &Plan| revenue::rate(plan, event, used).map_err(|e| DeskError::Conflict(e.to_string()));
        let mut rated = rate(plan)?;
        if let (Some(held), Some(price)) = (call.held, plan.prices.get_mut(&event.sku))
            && rated.amount > held
        {
            price.unit_price = held;
            rated = rate(plan)?;
        }
        if let Some(key) = &call.key {
            self.charge_key(key, &call.customer, rated.amount, rated.currency).await?;
        }
        Ok(rated)
    }

    /// Adds a charge to what a key has spent this month.
    async fn charge_key(
        &mut self,
        key: &TokenId,
        customer: &CustomerId,
        amount: Decimal,
        currency: Currency,
    ) -> Result<(), DeskError> {
        let id = month_of(key, currency, self.now);
        if let Some(mut spend) = self.tx.get::<KeySpend>(&Scope::Customer(customer.clone()), &id).await? {
            spend.charged += amount;
            return Ok(self.tx.update(&spend).await?);
        }
        Ok(self.tx.insert(&KeySpend { id, customer: customer.clone(), charged: amount }).await?)
    }
}

/// The id of a key's month; another currency counts apart.
fn month_of(key: &TokenId, currency: Currency, now: Timestamp) -> String {
    format!("{key}/{}/{currency}", now.strftime("%Y-%m"))
}

/// Refuses what would take the key above its cap.
fn within_cap(
    key: &AgentKey,
    spent: Spent,
    price: Decimal,
    currency: Currency,
    now: Timestamp,
) -> Result<(), DeskError> {
    let Some(cap) = key.cap else { return Ok(()) };
    if cap.currency != currency {
        return Err(DeskError::Conflict(format!(
            "the key {} has a cap in {} and the customer's plan is in {currency}: make a new key",
            key.name, cap.currency
        )));
    }
    let limit = cap.major();
    if spent.charged + spent.held + price <= limit {
        return Ok(());
    }
    let held = if spent.held.is_zero() {
        String::new()
    } else {
        format!(" and holds {} for running calls,", shown(spent.held, currency))
    };
    let way_out = if price > limit {
        "make a key with a higher cap".to_owned()
    } else {
        format!("make a key with a higher cap or wait until {}", next_month(now))
    };
    Err(DeskError::SpendCap(format!(
        "the key {} has spent {}{held} of its {cap} this month; this call would cost {}: {way_out}",
        key.name,
        shown(spent.charged, currency),
        shown(price, currency),
    )))
}

/// An exact amount with at least the currency's places.
fn shown(amount: Decimal, currency: Currency) -> String {
    let amount = amount.normalize();
    let places = amount.scale().max(currency.exponent()) as usize;
    format!("{amount:.places$} {currency}")
}

/// The first day of the next month, UTC: `1 December`.
fn next_month(now: Timestamp) -> String {
    let first = now.to_zoned(TimeZone::UTC).date().first_of_month();
    first.checked_add(1.month()).unwrap_or(first).strftime("%-d %B").to_string()
}

#[cfg(test)]
mod tests {
    use echo_core::Money;
    use proptest::prelude::*;

    use super::*;

    fn key(cap: Option<i64>) -> AgentKey {
        let mint = echo_core::Mint::system();
        AgentKey {
            id: mint.id(),
            name: "night shift".to_owned(),
            customer: mint.id(),
            skills: vec![Skill::AdvisoryAnswer],
            cap: cap.map(|minor| Money::new(minor, Currency::EUR)),
            expires: Timestamp::MAX,
            made_by: "Operator".to_owned(),
            made: Timestamp::UNIX_EPOCH,
            last_used: None,
            revoked: None,
        }
    }

    fn cents(minor: i64) -> Decimal {
        Decimal::new(minor, 2)
    }

    fn asked(cap: i64, charged: i64, held: i64, price: Decimal) -> Result<(), DeskError> {
        let spent = Spent { charged: cents(charged), held: cents(held) };
        let now = "2026-11-23T17:00:00Z".parse().unwrap();
        within_cap(&key(Some(cap)), spent, price, Currency::EUR, now)
    }

    #[test]
    fn the_refusal_says_what_is_spent_and_when_there_is_more() {
        let said = |cap, charged, held, price| asked(cap, charged, held, price).unwrap_err().to_string();
        assert_eq!(
            said(500, 480, 0, cents(40)),
            "the key night shift has spent 4.80 EUR of its 5.00 EUR this month; this call would cost 0.40 EUR: \
             make a key with a higher cap or wait until 1 December"
        );
        assert!(
            said(500, 400, 80, cents(40)).contains("spent 4.00 EUR and holds 0.80 EUR for running calls, of")
        );
        assert!(said(500, 499, 0, Decimal::new(101, 4)).contains("cost 0.0101 EUR"));
        assert!(said(10, 0, 0, cents(40)).ends_with("make a key with a higher cap"));
    }

    #[test]
    fn the_last_cent_may_be_spent_and_no_fraction_more() {
        assert!(asked(500, 460, 0, cents(40)).is_ok());
        assert!(asked(500, 460, 0, cents(40) + Decimal::new(1, 4)).is_err());
        assert!(asked(0, 0, 0, Decimal::ZERO).is_ok(), "what is included costs nothing");
    }

    #[test]
    fn a_cap_in_another_currency_covers_nothing() {
        let spent = Spent { charged: Decimal::ZERO, held: Decimal::ZERO };
        let yen = "JPY".parse().unwrap();
        let refused = within_cap(&key(Some(500)), spent, Decimal::ZERO, yen, Timestamp::UNIX_EPOCH);
        assert!(matches!(refused, Err(DeskError::Conflict(_))));
        assert!(within_cap(&key(None), spent, cents(1), yen, Timestamp::UNIX_EPOCH).is_ok());
    }

    #[test]
    fn the_year_turns_too() {
        assert_eq!(next_month("2026-12-31T23:59:59Z".parse().unwrap()), "1 January");
        assert_eq!(next_month("2028-02-29T00:00:00Z".parse().unwrap()), "1 March");
    }

    proptest! {
        #[test]
        fn what_is_let_in_never_sums_to_more_than_the_cap(
            cap in 0_i64..10_000,
            prices in prop::collection::vec(0_i64..2_000_000, 1..60),
        ) {
            let mut held = Decimal::ZERO;
            let key = key(Some(cap));
            for price in prices {
                let price = Decimal::new(price, 4);
                let spent = Spent { charged: Decimal::ZERO, held };
                let fits = held + price <= cents(cap);
                let asked = within_cap(&key, spent, price, Currency::EUR, Timestamp::UNIX_EPOCH);
                prop_assert_eq!(asked.is_ok(), fits);
                if fits {
                    held += price;
                }
            }
            prop_assert!(held <= cents(cap));
        }
    }
}
