//! Who may use what: asked before a skill is called.

use rust_decimal::Decimal;

use crate::{
    catalogue::Catalogue,
    name::{PlanId, SkuId},
    plan::Plan,
};

/// Why a plan does not allow a use.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NotEntitled {
    /// The plan has no price for the SKU.
    #[error("the plan {plan} does not cover {sku}: {}", way_out(allowed_by))]
    NotCovered {
        /// The customer's plan.
        plan: PlanId,
        /// What was asked for.
        sku: SkuId,
        /// The plans on which it would be allowed now, in the catalogue's order.
        allowed_by: Vec<PlanId>,
    },
    /// The month's limit is used up.
    #[error(
        "the plan {plan} allows {limit} of {sku} a month and {used} are used: wait for next month, or {}",
        way_out(allowed_by)
    )]
    LimitReached {
        /// The customer's plan.
        plan: PlanId,
        /// What was asked for.
        sku: SkuId,
        /// How many units a month are allowed.
        limit: u32,
        /// How many are used.
        used: Decimal,
        /// The plans on which it would be allowed now, in the catalogue's order.
        allowed_by: Vec<PlanId>,
    },
}

fn way_out(plans: &[PlanId]) -> String {
    let names: Vec<&str> = plans.iter().map(PlanId::as_str).collect();
    match names.as_slice() {
        [] => "ask the operator for a plan that allows it".to_owned(),
        names => format!("change to {}", names.join(" or ")),
    }
}

/// Whether `plan` allows one more use of `sku` after `used_this_month` units.
///
/// A use that begins below the limit may end above it. The error names no other plans, as it knows none:
/// [`Catalogue::entitled`] does.
pub fn entitled(plan: &Plan, sku: &SkuId, used_this_month: Decimal) -> Result<(), NotEntitled> {
    let Some(price) = plan.prices.get(sku) else {
        return Err(NotEntitled::NotCovered {
            plan: plan.id.clone(),
            sku: sku.clone(),
            allowed_by: Vec::new(),
        });
    };
    match price.limit {
        Some(limit) if used_this_month >= Decimal::from(limit) => Err(NotEntitled::LimitReached {
            plan: plan.id.clone(),
            sku: sku.clone(),
            limit,
            used: used_this_month.normalize(),
            allowed_by: Vec::new(),
        }),
        _ => Ok(()),
    }
}

impl Catalogue {
    /// [`entitled`], with the offered plans that would allow the use named in the error.
    pub fn entitled(&self, plan: &Plan, sku: &SkuId, used_this_month: Decimal) -> Result<(), NotEntitled> {
        entitled(plan, sku, used_this_month).map_err(|mut refused| {
            let (NotEntitled::NotCovered { allowed_by, .. } | NotEntitled::LimitReached { allowed_by, .. }) =
                &mut refused;
            *allowed_by = self
                .plans
                .iter()
                .filter(|other| other.offered && entitled(other, sku, used_this_month).is_ok())
                .map(|other| other.id.clone())
                .collect();
            refused
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::catalogue::tests::small;

    fn sku(name: &str) -> SkuId {
        name.parse().unwrap()
    }

    #[test]
    fn a_limit_is_reached_at_its_number() {
        let catalogue = small();
        let trial = catalogue.plan(&"trial".parse().unwrap()).unwrap();
        assert_eq!(entitled(trial, &sku("scanner.posture"), Decimal::new(1_999_999, 6)), Ok(()));
        let refused = catalogue.entitled(trial, &sku("scanner.posture"), Decimal::TWO).unwrap_err();
        assert_eq!(
            refused.to_string(),
            "the plan trial allows 2 of scanner.posture a month and 2 are used: wait for next month, or change to basic"
        );
    }

    #[test]
    fn a_sku_that_is_not_priced_is_not_covered_and_a_plan_that_covers_it_is_named() {
        let catalogue = small();
        let trial = catalogue.plan(&"trial".parse().unwrap()).unwrap();
        let refused = catalogue.entitled(trial, &sku("remediation.apply"), Decimal::ZERO).unwrap_err();
        assert_eq!(refused.to_string(), "the plan trial does not cover remediation.apply: change to basic");
        let unknown = catalogue.entitled(trial, &sku("mesh.relay"), Decimal::ZERO).unwrap_err();
        assert!(unknown.to_string().ends_with("ask the operator for a plan that allows it"));
    }

    #[test]
    fn a_plan_that_is_not_offered_is_never_named() {
        let catalogue = small();
        let trial = catalogue.plan(&"trial".parse().unwrap()).unwrap();
        assert!(catalogue.plan(&"internal".parse().unwrap()).is_some());
        for name in ["scanner.posture", "remediation.apply"] {
            let refused = catalogue.entitled(trial, &sku(name), Decimal::TEN).unwrap_err();
            assert!(!refused.to_string().contains("internal"), "{refused}");
        }
    }
}
