//! Ranks evidence by the words that it shares with a question: BM25 (Robertson and Zaragoza, 2009, section 3).

use std::collections::{BTreeMap, BTreeSet};

use super::{ABSTAIN_BELOW, Evidence, EvidenceKind, MAX_CITATIONS, Question};
use crate::text::{sentences, stem, tokens};

/// BM25's saturation of repeated words.
const K1: f64 = 1.2;
/// BM25's weight of the length.
const B: f64 = 0.75;
/// How many times a word of the title counts.
const TITLE_WEIGHT: f64 = 2.0;
/// Evidence below this share of the best score is left out.
const WORTH_CITING: f64 = 0.35;
/// How much nearness in meaning weighs beside all of the question's words.
const NEARNESS: f64 = 0.5;

/// Words that say nothing about a question's subject.
const STOP_WORDS: &str = "a about after all also am an and any are as at be been but by can could did do does for from \
    had has have he her here hi how hello i if in into is it its just may me might my of on or our please she should \
    so some tell than thank thanks that the their them then there these they this to too us was we were what when \
    where which who why will with would you your yours computer device laptop machine pc server system explain know \
    mean want need get got give make";

/// Words that ask for a kind of evidence rather than for a subject.
fn asks_for(kind: EvidenceKind) -> &'static str {
    match kind {
        EvidenceKind::Finding => "finding found problem issue wrong weakness risk danger",
        EvidenceKind::Diagnosis => "diagnosis diagnose diagnostics probe measured",
        EvidenceKind::Playbook => "playbook fix repair solve remedy solution",
        EvidenceKind::Triage => "triage queue category severity urgent",
        EvidenceKind::Scan => "scan score posture safe secure security",
        EvidenceKind::Document => "document documentation manual guide",
        EvidenceKind::PastCase => "earlier past similar case before",
        EvidenceKind::Device => "",
    }
}

/// Evidence that bears on the question.
pub(super) struct Hit<'a> {
    pub evidence: &'a Evidence,
    /// Its best sentence.
    pub quote: &'a str,
}

/// What a ranking gives.
pub(super) struct Ranked<'a> {
    /// The best first.
    pub best: Vec<Hit<'a>>,
    /// The share of the question's words that they bear on, 0 to 1.
    pub coverage: f64,
    /// The question's words that they do not bear on, as they were written.
    pub missing: Vec<&'a str>,
}

/// One piece of evidence as a bag of words.
struct Bag<'a> {
    evidence: &'a Evidence,
    counts: BTreeMap<String, f64>,
    /// The words that ask for its kind.
    kind: BTreeSet<String>,
    length: f64,
}

impl Bag<'_> {
    fn has(&self, word: &String) -> bool {
        self.counts.contains_key(word) || self.kind.contains(word)
    }
}

/// One piece of evidence with its score.
type Scored<'b, 'a> = (f64, &'b Bag<'a>);

pub(super) fn rank(question: &Question) -> Ranked<'_> {
    let asked = asked(&question.text);
    let bags: Vec<Bag<'_>> = question.evidence.iter().map(bag).filter(|bag| bag.length > 0.0).collect();
    let weights = weights(&asked, &bags);
    let average = bags.iter().map(|bag| bag.length).sum::<f64>() / count(bags.len().max(1));
    let all: f64 = weights.values().sum();

    let scored = bags.iter().map(|bag| (score(bag, &weights, average) + nearness(bag, all), bag));
    let (found, own): (Vec<Scored<'_, '_>>, Vec<_>) =
        scored.filter(|(score, _)| *score > 0.0).partition(|(_, bag)| bag.evidence.retrieved.is_some());
    let mut best = worth_citing(own);
    if coverage(&asked, &best) < ABSTAIN_BELOW {
        best.clear();
    }
    let bears = |bag: &Bag<'_>| bag.evidence.retrieved.is_some_and(|found| found.bears());
    best.extend(worth_citing(found.into_iter().filter(|(_, bag)| bears(bag)).collect()));
    best.sort_by(|a, b| b.0.total_cmp(&a.0));
    best.truncate(MAX_CITATIONS);

    let missing = missing(&question.text, &asked, &best);
    let coverage = coverage(&asked, &best);
    let cited = best.into_iter().map(|(_, bag)| bag.evidence);
    let best = cited
        .filter_map(|evidence| Some(Hit { evidence, quote: best_sentence(evidence, &weights)? }))
        .collect();
    Ranked { best, coverage, missing }
}

/// The best of a kind, and those that are not much worse.
fn worth_citing<'b, 'a>(mut scored: Vec<Scored<'b, 'a>>) -> Vec<Scored<'b, 'a>> {
    scored.sort_by(|a, b| b.0.total_cmp(&a.0));
    let floor = scored.first().map_or(0.0, |(best, _)| best * WORTH_CITING);
    scored.retain(|(score, _)| *score >= floor);
    scored.truncate(MAX_CITATIONS);
    scored
}

/// The share of the asked words that somebody has.
fn coverage(asked: &BTreeSet<String>, best: &[Scored<'_, '_>]) -> f64 {
    let covered = asked.iter().filter(|word| best.iter().any(|(_, bag)| bag.has(word))).count();
    count(covered) / count(asked.len().max(1))
}

