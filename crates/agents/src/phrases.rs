//! Finds known words and phrases in a text; the longest one wins.

use std::{collections::BTreeMap, ops::Range};

use crate::text::{Token, tokens};

/// The most words of one phrase.
pub(crate) const MAX_WORDS: usize = 8;

/// Known phrases, each with what it means.
#[derive(Debug, Clone)]
pub(crate) struct Phrases<T> {
    /// By the first stem; the longest first.
    by_first: BTreeMap<String, Vec<(Vec<String>, T)>>,
}

/// A known phrase in a text.
#[derive(Debug)]
pub(crate) struct Match<'p, T> {
    /// Which tokens.
    pub tokens: Range<usize>,
    /// The phrase's stems; the same for each way of writing it.
    pub stems: &'p [String],
    /// What it means.
    pub meaning: &'p T,
}

impl<T> Default for Phrases<T> {
    fn default() -> Self {
        Self { by_first: BTreeMap::new() }
    }
}

impl<T: Default> Phrases<T> {
    /// The meaning of `phrase`, to be filled in; nothing when it has no words or more than [`MAX_WORDS`].
    pub fn entry(&mut self, phrase: &str) -> Option<&mut T> {
        let stems: Vec<String> = tokens(phrase).into_iter().map(|token| token.stem).collect();
        let first = stems.first()?.clone();
        if stems.len() > MAX_WORDS {
            return None;
        }
        let group = self.by_first.entry(first).or_default();
        let at = group.iter().position(|(known, _)| *known == stems).unwrap_or_else(|| {
            let at = group.partition_point(|(known, _)| known.len() >= stems.len());
            group.insert(at, (stems, T::default()));
            at
        });
        Some(&mut group[at].1)
    }
}

impl<T> Phrases<T> {
    /// The phrases in a text, from left to right, none over another and none over a full stop.
    pub fn find(&self, tokens: &[Token<'_>]) -> Vec<Match<'_, T>> {
        let mut out = Vec::new();
        let mut at = 0;
        while at < tokens.len() {
            match self.at(&tokens[at..]) {
                Some((stems, meaning)) => {
                    out.push(Match { tokens: at..at + stems.len(), stems, meaning });
                    at += stems.len();
                }
                None => at += 1,
            }
        }
        out
    }

    /// The longest phrase that starts with the first of `tokens`.
    fn at(&self, tokens: &[Token<'_>]) -> Option<(&[String], &T)> {
        let group = self.by_first.get(&tokens.first()?.stem)?;
        let fits = |stems: &[String]| {
            tokens.len() >= stems.len()
                && stems
                    .iter()
                    .zip(tokens)
                    .enumerate()
                    .all(|(i, (stem, token))| *stem == token.stem && (i == 0 || !token.opens_clause))
        };
        group.iter().find(|(stems, _)| fits(stems)).map(|(stems, meaning)| (stems.as_slice(), meaning))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(text: &str) -> Vec<u8> {
        let mut phrases = Phrases::<u8>::default();
        for (phrase, meaning) in [("password", 1), ("weak password", 2), ("weak password policy", 3)] {
            *phrases.entry(phrase).unwrap() = meaning;
        }
        phrases.find(&tokens(text)).iter().map(|m| *m.meaning).collect()
    }

    #[test]
    fn the_longest_phrase_wins_and_uses_up_its_words() {
        assert_eq!(found("Weak passwords, a password, a weak password policy"), [2, 1, 3]);
    }

    #[test]
    fn a_phrase_does_not_reach_over_a_full_stop() {
        assert_eq!(found("I feel weak. Passwords"), [1]);
    }

    #[test]
    fn a_phrase_without_words_or_with_too_many_is_refused() {
        let mut phrases = Phrases::<u8>::default();
        assert!(phrases.entry(" - ").is_none());
        assert!(phrases.entry(&"word ".repeat(MAX_WORDS + 1)).is_none());
    }
}
