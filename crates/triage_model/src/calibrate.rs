//! From scores to a confidence that means what it says, and from confidences to a threshold.
//!
//! Both are found on cases that the scoring model had not learned from.

use crate::{Outcome, svm::highest};

/// No confidence is higher: nothing is certain, and a threshold of 1 means that nothing is answered.
pub const MAX_CONFIDENCE: f32 = 0.9999;
/// Temperatures are looked for between these, as natural logarithms.
const LOG_RANGE: (f32, f32) = (-3.0, 5.0);
/// Halving the range by the golden ratio so often leaves nothing of it.
const HALVINGS: usize = 40;

/// The label of the highest score, and its share of the softmax of all scores times `temperature`.
pub fn confidence(scores: &[f32], temperature: f32) -> (usize, f32) {
    let best = highest(scores);
    let sum: f32 = scores.iter().map(|score| ((score - scores[best]) * temperature).exp()).sum();
    (best, (1.0 / sum).min(MAX_CONFIDENCE))
}

/// The temperature under which the labels of held-back cases are likeliest (Guo, Pleiss, Sun, Weinberger: On calibration
/// of modern neural networks, 2017).
pub fn temperature(scores: &[Vec<f32>], truths: &[usize]) -> f32 {
    let loss = |log: f32| -> f64 {
        let temperature = log.exp();
        scores.iter().zip(truths).map(|(scores, truth)| loss_of(scores, *truth, temperature)).sum()
    };
    let ratio = (5.0_f32.sqrt() - 1.0) / 2.0;
    let (mut low, mut high) = LOG_RANGE;
    let inner = |low: f32, high: f32| (high - ratio * (high - low), low + ratio * (high - low));
    let (mut left, mut right) = inner(low, high);
    let (mut left_loss, mut right_loss) = (loss(left), loss(right));
    for _ in 0..HALVINGS {
        if left_loss <= right_loss {
            (high, right, right_loss) = (right, left, left_loss);
            left = inner(low, high).0;
            left_loss = loss(left);
        } else {
            (low, left, left_loss) = (left, right, right_loss);
            right = inner(low, high).1;
            right_loss = loss(right);
        }
    }
    f32::midpoint(low, high).exp()
}

fn loss_of(scores: &[f32], truth: usize, temperature: f32) -> f64 {
    let best = scores[highest(scores)];
    let sum: f32 = scores.iter().map(|score| ((score - best) * temperature).exp()).sum();
    f64::from(sum.ln() - (scores[truth] - best) * temperature)
}

/// The lowest confidence from which on at least a `precision` share of the outcomes is right; 1 when there is none.
pub fn threshold(outcomes: &[Outcome], precision: f32) -> f32 {
    let mut sorted: Vec<(f32, bool)> = outcomes.iter().map(|o| (o.confidence, o.truth == o.guess)).collect();
    sorted.sort_by(|a, b| b.0.total_cmp(&a.0));
    let (mut right, mut answered, mut found) = (0u32, 0u32, 1.0);
    for same in sorted.chunk_by(|a, b| a.0.total_cmp(&b.0).is_eq()) {
        for (_, holds) in same {
            answered += 1;
            right += u32::from(*holds);
        }
        if f64::from(right) >= f64::from(precision) * f64::from(answered) {
            found = same[0].0;
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn scores_that_are_right_three_times_in_four_get_that_confidence() {
        let scores = vec![vec![1.0, 0.0]; 400];
        let truths: Vec<usize> = (0..400).map(|i| usize::from(i % 4 == 0)).collect();
        let found = temperature(&scores, &truths);
        assert!((confidence(&scores[0], found).1 - 0.75).abs() < 0.001, "{found}");
    }

    #[test]
    fn nothing_is_certain() {
        assert_eq!(confidence(&[100.0, 0.0], 5.0), (0, MAX_CONFIDENCE));
        assert_eq!(confidence(&[0.0, 0.0], 5.0), (0, 0.5));
    }

    fn outcome(confidence: f32, right: bool) -> Outcome {
        Outcome { truth: 0, guess: usize::from(!right), confidence, abstained: false }
    }

    #[test]
    fn the_threshold_answers_as_much_as_the_precision_allows() {
        let outcomes =
            [(0.9, true), (0.8, true), (0.7, false), (0.6, true), (0.5, false)].map(|(c, r)| outcome(c, r));
        assert!((threshold(&outcomes, 1.0) - 0.8).abs() < 1e-6);
        assert!((threshold(&outcomes, 0.75) - 0.6).abs() < 1e-6);
        assert!((threshold(&outcomes, 0.5) - 0.5).abs() < 1e-6);
        assert!((threshold(&[outcome(0.9, false)], 0.5) - 1.0).abs() < 1e-6, "never right: never answered");
    }

    proptest! {
        #[test]
        fn what_is_answered_has_the_precision(
            given in prop::collection::vec((0u8..20, any::<bool>()), 1..60), precision in 0.5f32..1.0
        ) {
            let outcomes: Vec<_> = given.iter().map(|(c, r)| outcome(f32::from(*c) / 20.0, *r)).collect();
            let least = threshold(&outcomes, precision);
            let answered: Vec<_> = outcomes.iter().filter(|o| o.confidence >= least).collect();
            let right = answered.iter().filter(|o| o.truth == o.guess).count();
            let float = |count: usize| f64::from(u32::try_from(count).unwrap());
            prop_assert!(float(right) >= f64::from(precision) * float(answered.len()));
        }
    }
}
