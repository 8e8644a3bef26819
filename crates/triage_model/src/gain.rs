//! How much each row tells about the label, from the cases it occurs in.
//!
//! A row's gain is its rarity times a floor plus the divergence (Kullback and Leibler, in nats) of the labels of its
//! cases from the labels of all cases, smoothed towards the latter. A case that is being learned must not be seen in its
//! own gains, or rare rows would look better than they are: it gets the gains that the other cases give.

use crate::space::Bag;

/// What a row counts for that tells nothing.
const FLOOR: f32 = 0.3;
/// How many imagined cases with the usual labels stand beside a word's own.
const WORD_SMOOTHING: f32 = 20.0;
/// The same for a pair.
const PAIR_SMOOTHING: f32 = 8.0;

/// In how many cases of each label each row occurs.
pub struct Counts {
    labels: usize,
    /// How many of the rows are words.
    words: usize,
    /// By row, then label.
    rows: Vec<f32>,
    /// Cases of each label.
    totals: Vec<f32>,
}

/// The gains of all rows.
pub struct Gains {
    labels: usize,
    /// By row.
    pub rows: Vec<f32>,
    /// By row, then label: the gain when one case of that label is taken away.
    without: Vec<f32>,
}

impl Counts {
    /// Counts nothing yet.
    pub fn new(labels: usize, words: usize, rows: usize) -> Self {
        Self { labels, words, rows: vec![0.0; rows * labels], totals: vec![0.0; labels] }
    }

    /// Counts a case of this label.
    pub fn add(&mut self, bag: &Bag, label: usize) {
        self.totals[label] += 1.0;
        for (row, _) in &bag.terms {
            self.rows[*row as usize * self.labels + label] += 1.0;
        }
    }

    /// The gains, given how rare each row is.
    pub fn gains(&self, rarity: &[f32]) -> Gains {
        let all: f32 = self.totals.iter().sum();
        let priors: Vec<f32> = self.totals.iter().map(|total| total.max(0.5) / all.max(1.0)).collect();
        let mut gains = Gains {
            labels: self.labels,
            rows: Vec::with_capacity(rarity.len()),
            without: vec![0.0; self.rows.len()],
        };
        for (row, (counts, rarity)) in self.rows.chunks_exact(self.labels).zip(rarity).enumerate() {
            let smoothing = if row < self.words { WORD_SMOOTHING } else { PAIR_SMOOTHING };
            // With a = count + smoothing * prior and S = sum of a, the divergence is sum(a ln(a / prior)) / S - ln S.
            let part = |count: f32, prior: f32| {
                let a = count + smoothing * prior;
                a * (a / prior).ln()
            };
            let gain = |sum: f32, s: f32| rarity * (FLOOR + (sum / s - s.ln()).max(0.0));
            let size: f32 = counts.iter().sum::<f32>() + smoothing * priors.iter().sum::<f32>();
            let sum: f32 = counts.iter().zip(&priors).map(|(count, prior)| part(*count, *prior)).sum();
            gains.rows.push(gain(sum, size));
            let without = &mut gains.without[row * self.labels..];
            for ((count, prior), without) in counts.iter().zip(&priors).zip(without) {
                if *count >= 1.0 {
                    *without = gain(sum - part(*count, *prior) + part(count - 1.0, *prior), size - 1.0);
                }
            }
        }
        gains
    }
}

impl Gains {
    /// The gain of a row for a case of this label that was counted itself.
    pub fn without(&self, row: u32, label: usize) -> f32 {
        self.without[row as usize * self.labels + label]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bag(rows: &[u32]) -> Bag {
        Bag { terms: rows.iter().map(|row| (*row, 1.0)).collect(), words: rows.len() }
    }

    fn counted(cases: &[(&[u32], usize)]) -> Counts {
        let mut counts = Counts::new(2, 3, 3);
        for (rows, label) in cases {
            counts.add(&bag(rows), *label);
        }
        counts
    }

    const CASES: [(&[u32], usize); 4] = [(&[0, 2], 0), (&[0, 2], 0), (&[1, 2], 1), (&[1, 2], 1)];

    #[test]
    fn a_row_of_one_label_tells_more_than_a_row_of_all() {
        let gains = counted(&CASES).gains(&[1.0; 3]);
        assert!(gains.rows[0] > gains.rows[2]);
        assert!((gains.rows[2] - FLOOR).abs() < 1e-5, "{}", gains.rows[2]);
    }

    #[test]
    fn a_case_is_not_seen_in_its_own_gains() {
        let gains = counted(&CASES).gains(&[1.0; 3]);
        assert!(gains.without(0, 0) < gains.rows[0]);
        assert!(gains.without(2, 0) > gains.rows[2], "without it, the other label has more of the row");
    }

    #[test]
    fn rare_rows_gain_in_proportion() {
        let counts = counted(&CASES);
        let (once, twice) = (counts.gains(&[1.0; 3]), counts.gains(&[2.0; 3]));
        assert!((once.rows[0] * 2.0 - twice.rows[0]).abs() < 1e-6);
    }
}
