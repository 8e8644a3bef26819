//! The linear classifier: one support vector machine for each label against the others, learned together.
//!
//! Dual coordinate descent for the squared hinge loss (Hsieh, Chang, Lin, Keerthi, Sundararajan: A dual coordinate
//! descent method for large-scale linear SVM, 2008; the method of LIBLINEAR's solver 1). A case's scores for all labels
//! are computed in one go, eight labels in a register, for reading the weights is what takes the time.

use crate::{random::Random, space::Entry};

/// How many labels are computed together.
const LANES: usize = 8;
/// A step below this changes nothing that matters.
const STILL: f32 = 1e-6;

/// The weight of each row for each label, and of a last row that every text has.
#[derive(Debug, Clone)]
pub struct Weights {
    labels: usize,
    groups: usize,
    /// By row, then group of labels.
    lanes: Vec<[f32; LANES]>,
}

/// What is learned from: vectors and the label of each.
#[derive(Clone, Copy)]
pub struct Lesson<'a> {
    /// The vectors, of length 1 or empty.
    pub vectors: &'a [Vec<Entry>],
    /// The label of each.
    pub truths: &'a [usize],
    /// How many labels there are.
    pub labels: usize,
    /// How many rows there are.
    pub rows: usize,
}

impl Weights {
    fn nothing(labels: usize, rows: usize) -> Self {
        let groups = labels.div_ceil(LANES);
        Self { labels, groups, lanes: vec![[0.0; LANES]; (rows + 1) * groups] }
    }

    /// Learns, in so many passes over the vectors in an order that `seed` says; `tell` hears of each pass.
    pub fn learn(
        lesson: Lesson<'_>,
        cost: f32,
        passes: usize,
        seed: u64,
        mut tell: impl FnMut(usize),
    ) -> Self {
        let mut weights = Self::nothing(lesson.labels, lesson.rows);
        let mut duals = vec![0.0f32; lesson.vectors.len() * lesson.labels];
        let mut order: Vec<usize> = (0..lesson.vectors.len()).collect();
        let mut random = Random::new(seed);
        let mut steps = vec![[0.0; LANES]; weights.groups];
        let diagonal = 0.5 / cost;
        for pass in 0..passes {
            random.shuffle(&mut order);
            for &case in &order {
                let vector = &lesson.vectors[case];
                // Of length 1, and the row that every text has.
                let curvature = if vector.is_empty() { 1.0 } else { 2.0 } + diagonal;
                weights.lanes_of(vector, &mut steps);
                let own = &mut duals[case * lesson.labels..][..lesson.labels];
                let mut moved = false;
                for (label, (dual, step)) in own.iter_mut().zip(steps.as_flattened_mut()).enumerate() {
                    let side = if lesson.truths[case] == label { 1.0 } else { -1.0 };
                    let slope = side * *step - 1.0 + *dual * diagonal;
                    let next = (*dual - slope / curvature).max(0.0);
                    *step = side * (next - *dual);
                    moved |= step.abs() > STILL;
                    *dual = next;
                }
                if moved {
                    weights.step(vector, &steps);
                }
            }
            tell(pass + 1);
        }
        weights
    }

    /// The scores of a vector, one a label.
    pub fn scores(&self, vector: &[Entry]) -> Vec<f32> {
        let mut lanes = vec![[0.0; LANES]; self.groups];
        self.lanes_of(vector, &mut lanes);
        lanes.as_flattened()[..self.labels].to_vec()
    }

    /// The weights of a row, one a label; the row behind the last is the one that every text has.
    pub fn row(&self, row: usize) -> &[f32] {
        &self.lanes[row * self.groups..][..self.groups].as_flattened()[..self.labels]
    }

    fn lanes_of(&self, vector: &[Entry], into: &mut [[f32; LANES]]) {
        let last = self.lanes.len() - self.groups;
        into.copy_from_slice(&self.lanes[last..]);
        for (row, value) in vector {
            let own = &self.lanes[*row as usize * self.groups..][..self.groups];
            for (into, own) in into.iter_mut().zip(own) {
                for lane in 0..LANES {
                    into[lane] += own[lane] * value;
                }
            }
        }
    }

    fn step(&mut self, vector: &[Entry], steps: &[[f32; LANES]]) {
        let last = self.lanes.len() / self.groups - 1;
        for (row, value) in vector.iter().map(|(row, value)| (*row as usize, *value)).chain([(last, 1.0)]) {
            let own = &mut self.lanes[row * self.groups..][..self.groups];
            for (own, step) in own.iter_mut().zip(steps) {
                for lane in 0..LANES {
                    own[lane] += step[lane] * value;
                }
            }
        }
    }
}

/// The number of the highest score; the first of equals.
pub fn highest(scores: &[f32]) -> usize {
    let mut best = 0;
    for (label, score) in scores.iter().enumerate() {
        if *score > scores[best] {
            best = label;
        }
    }
    best
}

#[cfg(test)]
mod tests {
    use super::*;

    fn learned(labels: usize) -> Weights {
        let vectors: Vec<Vec<Entry>> =
            (0..labels).map(|label| vec![(crate::space::as_row(label), 1.0)]).collect();
        let truths: Vec<usize> = (0..labels).collect();
        let lesson = Lesson { vectors: &vectors, truths: &truths, labels, rows: labels };
        Weights::learn(lesson, 1.0, 20, 1, |_| {})
    }

    #[test]
    fn what_can_be_told_apart_is_learned_for_any_number_of_labels() {
        for labels in [2, 3, 8, 9, 20] {
            let weights = learned(labels);
            for label in 0..labels {
                let scores = weights.scores(&[(crate::space::as_row(label), 1.0)]);
                assert_eq!((scores.len(), highest(&scores)), (labels, label));
            }
        }
    }

    #[test]
    fn the_optimum_is_the_one_that_can_be_worked_out() {
        // Two cases, x = (1), y = +1 and x = (-1), y = -1, squared hinge with C = 1 and a bias that stays 0:
        // min w^2 / 2 + 2 (1 - w)^2 gives w = 4 / 5.
        let vectors = [vec![(0, 1.0)], vec![(0, -1.0)]];
        let lesson = Lesson { vectors: &vectors, truths: &[0, 1], labels: 2, rows: 1 };
        let weights = Weights::learn(lesson, 1.0, 100, 1, |_| {});
        assert!((weights.row(0)[0] - 0.8).abs() < 1e-3 && weights.row(1)[0].abs() < 1e-3, "{weights:?}");
    }

    #[test]
    fn the_first_of_equal_scores_wins() {
        assert_eq!(highest(&[0.5, 1.0, 1.0]), 1);
    }
}
