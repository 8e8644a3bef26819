//! Which words and pairs are learned: those that occur in enough cases.
//!
//! A large set of cases has tens of millions of pairs, nearly all of them once. A first pass counts them roughly, in a
//! table that is never too low, and only what that table lets through is counted exactly.

use crate::{
    ModelError, Options,
    random::mix,
    space::{
        Bag, MAX_PAIR_ROWS, MAX_WORD_ROWS, Shape, Space, as_row, count, each_pair, frequency, halves,
        word_terms,
    },
    words::words,
};

/// How many bits of a pair's digest the rough table is addressed by: 16 MiB.
const TABLE_BITS: u32 = 24;

/// The rows, and the cases in them.
pub struct Vocabulary {
    /// The rows.
    pub space: Space,
    /// How rare each row is: the smoothed logarithm of cases by cases with it, plus one.
    pub rarity: Vec<f32>,
    /// Each case.
    pub bags: Vec<Bag>,
}

/// Pairs of each case: ascending, each once, with how often it is there.
struct Pairs {
    keys: Vec<u64>,
    often: Vec<u16>,
    ends: Vec<usize>,
}

/// Learns the rows of these texts.
pub fn learn(texts: &[&str], options: &Options) -> Result<Vocabulary, ModelError> {
    let keys: Vec<Vec<u64>> = texts.iter().map(|t| words(t).iter().map(|word| word.key).collect()).collect();
    let (known, word_cases) = frequent_words(&keys, options.word_cases);
    if known.is_empty() {
        return Err(ModelError::NoWords);
    }
    let mut space = Space { words: known, begins: vec![0], seconds: Vec::new(), shape: Shape::from(options) };
    let places: Vec<Vec<u32>> =
        keys.iter().map(|keys| keys.iter().map(|key| space.place(*key)).collect()).collect();
    drop(keys);
    let pairs = candidates(&places, options);
    let pair_cases = frequent_pairs(&pairs, options.pair_cases, &mut space);
    let cases = f64::from(as_row(texts.len()));
    let rarity = word_cases.iter().chain(&pair_cases).map(|own| rarity(cases, *own)).collect();
    let bags = places.iter().enumerate().map(|(at, places)| bag(&space, places, pairs.of(at))).collect();
    Ok(Vocabulary { space, rarity, bags })
}

#[expect(clippy::cast_possible_truncation, reason = "a logarithm of a count needs no more than an f32")]
fn rarity(cases: f64, own: u32) -> f32 {
    (((1.0 + cases) / (1.0 + f64::from(own))).ln() + 1.0) as f32
}

/// The words of at least so many cases, ascending, and in how many each is.
fn frequent_words(keys: &[Vec<u64>], least: u32) -> (Vec<u64>, Vec<u32>) {
    let mut every: Vec<u64> = Vec::new();
    for case in keys {
        let mut case = case.clone();
        case.sort_unstable();
        case.dedup();
        every.extend(case);
    }
    frequent(every, least, MAX_WORD_ROWS)
}

/// Of numbers that stand for one case each: those in at least so many, ascending. When they are more than `most`, the
/// bound is raised.
fn frequent(mut every: Vec<u64>, least: u32, most: usize) -> (Vec<u64>, Vec<u32>) {
    every.sort_unstable();
    let counted = |least: u32| {
        every
            .chunk_by(|a, b| a == b)
            .filter(move |same| same.len() >= least as usize)
            .map(|same| (same[0], as_row(same.len())))
    };
    let mut least = least;
    while counted(least).count() > most {
        least += 1;
    }
    counted(least).unzip()
}

impl Pairs {
    fn of(&self, case: usize) -> impl Iterator<Item = (u64, u16)> {
        let begin = case.checked_sub(1).map_or(0, |before| self.ends[before]);
        let range = begin..self.ends[case];
        self.keys[range.clone()].iter().copied().zip(self.often[range].iter().copied())
    }
}

