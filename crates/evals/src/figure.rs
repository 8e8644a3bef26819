//! One measured number, and which way is better.

use serde::{Deserialize, Serialize};

/// Which way a figure is better.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Better {
    /// More is better.
    Higher,
    /// Less is better.
    Lower,
}

/// One measured number.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Figure {
    /// Its name within the suite, in snake case; a unit stands at its end, as in `p95_ms`.
    pub name: String,
    /// How much.
    pub value: f64,
    /// Which way is better.
    pub better: Better,
}

impl Figure {
    /// A figure of which more is better, to four decimals.
    pub fn higher(name: &str, value: f64) -> Self {
        Self { name: name.to_owned(), value: rounded(value), better: Better::Higher }
    }

    /// A figure of which less is better, to four decimals.
    pub fn lower(name: &str, value: f64) -> Self {
        Self { name: name.to_owned(), value: rounded(value), better: Better::Lower }
    }

    /// Whether the figure is on the wrong side of `limit`.
    pub fn falls_short_of(&self, limit: f64) -> bool {
        match self.better {
            Better::Higher => self.value < limit,
            Better::Lower => self.value > limit,
        }
    }
}

fn rounded(value: f64) -> f64 {
    (value * 10_000.0).round() / 10_000.0
}

/// `part` of `whole`; nothing of nothing is 0.
pub(crate) fn share(part: usize, whole: usize) -> f64 {
    if whole == 0 { 0.0 } else { number(part) / number(whole) }
}

#[expect(clippy::cast_precision_loss, reason = "counts of cases are far below 2^52")]
pub(crate) fn number(count: usize) -> f64 {
    count as f64
}

/// The value below which `percent` of 100 of the sorted values are.
pub(crate) fn percentile(sorted: &[f64], percent: usize) -> f64 {
    sorted.get(sorted.len() * percent / 100).or(sorted.last()).copied().unwrap_or(0.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_figure_falls_short_on_its_own_side_alone() {
        assert!(Figure::higher("accuracy", 0.5).falls_short_of(0.6));
        assert!(!Figure::higher("accuracy", 0.6).falls_short_of(0.6));
        assert!(Figure::lower("calls", 1.0).falls_short_of(0.0));
        assert!(!Figure::lower("calls", 0.0).falls_short_of(0.0));
    }

    #[test]
    fn percentiles_of_few_values_stay_among_them() {
        assert!((percentile(&[], 95) - 0.0).abs() < f64::EPSILON);
        assert!((percentile(&[3.0], 95) - 3.0).abs() < f64::EPSILON);
        assert!((percentile(&[1.0, 2.0, 3.0, 4.0], 50) - 3.0).abs() < f64::EPSILON);
    }
}
