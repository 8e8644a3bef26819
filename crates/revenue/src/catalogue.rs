//! The catalogue: what is sold, by whom and on which plans, read from `manifest/catalogue.yaml`.

use std::collections::{BTreeMap, BTreeSet};

use echo_core::{Currency, Money};
use serde::{Deserialize, Serialize};

use crate::{
    exact::{Exact, MAX_UNIT_PRICE, PRICE_PLACES, is_price},
    name::{PlanId, SkuId},
    plan::{Plan, Price},
    text::{MAX_DESCRIPTION, MAX_TEXT, is_line},
};

/// The most bytes a catalogue file holds.
pub const MAX_CATALOGUE: usize = 256 * 1024;
/// The most SKUs of a catalogue.
pub const MAX_SKUS: usize = 200;
/// The most plans of a catalogue.
pub const MAX_PLANS: usize = 100;
/// The most lines of a seller's address.
const MAX_ADDRESS: usize = 8;
/// All that is sold.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Catalogue {
    /// The currency of every price.
    pub currency: Currency,
    /// Who sells.
    pub seller: Seller,
    /// What is sold, in the file's order.
    pub skus: Vec<Sku>,
    /// On which plans, in the file's order.
    pub plans: Vec<Plan>,
}

/// Who sells, as printed on an invoice.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Seller {
    /// The legal name.
    pub name: String,
    /// The postal address, line by line.
    pub address: Vec<String>,
    /// The tax or VAT number, where there is one.
    #[serde(default)]
    pub tax_id: Option<String>,
}

impl Seller {
    /// Whether it can be printed: bounded lines without hidden characters.
    pub(crate) fn is_printable(&self) -> bool {
        let lines = std::iter::once(&self.name).chain(&self.address).chain(&self.tax_id);
        self.address.len() <= MAX_ADDRESS && lines.into_iter().all(|line| is_line(line, MAX_TEXT))
    }
}

/// One thing that is sold: the use of one skill.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Sku {
    /// Its name.
    pub id: SkuId,
    /// The skill that is metered.
    pub skill: String,
    /// What one of it is called: `scan`, `probe`.
    pub unit: String,
    /// What the customer gets, as printed on an invoice.
    pub description: String,
}

