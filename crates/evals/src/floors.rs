//! The least figures that are let through.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::{Report, SuiteName};

/// For each suite the figures that are limited, by name: a higher figure may not be below, a lower one not above.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Floors(BTreeMap<SuiteName, BTreeMap<String, f64>>);

/// Why floors cannot be held against a report.
#[derive(Debug, thiserror::Error)]
pub enum FloorsError {
    /// The text is no such document.
    #[error("the floors are not JSON of suites, figures and limits: {0}")]
    Unreadable(#[from] serde_json::Error),
    /// A limit is given for a figure that the suite does not measure: it would never be held.
    #[error(
        "the floors limit `{suite}.{figure}`, which the suite does not measure: mend the name, or leave it out"
    )]
    Unknown {
        /// Which suite.
        suite: &'static str,
        /// Which figure.
        figure: String,
    },
}

/// A figure on the wrong side of its limit.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Short {
    /// In which suite.
    pub suite: SuiteName,
    /// Which figure.
    pub figure: String,
    /// How much it is.
    pub value: f64,
    /// What it had to be.
    pub limit: f64,
}

impl Floors {
    /// Reads them.
    pub fn parse(bytes: &[u8]) -> Result<Self, FloorsError> {
        Ok(serde_json::from_slice(bytes)?)
    }

    /// The figures of `report` that fall short. A suite that did not run is not held against its limits, nor, in a run
    /// without models, a figure that is not there.
    pub fn hold(&self, report: &Report) -> Result<Vec<Short>, FloorsError> {
        let mut short = Vec::new();
        for suite in &report.suites {
            for (name, limit) in self.0.get(&suite.suite).into_iter().flatten() {
                let Some(figure) = suite.figures.iter().find(|figure| figure.name == *name) else {
                    if report.models.is_empty() {
                        continue;
                    }
                    return Err(FloorsError::Unknown { suite: suite.suite.as_str(), figure: name.clone() });
                };
                if figure.falls_short_of(*limit) {
                    let (figure, value) = (name.clone(), figure.value);
                    short.push(Short { suite: suite.suite, figure, value, limit: *limit });
                }
            }
        }
        Ok(short)
    }
}

#[cfg(test)]
mod tests {
    use echo_core::Timestamp;

    use super::*;
    use crate::{Figure, Suite};

    fn report(figures: Vec<Figure>) -> Report {
        let model = models::ModelRef { name: "small".to_owned(), file: None };
        let suite = Suite { suite: SuiteName::Triage, cases: 1, figures, misses: Vec::new(), seconds: 0.0 };
        Report {
            program: "1".to_owned(),
            at: Timestamp::UNIX_EPOCH,
            models: vec![model],
            inputs: Vec::new(),
            suites: vec![suite],
        }
    }

    #[test]
    fn a_figure_below_its_floor_is_named_with_both_numbers() {
        let floors = Floors::parse(br#"{"triage": {"accuracy": 0.9}}"#).unwrap();
        let short = floors.hold(&report(vec![Figure::higher("accuracy", 0.8)])).unwrap();
        assert_eq!(short.len(), 1);
        assert_eq!((short[0].figure.as_str(), short[0].value, short[0].limit), ("accuracy", 0.8, 0.9));
        assert_eq!(floors.hold(&report(vec![Figure::higher("accuracy", 0.95)])).unwrap(), []);
    }

    #[test]
    fn a_limit_that_nothing_measures_is_an_error_and_not_a_pass() {
        let floors = Floors::parse(br#"{"triage": {"acuracy": 0.9}}"#).unwrap();
        let error = floors.hold(&report(vec![Figure::higher("accuracy", 0.8)])).unwrap_err().to_string();
        assert!(error.contains("triage.acuracy"), "{error}");
    }

    #[test]
    fn without_models_a_figure_that_needs_one_is_not_missed() {
        let floors = Floors::parse(br#"{"triage": {"by_meaning": 0.9, "accuracy": 0.9}}"#).unwrap();
        let mut report = report(vec![Figure::higher("accuracy", 0.8)]);
        report.models.clear();
        let short = floors.hold(&report).unwrap();
        assert_eq!(short.iter().map(|short| short.figure.as_str()).collect::<Vec<_>>(), ["accuracy"]);
    }

    #[test]
    fn what_is_no_table_of_limits_is_refused() {
        for text in ["", "[]", r#"{"tirage": {}}"#, r#"{"triage": {"accuracy": "high"}}"#] {
            assert!(Floors::parse(text.as_bytes()).is_err(), "{text}");
        }
    }
}
