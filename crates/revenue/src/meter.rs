//! What is metered and for whom: meter events, subscriptions and the month they are counted in.

use echo_core::{CallId, CaseId, CustomerId, DeviceId, MeterEventId, SubscriptionId, Timestamp};
use jiff::tz::TimeZone;
use rust_decimal::Decimal;
use serde::{Deserialize, Serialize};

use crate::{
    exact,
    name::{PlanId, SkuId},
};

/// One metered use.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct MeterEvent {
    /// Its id; a use is counted once an id.
    pub id: MeterEventId,
    /// Who used it.
    pub customer: CustomerId,
    /// For which case.
    pub case: CaseId,
    /// On which device, if on one.
    pub device: Option<DeviceId>,
    /// In which call.
    pub call: CallId,
    /// What was used.
    pub sku: SkuId,
    /// How much of it, in the SKU's unit; within 0 and [`crate::MAX_QUANTITY`].
    #[serde(with = "exact")]
    pub quantity: Decimal,
    /// When.
    pub at: Timestamp,
}

/// A customer's plan over time.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Subscription {
    /// Its id.
    pub id: SubscriptionId,
    /// Whose.
    pub customer: CustomerId,
    /// To which plan.
    pub plan: PlanId,
    /// From when, inclusive.
    pub started: Timestamp,
    /// Until when, exclusive; nothing while it runs.
    pub ended: Option<Timestamp>,
}

impl Subscription {
    /// Whether it is in force at `at`.
    pub fn covers(&self, at: Timestamp) -> bool {
        self.started <= at && self.ended.is_none_or(|ended| at < ended)
    }
}

/// When the calendar month of `at` began, in UTC: included quantities and limits start afresh there.
pub fn month_start(at: Timestamp) -> Timestamp {
    let date = at.to_zoned(TimeZone::UTC).date().first_of_month();
    // Only the first month that a timestamp can name may begin before it.
    date.to_zoned(TimeZone::UTC).map_or(Timestamp::MIN, |start| start.timestamp())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rating::tests::mint;

    fn at(text: &str) -> Timestamp {
        text.parse().unwrap()
    }

    #[test]
    fn a_month_begins_at_midnight_utc_on_the_first() {
        assert_eq!(month_start(at("2028-02-29T23:59:59.999Z")), at("2028-02-01T00:00:00Z"));
        assert_eq!(month_start(at("2026-12-01T00:00:00Z")), at("2026-12-01T00:00:00Z"));
        assert!(month_start(Timestamp::MIN) <= Timestamp::MIN);
        assert!(month_start(Timestamp::MAX) < Timestamp::MAX);
    }

    #[test]
    fn a_subscription_covers_its_start_but_not_its_end() {
        let mint = mint();
        let mut subscription = Subscription {
            id: mint.id(),
            customer: mint.id(),
            plan: "care".parse().unwrap(),
            started: at("2026-01-01T00:00:00Z"),
            ended: None,
        };
        assert!(subscription.covers(at("2030-01-01T00:00:00Z")));
        assert!(!subscription.covers(at("2025-12-31T23:59:59Z")));
        subscription.ended = Some(at("2026-02-01T00:00:00Z"));
        assert!(subscription.covers(at("2026-01-01T00:00:00Z")));
        assert!(!subscription.covers(at("2026-02-01T00:00:00Z")));
    }
}