/// Why a catalogue is refused.
#[derive(Debug, thiserror::Error)]
pub enum CatalogueError {
    /// The file is too long.
    #[error("the catalogue has {0} bytes: {MAX_CATALOGUE} at most")]
    TooLarge(usize),
    /// It is not the YAML that is wanted.
    #[error("the catalogue cannot be read: {0}")]
    Yaml(Box<serde_saphyr::Error>),
    /// It reads, but makes no sense.
    #[error("the catalogue's {place}: {problem}")]
    Senseless {
        /// Which entry.
        place: String,
        /// What is wrong and what to write.
        problem: String,
    },
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct CatalogueFile {
    currency: Currency,
    seller: Seller,
    skus: Vec<Sku>,
    plans: Vec<PlanEntry>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct PlanEntry {
    id: PlanId,
    name: String,
    description: String,
    #[serde(default = "yes")]
    offered: bool,
    #[serde(default)]
    monthly_fee: Option<Exact>,
    prices: BTreeMap<SkuId, Price>,
}

fn yes() -> bool {
    true
}

impl Catalogue {
    /// Reads and checks a catalogue.
    ///
    /// Prices are quoted text (`"0.10"`), so that nothing between the file and the bill is inexact.
    pub fn parse(yaml: &str) -> Result<Self, CatalogueError> {
        if yaml.len() > MAX_CATALOGUE {
            return Err(CatalogueError::TooLarge(yaml.len()));
        }
        let options = serde_saphyr::options! {
            budget: serde_saphyr::budget! {
                max_documents: 1,
                max_anchors: 0,
                max_aliases: 0,
            },
            no_schema: true,
        };
        let file: CatalogueFile = serde_saphyr::from_str_with_options(yaml, options)
            .map_err(|e| CatalogueError::Yaml(Box::new(e)))?;
        file.check()?;
        let plans =
            file.plans.into_iter().map(|entry| entry.into_plan(file.currency)).collect::<Result<_, _>>()?;
        Ok(Self { currency: file.currency, seller: file.seller, skus: file.skus, plans })
    }

    /// The plan of that name.
    pub fn plan(&self, id: &PlanId) -> Option<&Plan> {
        self.plans.iter().find(|plan| plan.id == *id)
    }

    /// What is metered when `skill` is called; nothing for a skill that is not sold.
    pub fn sku_for_skill(&self, skill: &str) -> Option<&Sku> {
        self.skus.iter().find(|sku| sku.skill == skill)
    }
}

fn senseless(place: impl Into<String>, problem: impl Into<String>) -> CatalogueError {
    CatalogueError::Senseless { place: place.into(), problem: problem.into() }
}

impl CatalogueFile {
    fn check(&self) -> Result<(), CatalogueError> {
        if !self.seller.is_printable() {
            let problem = format!(
                "give a name and at most {MAX_ADDRESS} address lines, each 1 to {MAX_TEXT} printable characters"
            );
            return Err(senseless("seller", problem));
        }
        if self.skus.len() > MAX_SKUS || self.plans.len() > MAX_PLANS {
            let problem = format!("{MAX_SKUS} SKUs and {MAX_PLANS} plans at most");
            return Err(senseless("lists", problem));
        }
        let (mut ids, mut skills) = (BTreeSet::new(), BTreeSet::new());
        for sku in &self.skus {
            let place = format!("SKU {}", sku.id);
            if !ids.insert(&sku.id) || !skills.insert(&sku.skill) {
                return Err(senseless(place, "its id and its skill may stand in one SKU only"));
            }
            let short = is_line(&sku.skill, MAX_TEXT) && is_line(&sku.unit, MAX_TEXT);
            if !short || !is_line(&sku.description, MAX_DESCRIPTION) {
                return Err(senseless(place, unprintable()));
            }
        }
        let mut names = BTreeSet::new();
        for plan in &self.plans {
            if !names.insert(&plan.id) {
                return Err(senseless(format!("plan {}", plan.id), "its id stands twice"));
            }
            plan.check(&ids)?;
        }
        Ok(())
    }
}

fn unprintable() -> String {
    format!(
        "write texts of 1 to {MAX_TEXT} printable characters, descriptions of 1 to {MAX_DESCRIPTION}, on one line"
    )
}

impl PlanEntry {
    fn check(&self, skus: &BTreeSet<&SkuId>) -> Result<(), CatalogueError> {
        if !is_line(&self.name, MAX_TEXT) || !is_line(&self.description, MAX_DESCRIPTION) {
            return Err(senseless(format!("plan {}", self.id), unprintable()));
        }
        for (sku, price) in &self.prices {
            let place = format!("plan {}, price of {sku}", self.id);
            if !skus.contains(sku) {
                return Err(senseless(place, "there is no such SKU: add it to `skus`"));
            }
            if !is_price(price.unit_price) {
                let problem =
                    format!("0 to {MAX_UNIT_PRICE} with at most {PRICE_PLACES} decimal places is possible");
                return Err(senseless(place, problem));
            }
            if price.limit.is_some_and(|limit| limit < price.included) {
                return Err(senseless(place, "the limit is below what is included: raise it"));
            }
        }
        Ok(())
    }

    fn into_plan(self, currency: Currency) -> Result<Plan, CatalogueError> {
        let monthly_fee = self
            .monthly_fee
            .map(|Exact(fee)| {
                Money::round(fee, currency).ok().filter(|money| money.major() == fee).ok_or_else(|| {
                    let problem = format!("{fee} is not a whole number of the minor units of {currency}");
                    senseless(format!("plan {}, monthly fee", self.id), problem)
                })
            })
            .transpose()?;
        Ok(Plan {
            id: self.id,
            name: self.name,
            description: self.description,
            offered: self.offered,
            currency,
            monthly_fee,
            prices: self.prices,
        })
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use proptest::prelude::*;

    use super::*;

    const SMALL: &str = r#"
currency: EUR
seller: { name: Hill Farm Computing, address: [Lane 1, Dale], tax_id: DE123456789 }
skus:
  - { id: scanner.posture, skill: scanner.posture, unit: scan, description: Posture scan }
  - { id: remediation.apply, skill: remediation.apply, unit: fix, description: Fix applied and proven }
plans:
  - id: trial
    name: Trial
    description: Two scans a month.
    prices: { scanner.posture: { unit_price: "0", limit: 2 } }
  - id: basic
    name: Basic
    description: Pay for what is used.
    monthly_fee: "9.90"
    prices:
      scanner.posture: { unit_price: "0.75", included: 2 }
      remediation.apply: { unit_price: "4.0005" }
  - id: internal
    name: Internal
    description: Our own machines.
    offered: false
    prices:
      scanner.posture: { unit_price: "0" }
      remediation.apply: { unit_price: "0" }
"#;

    /// A catalogue of three plans for the tests of this crate.
    pub(crate) fn small() -> Catalogue {
        Catalogue::parse(SMALL).unwrap()
    }

    fn refusal(from: &str, to: &str) -> String {
        let changed = SMALL.replacen(from, to, 1);
        assert_ne!(changed, SMALL, "nothing to change");
        Catalogue::parse(&changed).unwrap_err().to_string()
    }

    #[test]
    fn plans_and_skus_are_found() {
        let catalogue = small();
        let basic = catalogue.plan(&"basic".parse().unwrap()).unwrap();
        assert_eq!(basic.monthly_fee, Some(Money::new(990, Currency::EUR)));
        assert_eq!(basic.currency, Currency::EUR);
        assert_eq!(catalogue.sku_for_skill("remediation.apply").map(|sku| sku.unit.as_str()), Some("fix"));
        assert_eq!(catalogue.sku_for_skill("nothing"), None);
        assert_eq!(catalogue.plan(&"none".parse().unwrap()), None);
    }

    #[test]
    fn the_shipped_catalogue_is_good() {
        let shipped = Catalogue::parse(include_str!("../../../manifest/catalogue.yaml")).unwrap();
        assert_eq!(shipped.skus.len(), 8);
        assert!(shipped.skus.iter().all(|sku| sku.id.as_str() == sku.skill));
        let names: Vec<_> = shipped.plans.iter().map(|plan| plan.id.as_str()).collect();
        assert_eq!(names, ["pay-as-you-go", "care", "internal"]);
        for plan in &shipped.plans {
            assert_eq!(plan.prices.len(), shipped.skus.len(), "{} prices every SKU", plan.id);
        }
        let internal = &shipped.plans[2];
        assert!(!internal.offered && internal.prices.values().all(|price| price.unit_price.is_zero()));
    }

    #[test]
    fn mistakes_are_named_where_they_are() {
        assert!(refusal("currency: EUR", "currency: EURO").contains("EURO"));
        assert!(refusal("included: 2", "includes: 2").contains("includes"));
        assert!(refusal("\"0.75\"", "0.75").contains("0.75"));
        assert!(refusal("\"0.75\"", "\"-0.75\"").contains("-0.75"));
        assert!(refusal("\"4.0005\"", "\"4.00005\"").contains("plan basic, price of remediation.apply"));
        assert!(refusal("\"9.90\"", "\"9.905\"").contains("monthly fee"));
        assert!(refusal("limit: 2", "limit: 2, included: 3").contains("below"));
        assert!(refusal("prices: { scanner", "prices: { other").contains("no such SKU"));
        assert!(refusal("id: basic", "id: trial").contains("plan trial"));
        assert!(refusal("skill: remediation.apply", "skill: scanner.posture").contains("one SKU only"));
        assert!(refusal("name: Trial", "name: \"Tri\\u202eal\"").contains("printable"));
        assert!(refusal("Lane 1", "\"\"").contains("seller"));
    }

    #[test]
    fn bounds_are_kept() {
        let long = format!("{SMALL}#{}", "x".repeat(MAX_CATALOGUE));
        assert!(matches!(Catalogue::parse(&long), Err(CatalogueError::TooLarge(_))));
        assert!(refusal("seller: {", "seller: &a {").contains("anchor"));
        assert!(Catalogue::parse(&format!("{SMALL}\n---\n{SMALL}")).is_err());
    }

    proptest! {
        #[test]
        fn no_damage_makes_the_parser_panic(at in 0..SMALL.len(), byte in 0_u8..128) {
            let mut damaged = SMALL.as_bytes().to_vec();
            damaged[at] = byte;
            let _ = Catalogue::parse(&String::from_utf8(damaged).unwrap());
        }
    }
}
