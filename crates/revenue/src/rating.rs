//! Rating: what one metered use costs on a plan. Exact; nothing is rounded here.

use echo_core::Currency;
use rust_decimal::Decimal;
use serde::{Deserialize, Serialize};

use crate::{
    exact::{self, MAX_QUANTITY, QUANTITY_PLACES},
    meter::MeterEvent,
    name::{PlanId, SkuId},
    plan::Plan,
};

/// What a use costs, and why.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Rated {
    /// How much was used.
    #[serde(with = "exact")]
    pub quantity: Decimal,
    /// How much of it the plan includes.
    #[serde(with = "exact")]
    pub included: Decimal,
    /// What each unit of the rest costs, in major units.
    #[serde(with = "exact")]
    pub unit_price: Decimal,
    /// (quantity - included) * unit price, exact, in major units.
    #[serde(with = "exact")]
    pub amount: Decimal,
    /// Of which currency.
    pub currency: Currency,
}

/// Why a use cannot be rated.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum RateError {
    /// The plan has no price for the SKU.
    #[error("the plan {plan} has no price for {sku}: ask `entitled` before the skill is called")]
    NotPriced {
        /// The customer's plan.
        plan: PlanId,
        /// What was used.
        sku: SkuId,
    },
    /// The quantity is negative, too large or too fine.
    #[error(
        "the quantity {0} cannot be rated: 0 to {MAX_QUANTITY} with at most {QUANTITY_PLACES} decimal places is possible"
    )]
    Quantity(Decimal),
    /// What was used before is negative or too fine.
    #[error(
        "the earlier use of {0} makes no sense: it is the sum of this month's quantities, with at most \
         {QUANTITY_PLACES} decimal places"
    )]
    UsedBefore(Decimal),
    /// The plan's price is out of bounds; a parsed catalogue has none such.
    #[error("the plan's unit price of {0} is out of bounds: correct the catalogue")]
    UnitPrice(Decimal),
}

/// Rates `event` on `plan`, when `used_before` units of the same SKU were used earlier in the month.
pub fn rate(plan: &Plan, event: &MeterEvent, used_before: Decimal) -> Result<Rated, RateError> {
    let price = plan
        .prices
        .get(&event.sku)
        .ok_or_else(|| RateError::NotPriced { plan: plan.id.clone(), sku: event.sku.clone() })?;
    if !exact::is_quantity(event.quantity) {
        return Err(RateError::Quantity(event.quantity));
    }
    if !exact::is_usage(used_before) {
        return Err(RateError::UsedBefore(used_before));
    }
    let free = Decimal::from(price.included);
    let included =
        if used_before < free { event.quantity.min((free - used_before).normalize()) } else { Decimal::ZERO };
    let amount = exact::amount(event.quantity, included, price.unit_price)
        .ok_or(RateError::UnitPrice(price.unit_price))?;
    Ok(Rated {
        quantity: event.quantity,
        included,
        unit_price: price.unit_price,
        amount,
        currency: plan.currency,
    })
}

#[cfg(test)]
pub(crate) mod tests {
    use std::sync::Arc;

    use echo_core::{ManualClock, Mint, SeededEntropy, Timestamp};
    use proptest::prelude::*;

    use super::*;
    use crate::{catalogue::tests::small, plan::Price};

    /// A mint that gives the same ids in every run.
    pub(crate) fn mint() -> Mint {
        seeded(5)
    }

    /// A mint whose ids are none of [`mint`]'s.
    pub(crate) fn stranger() -> Mint {
        seeded(6)
    }

    fn seeded(seed: u64) -> Mint {
        let clock = ManualClock::at("2026-11-23T09:30:00Z".parse::<Timestamp>().unwrap());
        Mint::new(Arc::new(clock), Arc::new(SeededEntropy::new(seed)))
    }

    fn event(quantity: Decimal) -> MeterEvent {
        let mint = mint();
        MeterEvent {
            id: mint.id(),
            customer: mint.id(),
            case: mint.id(),
            device: None,
            call: mint.id(),
            sku: "scanner.posture".parse().unwrap(),
            quantity,
            at: mint.now(),
        }
    }

