//! How good answers are: figures over cases whose label is known.

use serde::{Deserialize, Serialize};

use crate::LabelSet;

/// The shares of cases for which a curve has a point.
const COVERAGES: [u32; 10] = [100, 95, 90, 85, 80, 75, 70, 60, 50, 25];

/// One case that was answered, and what it really was.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Outcome {
    /// The label it has.
    pub truth: usize,
    /// The label it was given.
    pub guess: usize,
    /// How sure the answer was, 0 to 1.
    pub confidence: f32,
    /// Whether the answer was held back.
    pub abstained: bool,
}

/// Figures over many cases. Shares are 0 to 1.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Evaluation {
    /// How many cases.
    pub cases: usize,
    /// The share of right guesses, with those that were held back.
    pub accuracy: f64,
    /// The mean of the labels' F1, over the labels that occur as truth or guess.
    pub macro_f1: f64,
    /// The share of cases that were answered.
    pub answered: f64,
    /// The share of right answers among them; 1 when there are none.
    pub answered_accuracy: f64,
    /// By label, in the set's order.
    pub labels: Vec<LabelFigures>,
    /// What the share of right answers is when only the surest are answered.
    pub curve: Vec<CurvePoint>,
}

/// Figures of one label.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LabelFigures {
    /// Its name.
    pub label: String,
    /// How many cases have it.
    pub cases: usize,
    /// Of those that were given it, the share that has it.
    pub precision: f64,
    /// Of those that have it, the share that was given it.
    pub recall: f64,
    /// The harmonic mean of both.
    pub f1: f64,
}

/// One point of the curve of coverage against accuracy.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CurvePoint {
    /// The share of cases that is answered, the surest first.
    pub coverage: f64,
    /// The share of right answers among them.
    pub accuracy: f64,
    /// The lowest confidence among them.
    pub confidence: f64,
}

impl Evaluation {
    /// The figures of these outcomes.
    pub fn of(outcomes: &[Outcome], labels: &LabelSet) -> Self {
        let right = outcomes.iter().filter(|o| o.truth == o.guess).count();
        let answered: Vec<&Outcome> = outcomes.iter().filter(|o| !o.abstained).collect();
        let answered_right = answered.iter().filter(|o| o.truth == o.guess).count();
        let figures: Vec<(bool, LabelFigures)> = labels
            .names()
            .iter()
            .enumerate()
            .map(|(number, name)| of_label(outcomes, number, name))
            .collect();
        let present: Vec<f64> = figures.iter().filter(|(present, _)| *present).map(|(_, f)| f.f1).collect();
        Self {
            cases: outcomes.len(),
            accuracy: share(right, outcomes.len(), 0.0),
            macro_f1: present.iter().sum::<f64>() / float(present.len().max(1)),
            answered: share(answered.len(), outcomes.len(), 0.0),
            answered_accuracy: share(answered_right, answered.len(), 1.0),
            labels: figures.into_iter().map(|(_, figures)| figures).collect(),
            curve: curve(outcomes),
        }
    }
}

/// Whether a label occurs at all, and its figures.
fn of_label(outcomes: &[Outcome], number: usize, name: &str) -> (bool, LabelFigures) {
    let cases = outcomes.iter().filter(|o| o.truth == number).count();
    let given = outcomes.iter().filter(|o| o.guess == number).count();
    let right = outcomes.iter().filter(|o| o.truth == number && o.guess == number).count();
    let figures = LabelFigures {
        label: name.to_owned(),
        cases,
        precision: share(right, given, 0.0),
        recall: share(right, cases, 0.0),
        f1: share(2 * right, cases + given, 0.0),
    };
    (cases + given > 0, figures)
}

fn curve(outcomes: &[Outcome]) -> Vec<CurvePoint> {
    let mut sorted: Vec<&Outcome> = outcomes.iter().collect();
    sorted.sort_by(|a, b| b.confidence.total_cmp(&a.confidence));
    COVERAGES
        .iter()
        .filter_map(|percent| {
            let covered = &sorted[..sorted.len() * *percent as usize / 100];
            let last = covered.last()?;
            let right = covered.iter().filter(|o| o.truth == o.guess).count();
            Some(CurvePoint {
                coverage: f64::from(*percent) / 100.0,
                accuracy: share(right, covered.len(), 0.0),
                confidence: last.confidence.into(),
            })
        })
        .collect()
}

fn share(part: usize, whole: usize, of_nothing: f64) -> f64 {
    if whole == 0 { of_nothing } else { float(part) / float(whole) }
}

#[expect(clippy::cast_precision_loss, reason = "counts of cases are far below 2^52")]
fn float(count: usize) -> f64 {
    count as f64
}

#[cfg(test)]
mod tests {
    use super::*;

    fn outcomes() -> Vec<Outcome> {
        [(0, 0, 0.9), (0, 0, 0.8), (0, 1, 0.4), (1, 1, 0.7)]
            .map(|(truth, guess, confidence)| Outcome {
                truth,
                guess,
                confidence,
                abstained: confidence < 0.5,
            })
            .to_vec()
    }

    #[test]
    fn the_figures_are_those_of_the_definitions() {
        let labels = LabelSet::new(["a", "b", "never"]).unwrap();
        let e = Evaluation::of(&outcomes(), &labels);
        assert_eq!((e.cases, e.accuracy, e.answered, e.answered_accuracy), (4, 0.75, 0.75, 1.0));
        assert_eq!((e.labels[0].precision, e.labels[0].f1), (1.0, 0.8));
        assert_eq!((e.labels[1].precision, e.labels[1].recall), (0.5, 1.0));
        let f1 = f64::midpoint(0.8, 2.0 / 3.0);
        assert!(
            (e.macro_f1 - f1).abs() < 1e-12,
            "a label that does not occur does not count: {}",
            e.macro_f1
        );
    }

    #[test]
    fn the_curve_answers_the_surest_first() {
        let labels = LabelSet::new(["a", "b"]).unwrap();
        let curve = Evaluation::of(&outcomes(), &labels).curve;
        let at =
            |coverage: f64| curve.iter().find(|p| (p.coverage - coverage).abs() < 1e-9).unwrap().accuracy;
        assert_eq!((at(1.0), at(0.75), at(0.5)), (0.75, 1.0, 1.0));
    }

    #[test]
    fn no_case_is_no_division_by_nothing() {
        let e = Evaluation::of(&[], &LabelSet::new(["a", "b"]).unwrap());
        assert_eq!((e.accuracy, e.macro_f1, e.curve.len()), (0.0, 0.0, 0));
    }
}
