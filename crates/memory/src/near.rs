//! Words that mean nearly the same, so that a question finds what is said in other words: a table, no model.
//!
//! `near_words.txt` was made by a machine, and no question of `evals` had a part in it. Its words are the English words
//! that all-MiniLM-L6-v2 has whole in its vocabulary and that occur in at least 40 of the tickets that triage is tried on,
//! or in Echo's documents. To each belong the up to six words whose vectors are closest to its own, from a cosine of 0.6
//! on, as stems.

use std::{collections::HashMap, sync::LazyLock};

/// A stem in each line, then the stems near it, the nearest first.
const TABLE: &str = include_str!("near_words.txt");

static NEAR: LazyLock<HashMap<&str, Vec<&str>>> = LazyLock::new(|| {
    let line = |line: &'static str| {
        let mut words = line.split(' ');
        words.next().map(|word| (word, words.collect()))
    };
    TABLE.lines().filter_map(line).collect()
});

/// The stems that mean nearly the same as this one, the nearest first.
pub(crate) fn near(stem: &str) -> &'static [&'static str] {
    NEAR.get(stem).map_or(&[], Vec::as_slice)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::words;

    #[test]
    fn what_a_person_says_leads_to_what_is_written() {
        for (said, written) in [("delete", "remove"), ("telephone", "call"), ("payment", "bill")] {
            let near = near(&words::words(said)[0]);
            assert!(near.contains(&words::words(written)[0].as_str()), "{said}: {near:?}");
        }
        assert!(near("xyzzy").is_empty());
    }

    #[test]
    fn the_table_is_sorted_and_no_word_is_near_itself() {
        let lines: Vec<Vec<&str>> = TABLE.lines().map(|line| line.split(' ').collect()).collect();
        assert!(lines.is_sorted_by(|a, b| a[0] < b[0]));
        for line in &lines {
            assert!((2..=7).contains(&line.len()) && !line[1..].contains(&line[0]), "{line:?}");
        }
    }
}
