//! The learned answer: a model of resolved cases names a label of the closed set, or abstains.

use std::{fmt, sync::Arc};

use echo_core::Digest;
use models::ModelRef;
use serde::{Deserialize, Serialize};
use triage_model::{Model, Prediction};

use super::{Because, Category, Labels};

/// A label of the model is none of the set.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "the model names the label `{label}`, and the set has {set}: add it to manifest/triage_labels.yaml, or train with these \
     labels"
)]
pub struct ForeignLabel {
    label: String,
    set: String,
}

/// A model that may speak for the labels of a set.
#[derive(Clone)]
pub struct Learned {
    version: u64,
    file: Digest,
    model: Arc<Model>,
}

/// What a learned model said, also when it was not sure enough.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Guess {
    /// Which version of the model.
    pub version: u64,
    /// The likeliest label.
    pub label: String,
    /// How likely it is, 0 to 1.
    pub confidence: f64,
    /// Whether it was not sure enough to be followed.
    pub abstained: bool,
}

impl Learned {
    /// Takes a model whose labels are all in the set. `file` is the digest of its bytes, for traces.
    pub fn new(version: u64, file: Digest, model: Arc<Model>, labels: &Labels) -> Result<Self, ForeignLabel> {
        if let Some(label) = model.labels().names().iter().find(|name| labels.get(name).is_none()) {
            return Err(ForeignLabel { label: label.clone(), set: labels.listed() });
        }
        Ok(Self { version, file, model })
    }

    /// Its version.
    pub fn version(&self) -> u64 {
        self.version
    }

    /// What traces call it.
    pub fn name(&self) -> String {
        format!("learned-{}", self.version)
    }

    /// Which model it is, for traces.
    pub fn reference(&self) -> ModelRef {
        ModelRef { name: self.name(), file: Some(self.file) }
    }

    /// What it says about a text, with the words that spoke for it.
    pub(super) fn ask(&self, text: &str, labels: &Labels) -> (Guess, Vec<Because>) {
        let Prediction { label, confidence, abstained, words, .. } = self.model.predict(text);
        let speaks_for = labels.get(&label).map_or(Category::General, |label| label.category);
        let because = words
            .into_iter()
            .map(|word| Because { word: word.word, weight: rounded(f64::from(word.share)), speaks_for })
            .collect();
        let confidence = rounded(f64::from(confidence));
        (Guess { version: self.version, label, confidence, abstained }, because)
    }
}

impl fmt::Debug for Learned {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Learned").field("version", &self.version).finish_non_exhaustive()
    }
}

/// To three places, for people.
pub(super) fn rounded(share: f64) -> f64 {
    (share * 1_000.0).round() / 1_000.0
}
