//! The rows that a text is spread over: one for each word that was learned, one for each pair of words.
//!
//! A pair is two words that stand near one another, in either order; it says what neither says alone ("card access",
//! "card payment"). A case becomes two blocks, words and pairs, each brought to length 1 and weighed against the
//! other ([`Space::vector`]). Another kind of evidence, such as an embedding of the text, would be a third block.

use crate::{Options, words::Word};

/// How many words from the beginning can be in pairs.
pub const PAIRED_WORDS: usize = 256;
/// The most words that are learned.
pub const MAX_WORD_ROWS: usize = 1 << 20;
/// The most pairs that are learned.
pub const MAX_PAIR_ROWS: usize = 1 << 23;
/// After how many words the extra weight of the beginning has fallen to a third.
const TITLE_WORDS: f32 = 8.0;
/// Past this word the extra weight of the beginning is nothing.
const TITLE_END: u16 = 100;

/// The place of a word that was not learned.
pub(crate) const UNKNOWN: u32 = u32::MAX;

/// A row with a value.
pub type Entry = (u32, f32);

/// What was learned, by rows: words first, then pairs.
#[derive(Debug, Clone, PartialEq)]
pub struct Space {
    /// The digests of the words, ascending.
    pub(crate) words: Vec<u64>,
    /// Where each word's pairs begin in `seconds`; one more than there are words.
    pub(crate) begins: Vec<u32>,
    /// The second word of each pair, ascending for each first word, which is never behind its second.
    pub(crate) seconds: Vec<u32>,
    /// How the rows are weighed.
    pub(crate) shape: Shape,
}

/// How a text's rows are found and weighed.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Shape {
    /// See [`Options::window`].
    pub window: usize,
    /// See [`Options::pair_weight`].
    pub pair_weight: f32,
    /// See [`Options::title_weight`].
    pub title_weight: f32,
}

impl From<&Options> for Shape {
    fn from(o: &Options) -> Self {
        Self { window: o.window, pair_weight: o.pair_weight, title_weight: o.title_weight }
    }
}

/// A text as rows, each with the logarithm of how often it is there plus one.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Bag {
    /// Ascending by row.
    pub terms: Vec<Entry>,
    /// How many of them, from the beginning, are words; the others are pairs.
    pub words: usize,
}

impl Space {
    /// How many rows there are.
    pub fn rows(&self) -> usize {
        self.words.len() + self.seconds.len()
    }