/// The pairs that may be frequent.
fn candidates(places: &[Vec<u32>], options: &Options) -> Pairs {
    let mut table = vec![0u8; 1 << TABLE_BITS];
    let slot = |pair: u64| usize::try_from(mix(pair) >> (64 - TABLE_BITS)).expect("it has 24 bits");
    for case in places {
        each_pair(case, options.window, |pair| {
            let count = &mut table[slot(pair)];
            *count = count.saturating_add(1);
        });
    }
    let least = u8::try_from(options.pair_cases).unwrap_or(u8::MAX);
    let mut pairs = Pairs { keys: Vec::new(), often: Vec::new(), ends: Vec::with_capacity(places.len()) };
    let mut own = Vec::new();
    for case in places {
        own.clear();
        each_pair(case, options.window, |pair| {
            if table[slot(pair)] >= least {
                own.push(pair);
            }
        });
        own.sort_unstable();
        for same in own.chunk_by(|a, b| a == b) {
            pairs.keys.push(same[0]);
            pairs.often.push(u16::try_from(same.len()).unwrap_or(u16::MAX));
        }
        pairs.ends.push(pairs.keys.len());
    }
    pairs
}

/// Gives the space its pairs; in how many cases each is.
fn frequent_pairs(pairs: &Pairs, least: u32, space: &mut Space) -> Vec<u32> {
    let (keys, cases) = frequent(pairs.keys.clone(), least, MAX_PAIR_ROWS);
    let mut keys = keys.into_iter().map(halves).peekable();
    for word in 0..space.words.len() {
        while let Some((_, second)) = keys.next_if(|(first, _)| *first == word) {
            space.seconds.push(second);
        }
        space.begins.push(as_row(space.seconds.len()));
    }
    cases
}

/// A case's rows, from its pairs that were already counted.
fn bag(space: &Space, places: &[u32], pairs: impl Iterator<Item = (u64, u16)>) -> Bag {
    let mut terms = word_terms(places, space.shape.title_weight);
    let words = terms.len();
    terms.extend(
        pairs.filter_map(|(pair, often)| Some((space.pair_row(pair)?, frequency(count(often.into()))))),
    );
    terms.shrink_to_fit();
    Bag { terms, words }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXTS: [&str; 4] = [
        "card access door",
        "door access card",
        "card card payment",
        "payment of the card by the access door",
    ];

    fn learned() -> Vocabulary {
        learn(&TEXTS, &Options { pair_cases: 2, window: 3, ..Options::default() }).unwrap()
    }

    #[test]
    fn what_occurs_once_is_not_learned() {
        let space = learned().space;
        assert_eq!(space.words.len(), 4, "card, access, door, payment");
        assert_eq!(
            space.seconds.len(),
            4,
            "all pairs but payment with access and door, and card with itself"
        );
    }

    #[test]
    fn a_case_is_seen_the_same_when_learning_and_when_asked() {
        let vocabulary = learned();
        for (text, bag) in TEXTS.iter().zip(&vocabulary.bags) {
            let again = vocabulary.space.bag(&vocabulary.space.places(&words(text)));
            assert_eq!(&again, bag, "{text}");
        }
    }

    #[test]
    fn what_is_rare_counts_for_more() {
        let vocabulary = learned();
        let rarity = |word: &str| vocabulary.rarity[vocabulary.space.place(words(word)[0].key) as usize];
        assert!(rarity("payment") > rarity("card"));
    }

    #[test]
    fn too_many_rows_raise_the_bound() {
        let every = vec![1, 1, 1, 2, 2, 3, 3, 4];
        assert_eq!(frequent(every.clone(), 1, 4).0, [1, 2, 3, 4]);
        assert_eq!(frequent(every.clone(), 1, 3).0, [1, 2, 3]);
        assert_eq!(frequent(every, 1, 2), (vec![1], vec![3]));
    }

    #[test]
    fn texts_without_a_common_word_teach_nothing() {
        assert!(matches!(learn(&["a", "b", ""], &Options::default()), Err(ModelError::NoWords)));
    }
}
