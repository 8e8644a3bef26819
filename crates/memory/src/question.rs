//! What a question asks for in words, and how much each of its words tells.

use std::collections::HashMap;

use crate::{SourceKind, held::of_kind, near, owner::OwnerRow, words};

/// The most bytes of a question that are looked at; what follows is not.
const MAX_BYTES: usize = 8 * 1024;
/// The most words of a question that count: the first ones.
const MAX_WORDS: usize = 24;
/// From how many chunks of one owner on a word is so common that its chunks are not all looked up.
pub(crate) const COMMON: usize = 3_000;
/// How many words that mean nearly the same are looked up beside those of the question.
const MAX_NEAR: usize = 12;
/// From how many chunks of one owner on such a word tells too little to be looked up.
pub(crate) const NEAR_COMMON: usize = 500;
/// How much such a word counts beside one of the question's own. On the questions of `evals/retrieval.jsonl` for tuning,
/// anything between 0.15 and 0.35 did as well.
const NEAR: f64 = 0.2;
/// A word that stands in more than one of so many chunks is not rare.
const RARE_PART: f64 = 4.0;
/// BM25's two constants (Robertson and Zaragoza, 2009, section 3.4.1).
const K1: f64 = 1.2;
const B: f64 = 0.75;

/// A question's words, with each reader's spelling of them.
#[derive(Debug)]
pub(crate) struct Question {
    /// The question's own, then those that mean nearly the same.
    words: Vec<Word>,
    /// How many are the question's own.
    own: usize,
    /// Which word a spelling is of.
    of: HashMap<String, usize>,
    /// How many chunks there are for the asker.
    chunks: f64,
    /// How many words a chunk has on average.
    length: f64,
}

#[derive(Debug)]
struct Word {
    /// By owner, in the order in which the owners were given.
    spelled: Vec<String>,
    /// The chunks that hold it, by owner; as many of each as are looked up.
    found: Vec<i64>,
    /// How many chunks hold it, at least.
    count: usize,
    /// Whether it stands in more chunks than were looked up.
    common: bool,
    /// How much it counts: less when it is not the question's own.
    counts: f64,
}

impl Question {
    /// The question as these owners spell it. Only their rows can be met by it.
    #[expect(clippy::cast_precision_loss, reason = "counts far below 2^52")]
    pub(crate) fn new(text: &str, owners: &[OwnerRow]) -> Self {
        let text = &text[..text.floor_char_boundary(MAX_BYTES)];
        let word = |word: &str, counts| Word {
            spelled: owners.iter().map(|owner| owner.spell(word)).collect(),
            found: Vec::new(),
            count: 0,
            common: false,
            counts,
        };
        let telling = words::telling(text, MAX_WORDS);
        let mut near: Vec<&str> = Vec::new();
        for other in telling.iter().flat_map(|word| near::near(word)) {
            if near.len() < MAX_NEAR && !near.contains(other) && !telling.iter().any(|word| word == other) {
                near.push(other);
            }
        }
        let own = telling.iter().map(|own| word(own, 1.0));
        let words: Vec<Word> = own.chain(near.into_iter().map(|near| word(near, NEAR))).collect();
        let spelled = |(at, word): (usize, &Word)| -> Vec<(String, usize)> {
            word.spelled.iter().map(|spelled| (spelled.clone(), at)).collect()
        };
        let of = words.iter().enumerate().flat_map(spelled).collect();
        let (chunks, length) =
            owners.iter().fold((0, 0), |sum, owner| (sum.0 + owner.chunks, sum.1 + owner.words));
        Self {
            words,
            own: telling.len(),
            of,
            chunks: chunks as f64,
            length: (length as f64 / chunks.max(1) as f64).max(1.0),
        }
    }

    /// Every spelling of the question's own words, to be looked up in [`COMMON`] chunks at most.
    pub(crate) fn own(&self) -> Vec<&str> {
        self.words[..self.own].iter().flat_map(|word| word.spelled.iter().map(String::as_str)).collect()
    }

