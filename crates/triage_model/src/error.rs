//! What can be wrong with a label set, with cases to learn from, and with the bytes of a model.

use std::io;

/// Why there is no model.
#[derive(Debug, thiserror::Error)]
pub enum ModelError {
    /// The label set is empty, too large, or holds a label that is no name.
    #[error("the label set is not usable: {0}")]
    Labels(String),
    /// An option is out of its range.
    #[error("the option {name} is {given}: it must be {range}")]
    Option {
        /// Which option.
        name: &'static str,
        /// What was given.
        given: String,
        /// What may be given.
        range: &'static str,
    },
    /// There is not enough to learn from, or too much.
    #[error("cannot learn from {rows} cases: there must be {least} to {most}")]
    Rows {
        /// How many there are.
        rows: usize,
        /// The fewest.
        least: usize,
        /// The most.
        most: usize,
    },
    /// Every case has the same label.
    #[error("every case is labelled `{0}`: add cases of at least one other label")]
    OneLabel(String),
    /// A case names a label by a number that the set does not have.
    #[error("case {row} has label number {label}, and the set has {labels} labels")]
    Label {
        /// Which case, from 0.
        row: usize,
        /// The number that was given.
        label: usize,
        /// How many labels there are.
        labels: usize,
    },
    /// No word occurs in two cases.
    #[error("the cases share no words, so there is nothing to learn: check that their texts are there")]
    NoWords,
    /// The bytes are not a model of this version.
    #[error("not a triage model: {0}; train it again")]
    Format(String),
    /// The model could not be read or written.
    #[error("cannot {action} the model: {source}")]
    Io {
        /// What was tried.
        action: &'static str,
        /// What the system said.
        source: io::Error,
    },
}

impl ModelError {
    /// The bytes are not a model, for this reason.
    pub(crate) fn format(reason: impl Into<String>) -> Self {
        Self::Format(reason.into())
    }
}
