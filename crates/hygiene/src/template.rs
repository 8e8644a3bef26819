//! Templates of prompts: fixed words with slots. A prompt that is not what its template makes has drifted.

use echo_core::Digest;
use serde::{Deserialize, Serialize};

/// The most bytes of a template.
pub const MAX_TEMPLATE: usize = 16 * 1024;

/// A prompt's fixed words. A slot is a name in braces, such as `{question}`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Template {
    /// Which prompt.
    pub id: String,
    /// Which version of it; a change of a word is a new one.
    pub version: u32,
    /// The fixed words.
    pub text: String,
    /// Of the fixed words.
    pub digest: Digest,
}

/// Why a template cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum TemplateError {
    /// The first line is not `ID VERSION`.
    #[error(
        "the template's first line must be its id and version, such as `advice 1`: correct it and sign it again"
    )]
    Head,
    /// It is longer than [`MAX_TEMPLATE`].
    #[error("the template has more than {MAX_TEMPLATE} bytes: shorten it and sign it again")]
    TooLong,
    /// A slot is missing, or stands there twice.
    #[error("the template {id} must have the slot {{{slot}}} exactly once: correct it and sign it again")]
    Slot {
        /// Which template.
        id: String,
        /// Which slot.
        slot: String,
    },
}

/// How a prompt departs from its template.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Drift {
    /// Which template.
    pub id: String,
    /// The fixed words that are missing or changed, cut to 80 characters.
    pub missing: String,
}

impl Template {
    /// Reads a template: a line with its id and version, then the text, which must have each of `slots` once.
    pub fn parse(file: &str, slots: &[&str]) -> Result<Self, TemplateError> {
        if file.len() > MAX_TEMPLATE {
            return Err(TemplateError::TooLong);
        }
        let (head, text) = file.split_once('\n').ok_or(TemplateError::Head)?;
        let (id, version) = head.trim().split_once(' ').ok_or(TemplateError::Head)?;
        let version = version.parse().map_err(|_| TemplateError::Head)?;
        let text = text.trim().to_owned();
        for slot in slots {
            if text.matches(&format!("{{{slot}}}")).count() != 1 {
                return Err(TemplateError::Slot { id: id.to_owned(), slot: (*slot).to_owned() });
            }
        }
        Ok(Self { id: id.to_owned(), version, digest: Digest::of(text.as_bytes()), text })
    }

    /// The prompt with each slot's value. A slot's name inside of a value stays as it is.
    pub fn fill(&self, values: &[(&str, &str)]) -> String {
        let mut out = String::new();
        let mut rest = self.text.as_str();
        while let Some((before, value, after)) = next(rest, values) {
            out.push_str(before);
            out.push_str(value);
            rest = after;
        }
        out + rest
    }

    /// How `prompt` departs from this template, if it does: its fixed words must all be there, in order, the first at the
    /// beginning and the last at the end.
    pub fn drift(&self, prompt: &str, slots: &[&str]) -> Option<Drift> {
        let values: Vec<(&str, &str)> = slots.iter().map(|slot| (*slot, "")).collect();
        let mut fixed = Vec::new();
        let mut rest = self.text.as_str();
        while let Some((before, _, after)) = next(rest, &values) {
            fixed.push(before);
            rest = after;
        }
        fixed.push(rest);
        let missing = |words: &str| {
            Some(Drift { id: self.id.clone(), missing: words.trim().chars().take(80).collect() })
        };
        let Some(mut left) = prompt.strip_prefix(fixed[0]) else { return missing(fixed[0]) };
        let Some((last, between)) = fixed[1..].split_last() else {
            return if left.is_empty() { None } else { missing(fixed[0]) };
        };
        let Some(inner) = left.strip_suffix(last) else { return missing(last) };
        left = inner;
        for words in between {
            let Some((_, after)) = left.split_once(words) else { return missing(words) };
            left = after;
        }
        None
    }
}

/// What stands before the next slot, the slot's value, and what stands behind.
fn next<'a>(text: &'a str, values: &[(&str, &'a str)]) -> Option<(&'a str, &'a str, &'a str)> {
    values
        .iter()
        .filter_map(|(slot, value)| {
            let at = text.find(&format!("{{{slot}}}"))?;
            Some((at, *value, at + slot.len() + 2))
        })
        .min_by_key(|(at, _, _)| *at)
        .map(|(at, value, end)| (&text[..at], value, &text[end..]))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const SLOTS: [&str; 2] = ["question", "quotes"];

    fn template() -> Template {
        Template::parse("advice 3\nAnswer {question}\nby {quotes} alone.\n", &SLOTS).unwrap()
    }

    #[test]
    fn a_slots_name_in_a_value_is_not_filled() {
        let prompt = template().fill(&[("question", "{quotes}?"), ("quotes", "[1] a")]);
        assert_eq!(prompt, "Answer {quotes}?\nby [1] a alone.");
    }

    #[test]
    fn changed_words_are_drift() {
        let template = template();
        let prompt = template.fill(&[("question", "a"), ("quotes", "b")]);
        assert_eq!(template.drift(&prompt, &SLOTS), None);
        for other in
            [prompt.replace("alone", "freely"), prompt.replace("by", "without"), format!("Hi. {prompt}")]
        {
            assert!(template.drift(&other, &SLOTS).is_some(), "{other}");
        }
    }

    #[test]
    fn a_template_without_a_head_or_a_slot_is_refused() {
        assert_eq!(Template::parse("", &[]), Err(TemplateError::Head));
        assert_eq!(Template::parse("advice\nx", &[]), Err(TemplateError::Head));
        assert!(Template::parse("advice 1\n{question} {question}", &["question"]).is_err());
        assert_eq!(Template::parse(&"x".repeat(MAX_TEMPLATE + 1), &[]), Err(TemplateError::TooLong));
    }

    proptest! {
        #[test]
        fn what_the_template_made_has_not_drifted(question in "\\PC{0,30}", quotes in "\\PC{0,30}") {
            let prompt = template().fill(&[("question", &question), ("quotes", &quotes)]);
            prop_assert_eq!(template().drift(&prompt, &SLOTS), None);
        }
    }
}