    /// Every spelling of the words that mean nearly the same, to be looked up in [`NEAR_COMMON`] chunks at most.
    pub(crate) fn near(&self) -> Vec<&str> {
        self.words[self.own..].iter().flat_map(|word| word.spelled.iter().map(String::as_str)).collect()
    }

    /// Takes in which chunks hold each spelling, when at most so many were looked up.
    pub(crate) fn found(&mut self, holding: &[(String, Vec<i64>)], most: usize) {
        for (spelled, chunks) in holding {
            if let Some(word) = self.of.get(spelled).and_then(|at| self.words.get_mut(*at)) {
                word.found.extend_from_slice(chunks);
                word.count += chunks.len();
                word.common |= chunks.len() >= most;
            }
        }
    }

    /// The chunks that hold the most telling words, at most `most`: the rarest words first, common ones only when there
    /// are no others.
    pub(crate) fn candidates(&self, kinds: &[SourceKind], most: usize) -> Vec<i64> {
        let only_common = self.words[..self.own].iter().all(|word| word.common || word.count == 0);
        let mut scores: HashMap<i64, f64> = HashMap::new();
        for word in self.words.iter().filter(|word| only_common || !word.common) {
            let weight = self.weight(word);
            for nr in word.found.iter().filter(|nr| of_kind(**nr, kinds)) {
                *scores.entry(*nr).or_default() += weight;
            }
        }
        let mut ranked: Vec<(i64, f64)> = scores.into_iter().collect();
        // The newer of two that say as much.
        let better = |a: &(i64, f64), b: &(i64, f64)| b.1.total_cmp(&a.1).then(b.0.cmp(&a.0));
        if ranked.len() > most {
            ranked.select_nth_unstable_by(most, better);
            ranked.truncate(most);
        }
        ranked.into_iter().map(|(nr, _)| nr).collect()
    }

    /// How well a chunk answers, by BM25.
    pub(crate) fn score(&self, terms: &str, words: i64) -> f64 {
        #[expect(clippy::cast_precision_loss, reason = "counts far below 2^52")]
        let length = words as f64 / self.length;
        let counts = self.counts(terms);
        let word = |(word, count): (&Word, f64)| {
            self.weight(word) * count * (K1 + 1.0) / (count + K1 * (1.0 - B + B * length))
        };
        self.words.iter().zip(counts).map(word).sum()
    }

    /// Which share of the question's rare words a chunk holds, 0 to 1, each by how rare it is. A word that no chunk holds
    /// is the rarest.
    pub(crate) fn coverage(&self, terms: &str) -> f64 {
        #[expect(clippy::cast_precision_loss, reason = "counts far below 2^52")]
        let rare = |word: &Word| {
            !word.common && (word.count as f64 * RARE_PART <= self.chunks || self.chunks < 40.0)
        };
        let (mut held, mut all) = (0.0, 0.0);
        let own = self.words[..self.own].iter().zip(self.counts(terms));
        for (word, count) in own.filter(|(word, _)| rare(word)) {
            let weight = self.weight(word);
            all += weight;
            held += if count > 0.0 { weight } else { 0.0 };
        }
        if all > 0.0 { held / all } else { 0.0 }
    }

    /// BM25's inverse document frequency, never below zero (Lucene's form); a part of it where the word is not the
    /// question's own, and nothing where such a word is common, for how rare it is was not counted.
    #[expect(clippy::cast_precision_loss, reason = "counts far below 2^52")]
    fn weight(&self, word: &Word) -> f64 {
        if word.common && word.counts < 1.0 {
            return 0.0;
        }
        let count = (word.count as f64).min(self.chunks);
        word.counts * ((self.chunks - count + 0.5) / (count + 0.5)).ln_1p()
    }

    /// How often each word of the question counts in a chunk.
    fn counts(&self, terms: &str) -> Vec<f64> {
        let mut counts = vec![0.0; self.words.len()];
        for term in terms.split(' ') {
            if let Some(of) = self.of.get(term) {
                counts[*of] += 1.0;
            }
        }
        counts
    }
}
