//! What an evaluation found, and from what.

use echo_core::{Digest, Timestamp};
use models::ModelRef;
use serde::{Deserialize, Serialize};

use crate::Figure;

/// The most misses that a suite names.
pub const MAX_MISSES: usize = 50;

/// What is evaluated.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum SuiteName {
    /// Topics of tickets, learned and predicted.
    Triage,
    /// The right section among the first five.
    Retrieval,
    /// Answers with citations, and honest silence.
    Advice,
    /// Texts that speak to a model instead of about a problem.
    Injection,
    /// What the local models cost in time.
    Speed,
}

impl SuiteName {
    /// All of them, in the order they run.
    pub const ALL: [Self; 5] = [Self::Triage, Self::Retrieval, Self::Advice, Self::Injection, Self::Speed];

    /// As it is written.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Triage => "triage",
            Self::Retrieval => "retrieval",
            Self::Advice => "advice",
            Self::Injection => "injection",
            Self::Speed => "speed",
        }
    }
}

/// What one suite found.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Suite {
    /// Which.
    pub suite: SuiteName,
    /// How many questions it asked.
    pub cases: usize,
    /// What it measured.
    pub figures: Vec<Figure>,
    /// The first [`MAX_MISSES`] questions that went wrong, a line each.
    pub misses: Vec<String>,
    /// How long it took.
    pub seconds: f64,
}

/// A file that figures rest on.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Input {
    /// Its name.
    pub name: String,
    /// What it is, by content.
    pub digest: Digest,
}

/// What an evaluation found, and from what. It is the predicate of an in-toto statement whose subjects are the inputs.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Report {
    /// The version of the program that was evaluated.
    pub program: String,
    /// When it ended.
    pub at: Timestamp,
    /// The models that were asked.
    pub models: Vec<ModelRef>,
    /// The files that the figures rest on.
    pub inputs: Vec<Input>,
    /// One a suite, in the order they ran.
    pub suites: Vec<Suite>,
}

impl Report {
    /// What kind of claim a signed report makes.
    pub const PREDICATE: &'static str = "urn:echo:evaluation:1";
}
