//! What can be chosen about learning. The defaults were found by cross-validation on real tickets.

use crate::ModelError;

/// How to learn.
#[derive(Debug, Clone, PartialEq)]
pub struct Options {
    /// The share of right answers that the threshold is chosen for, among the cases that are answered: 0.5 to 1.
    pub precision: f32,
    /// How many parts the cases are cut into for calibration; each is scored by a model of the others. 2 to 20.
    pub folds: usize,
    /// In how many cases a word must occur to be learned: 1 or more.
    pub word_cases: u32,
    /// In how many cases a pair of words must occur to be learned: 2 or more.
    pub pair_cases: u32,
    /// How far apart, in words, the two words of a pair may be: 0 (no pairs) to 64.
    pub window: usize,
    /// How much the pairs count beside the words: 0 to 10.
    pub pair_weight: f32,
    /// How much a word at the very beginning, the title, counts beyond the others: 0 to 100.
    pub title_weight: f32,
    /// The support vector machine's C: how much an error costs. Above 0, at most 1,000.
    pub cost: f32,
    /// How often the learning goes through all cases: 1 to 100.
    pub passes: usize,
    /// How many small nets are learned on each part beside the linear model, where there are enough cases for them
    /// ([`crate::second::LEAST_CASES`]): 0 to 16.
    pub nets: usize,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            precision: 0.95,
            folds: 3,
            word_cases: 2,
            pair_cases: 5,
            window: 16,
            pair_weight: 1.4,
            title_weight: 3.0,
            cost: 1.0,
            passes: 8,
            nets: 4,
        }
    }
}

impl Options {
    /// Whether every option is in its range.
    pub fn check(&self) -> Result<(), ModelError> {
        let bad = |name, given: String, range| Err(ModelError::Option { name, given, range });
        if !(0.5..=1.0).contains(&self.precision) {
            return bad("precision", self.precision.to_string(), "0.5 to 1");
        }
        if !(2..=20).contains(&self.folds) {
            return bad("folds", self.folds.to_string(), "2 to 20");
        }
        if self.word_cases < 1 {
            return bad("word_cases", self.word_cases.to_string(), "1 or more");
        }
        if self.pair_cases < 2 {
            return bad("pair_cases", self.pair_cases.to_string(), "2 or more");
        }
        if self.window > 64 {
            return bad("window", self.window.to_string(), "0 to 64");
        }
        if !(0.0..=10.0).contains(&self.pair_weight) {
            return bad("pair_weight", self.pair_weight.to_string(), "0 to 10");
        }
        if !(0.0..=100.0).contains(&self.title_weight) {
            return bad("title_weight", self.title_weight.to_string(), "0 to 100");
        }
        if !(self.cost > 0.0 && self.cost <= 1000.0) {
            return bad("cost", self.cost.to_string(), "above 0 and at most 1000");
        }
        if !(1..=100).contains(&self.passes) {
            return bad("passes", self.passes.to_string(), "1 to 100");
        }
        if self.nets > 16 {
            return bad("nets", self.nets.to_string(), "0 to 16");
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_defaults_are_in_range() {
        Options::default().check().unwrap();
    }

    #[test]
    fn every_option_out_of_its_range_is_named() {
        let d = Options::default;
        for (name, bad) in [
            ("precision", Options { precision: f32::NAN, ..d() }),
            ("folds", Options { folds: 1, ..d() }),
            ("word_cases", Options { word_cases: 0, ..d() }),
            ("pair_cases", Options { pair_cases: 1, ..d() }),
            ("window", Options { window: 65, ..d() }),
            ("pair_weight", Options { pair_weight: -1.0, ..d() }),
            ("title_weight", Options { title_weight: f32::INFINITY, ..d() }),
            ("cost", Options { cost: 0.0, ..d() }),
            ("passes", Options { passes: 0, ..d() }),
            ("nets", Options { nets: 17, ..d() }),
        ] {
            let error = bad.check().unwrap_err().to_string();
            assert!(error.contains(name), "{error}");
        }
    }
}
