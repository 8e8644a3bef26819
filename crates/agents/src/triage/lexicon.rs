//! The words that triage weighs, from YAML to a form that finds them fast.

use std::collections::{BTreeMap, BTreeSet};

use serde::Deserialize;

use super::{Category, Level, Severity};
use crate::phrases::{MAX_WORDS, Phrases};

/// The most bytes of a lexicon.
pub const MAX_LEXICON_BYTES: usize = 256 * 1024;
/// The largest weight of a word.
const MAX_WEIGHT: f64 = 10.0;

/// Why a text is not a lexicon.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum LexiconError {
    /// Larger than [`MAX_LEXICON_BYTES`].
    #[error("the lexicon is larger than {MAX_LEXICON_BYTES} bytes: split or shorten it")]
    TooLarge,
    /// Not the YAML that is expected.
    #[error("the lexicon cannot be read: {0}")]
    Yaml(String),
    /// A phrase without words, or with too many.
    #[error("the lexicon's phrase `{0}` must have 1 to {MAX_WORDS} words")]
    Phrase(String),
    /// A weight that is no weight.
    #[error("the lexicon's weight of `{0}` must be above 0 and at most {MAX_WEIGHT}")]
    Weight(String),
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    version: u32,
    negations: Vec<String>,
    #[serde(default)]
    not_negations: Vec<String>,
    categories: BTreeMap<Category, CategoryWords>,
    severity: BTreeMap<Severity, Vec<String>>,
    #[serde(default)]
    impact: BTreeMap<Level, Vec<String>>,
    #[serde(default)]
    urgency: BTreeMap<Level, Vec<String>>,
    playbooks: Vec<PlaybookWords>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct CategoryWords {
    #[serde(default)]
    symptoms: BTreeMap<String, f64>,
    #[serde(default)]
    things: BTreeMap<String, f64>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct PlaybookWords {
    playbook: String,
    category: Category,
    words: Vec<String>,
}

/// What one word speaks for.
#[derive(Debug, Clone)]
pub(super) struct Vote {
    pub category: Category,
    pub weight: f64,
    /// Whether a negation before it silences it.
    pub negatable: bool,
}

/// A playbook that triage may hint at.
#[derive(Debug, Clone)]
pub(super) struct Hint {
    pub playbook: String,
    pub category: Category,
}

/// A weighted lexicon: words, phrases, negations, severity cues and playbook hints.
#[derive(Debug, Clone)]
pub struct Lexicon {
    pub(super) version: u32,
    /// Whether the phrase denies what follows it.
    pub(super) negations: Phrases<bool>,
    pub(super) votes: Phrases<Vec<Vote>>,
    pub(super) cues: Phrases<Option<Severity>>,
    /// How many people a case keeps from work, and how soon help is needed.
    pub(super) impact: Phrases<Option<Level>>,
    pub(super) urgency: Phrases<Option<Level>>,
    pub(super) hints: Vec<Hint>,
    /// The indexes in `hints` that a word speaks for.
    pub(super) hint_words: Phrases<BTreeSet<usize>>,
}

impl Lexicon {
    /// The lexicon that comes with Echo.
    pub fn builtin() -> Self {
        Self::parse(include_str!("lexicon.yaml")).expect("a test reads the shipped lexicon")
    }

    /// Reads a lexicon.
    pub fn parse(yaml: &str) -> Result<Self, LexiconError> {
        if yaml.len() > MAX_LEXICON_BYTES {
            return Err(LexiconError::TooLarge);
        }
        let file: File = serde_saphyr::from_str(yaml)
            .map_err(|error| LexiconError::Yaml(error.to_string().chars().take(500).collect()))?;
        Self::build(file)
    }

    /// The version that the file says of itself.
    pub fn version(&self) -> u32 {
        self.version
    }

    fn build(file: File) -> Result<Self, LexiconError> {
        let mut out = Self {
            version: file.version,
            negations: Phrases::default(),
            votes: Phrases::default(),
            cues: Phrases::default(),
            impact: Phrases::default(),
            urgency: Phrases::default(),
            hints: Vec::new(),
            hint_words: Phrases::default(),
        };
        for (denies, phrases) in [(true, &file.negations), (false, &file.not_negations)] {
            for phrase in phrases {
                *entry(&mut out.negations, phrase)? = denies;
            }
        }
        for (category, words) in &file.categories {
            for (negatable, phrases) in [(true, &words.symptoms), (false, &words.things)] {
                for (phrase, weight) in phrases {
                    out.vote(phrase, Vote { category: *category, weight: *weight, negatable })?;
                }
            }
        }
        for (severity, phrases) in &file.severity {
            for phrase in phrases {
                *entry(&mut out.cues, phrase)? = Some(*severity);
            }
        }
        for (levels, into) in [(&file.impact, &mut out.impact), (&file.urgency, &mut out.urgency)] {
            for (level, phrases) in levels {
                for phrase in phrases {
                    *entry(into, phrase)? = Some(*level);
                }
            }
        }
        for (at, hint) in file.playbooks.into_iter().enumerate() {
            for phrase in &hint.words {
                entry(&mut out.hint_words, phrase)?.insert(at);
            }
            out.hints.push(Hint { playbook: hint.playbook, category: hint.category });
        }
        Ok(out)
    }

    /// Two spellings with the same stems are one word: the heavier counts.
    fn vote(&mut self, phrase: &str, vote: Vote) -> Result<(), LexiconError> {
        if !(vote.weight > 0.0 && vote.weight <= MAX_WEIGHT) {
            return Err(LexiconError::Weight(phrase.to_owned()));
        }
        let votes = entry(&mut self.votes, phrase)?;
        match votes.iter_mut().find(|known| known.category == vote.category) {
            Some(known) if known.weight >= vote.weight => {}
            Some(known) => *known = vote,
            None => votes.push(vote),
        }
        Ok(())
    }
}

fn entry<'p, T: Default>(phrases: &'p mut Phrases<T>, phrase: &str) -> Result<&'p mut T, LexiconError> {
    phrases.entry(phrase).ok_or_else(|| LexiconError::Phrase(phrase.chars().take(60).collect()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_shipped_lexicon_reads_and_says_its_version() {
        assert!(Lexicon::builtin().version() > 0);
    }

    #[test]
    fn faults_are_named() {
        let parse = |votes: &str| {
            let yaml = format!(
                "version: 1\nnegations: [no]\nseverity: {{}}\nplaybooks: []\ncategories:\n  storage:\n    things: {{{votes}}}\n"
            );
            Lexicon::parse(&yaml).map(|_| ())
        };
        assert_eq!(parse("disk: 1"), Ok(()));
        assert_eq!(parse("disk: 0"), Err(LexiconError::Weight("disk".to_owned())));
        assert_eq!(parse("disk: .nan"), Err(LexiconError::Weight("disk".to_owned())));
        assert_eq!(parse("'--': 1"), Err(LexiconError::Phrase("--".to_owned())));
        assert!(matches!(Lexicon::parse("version: 1\nmore: 2"), Err(LexiconError::Yaml(_))));
        assert_eq!(
            Lexicon::parse(&" ".repeat(MAX_LEXICON_BYTES + 1)).map(|_| ()),
            Err(LexiconError::TooLarge)
        );
    }
}
