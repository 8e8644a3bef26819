//! Ranks once more, with the question moved towards what was found first.
//!
//! A question says in few words of its own what a document says in others. The passages that were found first speak the
//! document's language, and where they are right, what answers stands near them (Rocchio, "Relevance Feedback in
//! Information Retrieval", 1971, with the first hits taken to be right).

use std::collections::HashMap;

use crate::{
    rank::{self, CLOSE, Ranked, VECTORS},
    vector::Small,
};

/// How many of the first hits the question is moved towards. With this and [`TOWARDS`] more questions for tuning of
/// `evals/retrieval.jsonl` found their answer; two, four and five hits, and 0.3 and 0.8, did as well or a little worse.
const FIRST: usize = 3;
/// How much their middle counts beside the question.
const TOWARDS: f32 = 0.5;

/// Ranks the chunks anew by the moved question. Those of `ranked` without a vector count as the farthest.
pub(crate) fn again(ranked: &mut [Ranked], question: &Small, vectors: &HashMap<i64, Small>) {
    let first: Vec<&Small> = ranked.iter().filter_map(|ranked| vectors.get(&ranked.nr)).take(FIRST).collect();
    let Some(moved) = moved(question, &first) else { return };
    let close: HashMap<i64, f64> = vectors.iter().map(|(nr, vector)| (*nr, cosine(&moved, vector))).collect();
    let closest = close.values().copied().fold(CLOSE, f64::max);
    let farthest = close.values().copied().fold(closest, f64::min);
    for ranked in ranked.iter_mut() {
        let close = close.get(&ranked.nr).copied().unwrap_or(farthest);
        ranked.score = ranked.words + close / closest * VECTORS;
    }
    rank::order(ranked);
}

/// The question moved towards the middle of these, of length 1; nothing when there are none.
fn moved(question: &Small, first: &[&Small]) -> Option<Vec<f32>> {
    let mut moved: Vec<f32> = question.values().collect();
    #[expect(clippy::cast_precision_loss, reason = "a handful")]
    let share = TOWARDS / first.len() as f32;
    for vector in first {
        moved.iter_mut().zip(vector.values()).for_each(|(at, value)| *at += share * value);
    }
    let length = moved.iter().map(|value| value * value).sum::<f32>().sqrt();
    for value in &mut moved {
        *value /= length;
    }
    (!first.is_empty() && length.is_normal()).then_some(moved)
}

/// The cosine of the angle between a vector of length 1 and a small one.
fn cosine(of: &[f32], to: &Small) -> f64 {
    f64::from(of.iter().zip(to.values()).map(|(a, b)| a * b).sum::<f32>())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(angle: f32) -> Small {
        Small::of(&[angle.cos(), angle.sin()]).unwrap()
    }

    fn again_with(vectors: &[(i64, f32)], words: &[(i64, f64)], near: &[(i64, f32)]) -> Vec<i64> {
        let mut ranked = rank::fuse(words, near);
        again(&mut ranked, &at(0.0), &vectors.iter().map(|(nr, angle)| (*nr, at(*angle))).collect());
        assert!(ranked.iter().all(|ranked| ranked.score.is_finite() && ranked.score <= 1.0 + 1e-6));
        ranked.iter().map(|ranked| ranked.nr).collect()
    }

    #[test]
    fn what_stands_near_the_first_hits_is_preferred() {
        // 4 and 5 are as far from the question, on two sides; the first three hits stand on the side of 5.
        let angles = [(1, 0.5), (2, 0.6), (3, 0.7), (4, -0.9), (5, 0.9)];
        let near: Vec<(i64, f32)> = angles.iter().map(|(nr, angle)| (*nr, f32::cos(*angle))).collect();
        assert_eq!(rank::fuse(&[], &near).last().map(|last| last.nr), Some(5));
        assert_eq!(again_with(&angles, &[], &near), [1, 2, 3, 5, 4]);
    }

    #[test]
    fn without_vectors_the_ranking_stays() {
        assert_eq!(again_with(&[], &[(3, 2.0), (1, 1.0)], &[(2, 0.9)]), [3, 1, 2]);
        assert!(again_with(&[], &[], &[]).is_empty());
    }

    #[test]
    fn a_chunk_that_waits_for_its_vector_counts_as_the_farthest() {
        let order = again_with(&[(1, 0.1), (2, 1.5)], &[(3, 2.0), (4, 1.0)], &[(1, 0.995), (2, 0.07)]);
        assert_eq!(order, [1, 3, 4, 2]);
    }
}
