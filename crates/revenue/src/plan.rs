//! A plan: what a customer may use, what is included and what the rest costs.

use std::collections::BTreeMap;

use echo_core::{Currency, Money};
use rust_decimal::Decimal;
use serde::{Deserialize, Serialize};

use crate::{
    exact,
    name::{PlanId, SkuId},
};

/// A plan of the catalogue.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Plan {
    /// Its name in the API.
    pub id: PlanId,
    /// Its name for people.
    pub name: String,
    /// What it is good for, in a sentence.
    pub description: String,
    /// Whether customers may choose it; a plan that is not offered is never named as a way out.
    pub offered: bool,
    /// The currency of all its prices: the catalogue's.
    pub currency: Currency,
    /// What it costs each month whatever is used.
    pub monthly_fee: Option<Money>,
    /// What it covers. A SKU that is not here cannot be used on this plan.
    pub prices: BTreeMap<SkuId, Price>,
}

/// What one SKU costs on one plan.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Price {
    /// The price of one unit in major units, exact; written as text.
    #[serde(with = "exact")]
    pub unit_price: Decimal,
    /// How many units each month are free of charge.
    #[serde(default)]
    pub included: u32,
    /// After how many units in a month no more may be used; nothing for no limit.
    #[serde(default)]
    pub limit: Option<u32>,
}