    /// The place of each word, [`UNKNOWN`] for those that were not learned.
    pub(crate) fn places(&self, words: &[Word<'_>]) -> Vec<u32> {
        words.iter().map(|word| self.place(word.key)).collect()
    }

    pub(crate) fn place(&self, key: u64) -> u32 {
        self.words.binary_search(&key).map_or(UNKNOWN, as_row)
    }

    /// The row of a pair.
    pub(crate) fn pair_row(&self, pair: u64) -> Option<u32> {
        let (first, second) = halves(pair);
        let (begin, end) = (self.begins[first] as usize, self.begins[first + 1] as usize);
        let at = self.seconds[begin..end].binary_search(&second).ok()?;
        Some(as_row(self.words.len() + begin + at))
    }

    /// The two words of a pair's row, nothing for a word's row.
    pub(crate) fn pair_of(&self, row: u32) -> Option<(u32, u32)> {
        let at = (row as usize).checked_sub(self.words.len())?;
        let first = self.begins.partition_point(|begin| *begin as usize <= at) - 1;
        Some((as_row(first), self.seconds[at]))
    }

    /// The rows of a text whose words are at these places.
    pub(crate) fn bag(&self, places: &[u32]) -> Bag {
        let mut pairs = Vec::new();
        each_pair(places, self.shape.window, |pair| pairs.extend(self.pair_row(pair)));
        pairs.sort_unstable();
        let mut terms = word_terms(places, self.shape.title_weight);
        let words = terms.len();
        terms.extend(pairs.chunk_by(|a, b| a == b).map(|same| (same[0], frequency(count(same.len())))));
        Bag { terms, words }
    }

    /// A bag as a vector of length 1, or nothing at all: each row by its gain, each block to its share.
    pub(crate) fn vector(&self, bag: &Bag, gain: impl Fn(u32) -> f32) -> Vec<Entry> {
        let mut entries: Vec<Entry> =
            bag.terms.iter().map(|(row, weight)| (*row, weight * gain(*row))).collect();
        let (words, pairs) = entries.split_at_mut(bag.words);
        scale_to(words, 1.0);
        scale_to(pairs, self.shape.pair_weight);
        scale_to(&mut entries, 1.0);
        entries
    }
}

/// Tells of every pair in a text; one half of the number is the lower place, the other the higher.
pub(crate) fn each_pair(places: &[u32], window: usize, mut tell: impl FnMut(u64)) {
    let places = &places[..places.len().min(PAIRED_WORDS)];
    for (at, first) in places.iter().enumerate() {
        if *first == UNKNOWN {
            continue;
        }
        for second in places[at + 1..].iter().take(window) {
            if *second != UNKNOWN {
                let (low, high) = (first.min(second), first.max(second));
                tell(u64::from(*low) << 32 | u64::from(*high));
            }
        }
    }
}

/// The word rows of a text: how often, the beginning counting for more.
pub(crate) fn word_terms(places: &[u32], title_weight: f32) -> Vec<Entry> {
    let mut found: Vec<Entry> = (0u16..)
        .zip(places)
        .filter(|(_, place)| **place != UNKNOWN)
        .map(|(at, place)| {
            let title = if at < TITLE_END { (-f32::from(at) / TITLE_WORDS).exp() } else { 0.0 };
            (*place, 1.0 + title_weight * title)
        })
        .collect();
    found.sort_by_key(|(row, _)| *row);
    found
        .chunk_by(|a, b| a.0 == b.0)
        .map(|same| (same[0].0, frequency(same.iter().map(|entry| entry.1).sum())))
        .collect()
}

/// How much `count` occurrences count for.
pub(crate) fn frequency(count: f32) -> f32 {
    1.0 + count.ln()
}

/// A small count as a float.
pub(crate) fn count(number: usize) -> f32 {
    // A text has at most MAX_WORDS words, and PAIRED_WORDS times the window pairs: both are below 2^16.
    u16::try_from(number).map_or(f32::from(u16::MAX), f32::from)
}

/// A place or row as it is kept.
pub(crate) fn as_row(at: usize) -> u32 {
    u32::try_from(at).expect("there are at most MAX_WORD_ROWS + MAX_PAIR_ROWS rows")
}

/// The lower place as an index, and the higher one.
pub(crate) fn halves(pair: u64) -> (usize, u32) {
    let first = usize::try_from(pair >> 32).expect("half of 64 bits fits");
    (first, u32::try_from(pair & u64::from(u32::MAX)).expect("it was masked"))
}

fn scale_to(entries: &mut [Entry], length: f32) {
    let squares: f32 = entries.iter().map(|(_, value)| value * value).sum();
    if squares > 0.0 {
        let factor = length / squares.sqrt();
        for (_, value) in entries {
            *value *= factor;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn space() -> Space {
        Space {
            words: vec![10, 20, 30],
            begins: vec![0, 2, 3, 3],
            seconds: vec![1, 2, 1],
            shape: Shape { window: 2, pair_weight: 0.5, title_weight: 0.0 },
        }
    }

    #[test]
    fn words_and_pairs_have_their_rows() {
        let space = space();
        assert_eq!((space.place(20), space.place(25), space.rows()), (1, UNKNOWN, 6));
        assert_eq!(space.pair_row(2), Some(4));
        assert_eq!((space.pair_row(1 << 32 | 2), space.pair_row(1 << 32 | 1)), (None, Some(5)));
        for (row, pair) in [(2, None), (3, Some((0, 1))), (4, Some((0, 2))), (5, Some((1, 1)))] {
            assert_eq!(space.pair_of(row), pair, "{row}");
        }
    }

    #[test]
    fn a_text_is_the_rows_that_were_learned() {
        let bag = space().bag(&[1, UNKNOWN, 1, 0]);
        let rows: Vec<u32> = bag.terms.iter().map(|t| t.0).collect();
        assert_eq!((rows, bag.words), (vec![0, 1, 3, 5], 2));
        assert!(bag.terms[1].1 > bag.terms[0].1, "twice counts for more than once");
    }

    #[test]
    fn the_window_says_how_near_two_words_stand() {
        let pairs = |places: &[u32], window| {
            let mut found = Vec::new();
            each_pair(places, window, |pair| found.push(halves(pair)));
            found
        };
        assert_eq!(pairs(&[2, 0, 1], 1), [(0, 2), (0, 1)]);
        assert_eq!(pairs(&[2, 0, 1], 2).len(), 3);
        assert!(pairs(&[2, 0], 0).is_empty());
        assert_eq!(pairs(&vec![0; PAIRED_WORDS * 2], 1).len(), PAIRED_WORDS - 1);
    }

    #[test]
    fn a_vector_has_length_one_and_its_blocks_their_share() {
        let space = space();
        let vector = space.vector(&space.bag(&[0, 1, 2]), |_| 3.0);
        let square = |part: &[Entry]| part.iter().map(|e| e.1 * e.1).sum::<f32>();
        assert!((square(&vector) - 1.0).abs() < 1e-5);
        assert!((square(&vector[3..]) / square(&vector[..3]) - 0.25).abs() < 1e-5);
        assert!(space.vector(&Bag::default(), |_| 1.0).is_empty());
    }

    #[test]
    fn the_beginning_counts_for_more() {
        let terms = word_terms(&[0, 1], 3.0);
        assert!(terms[0].1 > terms[1].1);
    }
}