    fn plan(price: &str, included: u32) -> Plan {
        let mut plan = small().plans[1].clone();
        let price = Price { unit_price: exact::parse(price).unwrap(), included, limit: None };
        plan.prices.insert("scanner.posture".parse().unwrap(), price);
        plan
    }

    #[test]
    fn what_is_included_is_used_up_first() {
        let plan = plan("0.75", 2);
        let rows = [
            ("1", "0", "1", "0"),
            ("3", "1", "1", "1.5"),
            ("1", "2", "0", "0.75"),
            ("1", "99999999999", "0", "0.75"),
            ("0.5", "1.999999", "0.000001", "0.37499925"),
        ];
        for row in rows {
            let [quantity, before, included, amount] =
                <[&str; 4]>::from(row).map(|t| exact::parse(t).unwrap());
            let rated = rate(&plan, &event(quantity), before).unwrap();
            assert_eq!((rated.included, rated.amount), (included, amount), "{row:?}");
        }
    }

    #[test]
    fn impossible_values_are_errors() {
        let plan = plan("0.75", 2);
        let rate = |quantity, before| rate(&plan, &event(quantity), before);
        for bad in [
            Decimal::MAX,
            Decimal::NEGATIVE_ONE,
            Decimal::new(1, 7),
            Decimal::from(MAX_QUANTITY) + Decimal::ONE,
        ] {
            assert_eq!(rate(bad, Decimal::ZERO), Err(RateError::Quantity(bad)));
        }
        for bad in [Decimal::MIN, Decimal::new(1, 7)] {
            assert_eq!(rate(Decimal::ONE, bad), Err(RateError::UsedBefore(bad)));
        }
        assert!(rate(Decimal::ONE, Decimal::MAX).is_ok());
    }

    #[test]
    fn a_plan_made_by_hand_with_a_wild_price_is_an_error() {
        let mut plan = plan("0.75", 2);
        let sku: SkuId = "scanner.posture".parse().unwrap();
        for bad in [Decimal::MAX, Decimal::NEGATIVE_ONE, Decimal::new(1, 5)] {
            plan.prices.get_mut(&sku).unwrap().unit_price = bad;
            let result = rate(&plan, &event(Decimal::TEN), Decimal::ZERO);
            assert_eq!(result, Err(RateError::UnitPrice(bad)));
        }
        plan.prices.remove(&sku);
        assert!(matches!(rate(&plan, &event(Decimal::ONE), Decimal::ZERO), Err(RateError::NotPriced { .. })));
    }

    proptest! {
        #[test]
        fn rating_is_never_negative_and_never_more_than_the_full_price(
            quantity in 0_i64..=10_000_000_000_000,
            before in 0_i64..=i64::MAX,
            price in 0_i64..=100_000_000_000,
            included: u32,
        ) {
            let plan = plan(&Decimal::new(price, 4).to_string(), included);
            let rated = rate(&plan, &event(Decimal::new(quantity, 6)), Decimal::new(before, 6)).unwrap();
            prop_assert!(rated.amount >= Decimal::ZERO);
            prop_assert!(rated.included >= Decimal::ZERO && rated.included <= rated.quantity);
            prop_assert!(rated.amount <= rated.quantity * rated.unit_price);
        }

        #[test]
        fn splitting_a_use_never_changes_what_is_due(
            parts in prop::collection::vec(0_i64..=2_000_000_000, 1..20),
            before in 0_i64..=20_000_000,
            price in 0_i64..=1_000_000,
            included in 0_u32..200,
        ) {
            let plan = plan(&Decimal::new(price, 4).to_string(), included);
            let whole = Decimal::new(parts.iter().sum(), 6);
            let at_once = rate(&plan, &event(whole), Decimal::new(before, 6)).unwrap();
            let (mut used, mut amount) = (Decimal::new(before, 6), Decimal::ZERO);
            for part in parts {
                let part = Decimal::new(part, 6);
                amount += rate(&plan, &event(part), used).unwrap().amount;
                used += part;
            }
            prop_assert_eq!(amount, at_once.amount);
        }
    }
}
