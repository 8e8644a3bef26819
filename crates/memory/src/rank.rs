//! Brings two rankings together.

use std::collections::HashMap;

/// How much the vectors count beside the words, of 1.
pub(crate) const VECTORS: f64 = 0.6;

/// The best similarity counts as this much at least: where nothing is close, nothing gets close by comparison.
pub(crate) const CLOSE: f64 = 0.1;

/// A chunk in both rankings.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Ranked {
    /// The chunk's number.
    pub(crate) nr: i64,
    /// How well it answers, 1 for what is best in both.
    pub(crate) score: f64,
    /// What the words have in that score.
    pub(crate) words: f64,
    /// Its rank by words, from 1.
    pub(crate) by_words: Option<u32>,
    /// Its rank by vector, from 1, and how close it is.
    pub(crate) by_vector: Option<(u32, f32)>,
}

/// The chunks of both rankings, the best first: each score as a share of the best one, added by weight. A chunk that is
/// missing among the closest counts as the farthest of them; one without the words gets nothing for them.
///
/// Such a convex combination found more than reciprocal rank fusion on the questions of `evals/retrieval.jsonl`, for
/// tuning and kept apart alike, as Bruch, Gai and Ingber saw elsewhere ("An Analysis of Fusion Functions for Hybrid
/// Retrieval", ACM TOIS 2023).
pub(crate) fn fuse(by_words: &[(i64, f64)], by_vector: &[(i64, f32)]) -> Vec<Ranked> {
    let most = by_words.first().map_or(1.0, |best| best.1).max(f64::MIN_POSITIVE);
    let closest = by_vector.first().map_or(1.0, |best| f64::from(best.1)).max(CLOSE);
    let vectors = if by_vector.is_empty() { 0.0 } else { VECTORS };
    let farthest = by_vector.last().map_or(0.0, |last| f64::from(last.1) / closest * vectors);
    let mut all: HashMap<i64, Ranked> = HashMap::new();
    for (rank, (nr, score)) in (1..).zip(by_words) {
        let words = score / most * (1.0 - vectors);
        let score = farthest + words;
        all.insert(*nr, Ranked { nr: *nr, score, words, by_words: Some(rank), by_vector: None });
    }
    for (rank, (nr, similarity)) in (1..).zip(by_vector) {
        let fresh = Ranked { nr: *nr, score: farthest, words: 0.0, by_words: None, by_vector: None };
        let ranked = all.entry(*nr).or_insert(fresh);
        ranked.by_vector = Some((rank, *similarity));
        ranked.score += f64::from(*similarity) / closest * vectors - farthest;
    }
    let mut ranked: Vec<Ranked> = all.into_values().collect();
    order(&mut ranked);
    ranked
}

/// The best first. Of two that score the same, the one that holds the words: what it says can be seen to be what was
/// asked.
pub(crate) fn order(ranked: &mut [Ranked]) {
    let by_words = |ranked: &Ranked| ranked.by_words.unwrap_or(u32::MAX);
    ranked.sort_by(|a, b| {
        b.score.total_cmp(&a.score).then(by_words(a).cmp(&by_words(b))).then(a.nr.cmp(&b.nr))
    });
}

#[cfg(test)]
mod tests {
    use super::*;

    fn numbers(ranked: &[Ranked]) -> Vec<i64> {
        ranked.iter().map(|ranked| ranked.nr).collect()
    }

    #[test]
    fn what_is_best_in_both_rankings_scores_one_and_comes_first() {
        let fused = fuse(&[(1, 8.0), (2, 6.0), (3, 1.0)], &[(1, 0.5), (4, 0.4), (2, 0.3)]);
        assert_eq!(numbers(&fused), [1, 2, 4, 3]);
        assert!((fused[0].score - 1.0).abs() < 1e-9, "{}", fused[0].score);
        assert_eq!((fused[1].by_words, fused[1].by_vector), (Some(2), Some((3, 0.3))));
        // Nobody is closer for not having been compared.
        let (second, last) = (fused[1].score, fused[3].score);
        assert!(
            (second - (0.36 + 0.3)).abs() < 1e-6 && (last - (0.36 + 0.05)).abs() < 1e-6,
            "{second} {last}"
        );
    }

    #[test]
    fn one_ranking_alone_keeps_its_order() {
        let words = fuse(&[(3, 2.0), (1, 1.5), (2, 0.1)], &[]);
        assert_eq!(numbers(&words), [3, 1, 2]);
        assert!((words[0].score - 1.0).abs() < 1e-9);
        assert_eq!(numbers(&fuse(&[], &[(3, 0.2), (1, 0.1), (2, -0.4)])), [3, 1, 2]);
        assert!(fuse(&[], &[]).is_empty());
    }

    #[test]
    fn scores_that_are_not_above_zero_are_no_harm() {
        let fused = fuse(&[(1, 0.0)], &[(2, -0.1), (3, -0.9)]);
        assert_eq!(fused.len(), 3);
        assert!(fused.iter().all(|ranked| ranked.score.is_finite()));
    }
}
