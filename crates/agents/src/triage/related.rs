//! Which other cases a case resembles: the cosine of their words, the rare ones counting for more.

use std::collections::{BTreeMap, BTreeSet};

use echo_core::CaseId;
use serde::{Deserialize, Serialize};

use super::learned::rounded;
use crate::text::tokens;

/// The most cases that one case is compared with.
pub const MAX_COMPARED: usize = 200;
/// The most that are named.
pub const MAX_RELATED: usize = 5;
/// From this resemblance on a case is related, 0 to 1.
pub const RELATED_FROM: f64 = 0.3;
/// From this resemblance on it says the same again.
pub const DUPLICATE_FROM: f64 = 0.8;
/// The most bytes of each text that are compared.
const MAX_BYTES: usize = 8 * 1024;
/// Shorter stems (`a`, `my`) say nothing.
const SHORTEST: usize = 3;

/// A case that resembles another one.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Related {
    /// Which.
    #[schemars(with = "String")]
    pub case: CaseId,
    /// How much, [`RELATED_FROM`] to 1.
    pub score: f64,
    /// Whether it says the same again.
    pub duplicate: bool,
}

/// How often each stem is in a text.
type Stems = BTreeMap<String, f64>;

/// The cases among `known` that resemble `text`, the likest first; [`MAX_COMPARED`] of them are looked at.
pub fn related(text: &str, known: &[(&CaseId, &str)]) -> Vec<Related> {
    let own = stems(text);
    let others: Vec<Stems> = known.iter().take(MAX_COMPARED).map(|(_, text)| stems(text)).collect();
    let rarity = rarity(&own, &others);
    let length = length(&own, &rarity);
    let mut out: Vec<Related> = known
        .iter()
        .zip(&others)
        .filter_map(|((case, _), other)| {
            let dot: f64 = own
                .iter()
                .filter_map(|(stem, often)| Some(often * other.get(stem)? * rarity.get(stem)?.powi(2)))
                .sum();
            let lengths = length * self::length(other, &rarity);
            let score = if lengths > 0.0 { rounded((dot / lengths).min(1.0)) } else { 0.0 };
            let duplicate = score >= DUPLICATE_FROM;
            (score >= RELATED_FROM).then(|| Related { case: (*case).clone(), score, duplicate })
        })
        .collect();
    out.sort_by(|a, b| b.score.total_cmp(&a.score).then_with(|| a.case.cmp(&b.case)));
    out.truncate(MAX_RELATED);
    out
}

fn stems(text: &str) -> Stems {
    let mut out = Stems::new();
    for token in tokens(&text[..text.floor_char_boundary(MAX_BYTES)]) {
        if token.stem.len() >= SHORTEST {
            *out.entry(token.stem).or_default() += 1.0;
        }
    }
    for often in out.values_mut() {
        *often = 1.0 + often.ln();
    }
    out
}

/// The smoothed logarithm of texts by texts with the stem, plus one.
fn rarity(own: &Stems, others: &[Stems]) -> BTreeMap<String, f64> {
    let all: BTreeSet<&String> = others.iter().chain([own]).flat_map(BTreeMap::keys).collect();
    let texts = || others.iter().chain([own]);
    let float = |count: usize| f64::from(u32::try_from(count).unwrap_or(u32::MAX));
    let whole = float(others.len() + 1);
    all.into_iter()
        .map(|stem| {
            let with = float(texts().filter(|text| text.contains_key(stem)).count());
            (stem.clone(), ((1.0 + whole) / (1.0 + with)).ln() + 1.0)
        })
        .collect()
}

fn length(stems: &Stems, rarity: &BTreeMap<String, f64>) -> f64 {
    let weight = |(stem, often): (&String, &f64)| often * rarity.get(stem).copied().unwrap_or(1.0);
    stems.iter().map(weight).map(|weight| weight * weight).sum::<f64>().sqrt()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn case(n: u128) -> CaseId {
        format!("case_{n:032x}").parse().unwrap()
    }

    const TEXTS: [&str; 4] = [
        "The printer on floor two jams again, paper is stuck in the tray",
        "My mailbox is full and mails bounce",
        "Printer: paper jam on floor two",
        "Please set up a new account for a colleague",
    ];

    fn found(text: &str) -> Vec<Related> {
        let ids: Vec<CaseId> = (0..4).map(case).collect();
        let known: Vec<(&CaseId, &str)> = ids.iter().zip(TEXTS).collect();
        related(text, &known)
    }

    #[test]
    fn the_same_words_are_a_duplicate_and_some_of_them_related() {
        let again = found("the PRINTER on floor two jams again: paper is stuck in the tray!");
        assert_eq!((again[0].case.clone(), again[0].duplicate, again[0].score > 0.99), (case(0), true, true));
        assert_eq!((again[1].case.clone(), again[1].duplicate), (case(2), false));
        assert_eq!(again.len(), 2, "{again:?}");
    }

    #[test]
    fn other_words_are_not_related() {
        assert!(found("Ransomware encrypted our accounts server").is_empty());
        assert!(found("").is_empty() && found("a b c").is_empty());
    }

    proptest! {
        #[test]
        fn any_texts_compare_and_a_text_is_its_own_duplicate(text in "\\PC{0,80}", other in "\\PC{0,80}") {
            let (a, b) = (case(1), case(2));
            let found = related(&text, &[(&a, &text), (&b, &other)]);
            prop_assert!(found.iter().all(|r| (RELATED_FROM..=1.0).contains(&r.score)));
            let says = !stems(&text).is_empty();
            prop_assert_eq!(found.iter().any(|r| r.case == a && r.duplicate), says);
        }
    }
}