/// The asked words that nobody has, as they were written.
fn missing<'q>(text: &'q str, asked: &BTreeSet<String>, best: &[Scored<'_, '_>]) -> Vec<&'q str> {
    let mut out: Vec<&str> = Vec::new();
    for token in tokens(text) {
        let lacks = asked.contains(&token.stem) && !best.iter().any(|(_, bag)| bag.has(&token.stem));
        if lacks && !out.contains(&token.surface) {
            out.push(token.surface);
        }
    }
    out
}

/// What a passage's nearness in meaning adds to its score.
fn nearness(bag: &Bag<'_>, all: f64) -> f64 {
    let similarity = bag.evidence.retrieved.and_then(|found| found.similarity).unwrap_or(0.0);
    f64::from(similarity.clamp(0.0, 1.0)) * all * NEARNESS
}

/// The stems of a question's words that say something about its subject.
pub(crate) fn asked(text: &str) -> BTreeSet<String> {
    let stop: BTreeSet<String> = words(STOP_WORDS).collect();
    words(text).filter(|word| !stop.contains(word)).collect()
}

/// The inverse document frequency of each asked word.
fn weights(asked: &BTreeSet<String>, bags: &[Bag<'_>]) -> BTreeMap<String, f64> {
    let all = count(bags.len());
    let weigh = |word: &String| {
        let with = count(bags.iter().filter(|bag| bag.has(word)).count());
        (word.clone(), (1.0 + (all - with + 0.5) / (with + 0.5)).ln())
    };
    asked.iter().map(weigh).collect()
}

/// A word that asks for the kind of evidence counts once, whatever the length: all of a kind are equal by it.
fn score(bag: &Bag<'_>, weights: &BTreeMap<String, f64>, average: f64) -> f64 {
    let long = 1.0 - B + B * bag.length / average;
    let one = |word: &String| match bag.counts.get(word) {
        Some(times) => times * (K1 + 1.0) / (times + K1 * long),
        None => f64::from(u8::from(bag.kind.contains(word))),
    };
    weights.iter().map(|(word, weight)| weight * one(word)).sum()
}

fn bag(evidence: &Evidence) -> Bag<'_> {
    let mut counts: BTreeMap<String, f64> = BTreeMap::new();
    for (text, weight) in [(&evidence.title, TITLE_WEIGHT), (&evidence.text, 1.0)] {
        for word in words(text) {
            *counts.entry(word).or_default() += weight;
        }
    }
    Bag { evidence, length: counts.values().sum(), counts, kind: words(asks_for(evidence.kind)).collect() }
}

/// The sentence with the heaviest asked words, the first of equals; the title when there is no text.
fn best_sentence<'a>(evidence: &'a Evidence, weights: &BTreeMap<String, f64>) -> Option<&'a str> {
    let worth = |sentence: &str| -> f64 {
        let held: BTreeSet<String> = words(sentence).collect();
        held.iter().filter_map(|word| weights.get(word)).sum()
    };
    let mut best: Option<(f64, &str)> = None;
    for sentence in sentences(&evidence.text) {
        let worth = worth(sentence);
        if !tokens(sentence).is_empty() && best.is_none_or(|(known, _)| worth > known) {
            best = Some((worth, sentence));
        }
    }
    best.map(|(_, sentence)| sentence).or_else(|| sentences(&evidence.title).into_iter().next())
}

/// The stems of a text; a name such as `PermitRootLogin` also gives its parts.
pub(crate) fn words(text: &str) -> impl Iterator<Item = String> {
    tokens(text).into_iter().flat_map(|token| {
        let parts = parts(token.surface);
        let whole = (parts.len() != 1).then_some(token.stem);
        whole.into_iter().chain(parts.into_iter().map(stem))
    })
}

/// The parts of a name in camel case or with underscores.
fn parts(word: &str) -> Vec<&str> {
    let mut out = Vec::new();
    let (mut from, mut lower_before) = (0, false);
    for (at, c) in word.char_indices() {
        if c == '_' || (c.is_uppercase() && lower_before) {
            out.push(&word[from..at]);
            from = if c == '_' { at + 1 } else { at };
        }
        lower_before = c.is_lowercase();
    }
    out.push(&word[from..]);
    out.retain(|part| !part.is_empty());
    out
}

/// A count as a number to calculate with; the bounds keep it far below where f64 loses whole numbers.
fn count(items: usize) -> f64 {
    u32::try_from(items).map_or(f64::from(u32::MAX), f64::from)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_fall_into_their_parts() {
        assert_eq!(parts("PermitRootLogin"), ["Permit", "Root", "Login"]);
        assert_eq!(parts("PASS_MAX_DAYS"), ["PASS", "MAX", "DAYS"]);
        assert_eq!(parts("SSH"), ["SSH"]);
        assert!(parts("__").is_empty());
    }

    #[test]
    fn a_rare_word_weighs_more_than_a_common_one() {
        let evidence = |text: &str| Evidence {
            id: text.to_owned(),
            kind: EvidenceKind::Scan,
            title: String::new(),
            text: text.to_owned(),
            retrieved: None,
        };
        let question = Question {
            text: "telnet port".to_owned(),
            evidence: vec![evidence("port closed"), evidence("telnet runs"), evidence("port open")],
        };
        let ranked = rank(&question);
        assert_eq!(ranked.best[0].quote, "telnet runs");
        assert!((ranked.coverage - 1.0).abs() < f64::EPSILON);
    }
}
