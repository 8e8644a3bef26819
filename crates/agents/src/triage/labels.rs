//! The closed set of labels that an operator edits: what a case can be sorted as, and what follows from it.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};
use triage_model::LabelSet;

use super::{Category, Route, Severity};

/// The most bytes of a file of labels.
pub const MAX_LABELS_BYTES: usize = 64 * 1024;
/// The most characters of a label's id.
pub const MAX_ID: usize = 40;
/// The most characters of its name, and of a playbook's id.
const MAX_NAME: usize = 80;
/// The most characters of its description.
const MAX_DESCRIPTION: usize = 300;

/// Why a text is not a set of labels.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum LabelsError {
    /// Larger than [`MAX_LABELS_BYTES`].
    #[error("the labels have more than {MAX_LABELS_BYTES} bytes: shorten their descriptions")]
    TooLarge,
    /// Not the YAML that is expected.
    #[error("the labels cannot be read: {0}")]
    Yaml(String),
    /// A part breaks a rule.
    #[error("the label `{id}`: {rule}")]
    Rule {
        /// Which label, shortened.
        id: String,
        /// What must hold.
        rule: &'static str,
    },
    /// Too few or too many.
    #[error("there are {0} labels: there must be 2 to {MAX}", MAX = triage_model::labels::MAX_LABELS)]
    Count(usize),
}

/// What a case can be sorted as.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Label {
    /// What stands in cases and models: small letters, digits, `-` and `_`, [`MAX_ID`] at most.
    pub id: String,
    /// For people.
    pub name: String,
    /// One sentence.
    #[serde(default)]
    pub description: String,
    /// The kind of work it is.
    pub category: Category,
    /// Who gets it.
    pub queue: Route,
    /// How much such a case usually hurts.
    pub severity: Severity,
    /// A playbook that may help, where the words of the case name no better one.
    #[serde(default)]
    pub playbook: Option<String>,
}

/// All labels, in the order of their file. What is sorted gets one of them or none.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Labels(Vec<Label>);

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    #[serde(rename = "version")]
    _version: u32,
    labels: Vec<Label>,
}

impl Labels {
    /// The labels that come with Echo: one for each category.
    pub fn builtin() -> Self {
        Self::parse(include_str!("../../../../manifest/triage_labels.yaml"))
            .expect("a test reads the shipped labels")
    }

    /// Reads labels from YAML.
    pub fn parse(yaml: &str) -> Result<Self, LabelsError> {
        if yaml.len() > MAX_LABELS_BYTES {
            return Err(LabelsError::TooLarge);
        }
        let file: File = serde_saphyr::from_str(yaml)
            .map_err(|error| LabelsError::Yaml(error.to_string().chars().take(500).collect()))?;
        if !(2..=triage_model::labels::MAX_LABELS).contains(&file.labels.len()) {
            return Err(LabelsError::Count(file.labels.len()));
        }
        let mut seen = BTreeSet::new();
        for label in &file.labels {
            let rule = label.broken_rule().or((!seen.insert(&label.id)).then_some("it is there twice"));
            if let Some(rule) = rule {
                return Err(LabelsError::Rule { id: label.id.chars().take(MAX_ID).collect(), rule });
            }
        }
        Ok(Self(file.labels))
    }

    /// In the order of the file.
    pub fn iter(&self) -> impl Iterator<Item = &Label> {
        self.0.iter()
    }

    /// The label with this id.
    pub fn get(&self, id: &str) -> Option<&Label> {
        self.0.iter().find(|label| label.id == id)
    }

    /// Where a category leads: to the label with its name, or else to the first that is of it.
    pub fn of(&self, category: Category) -> Option<&Label> {
        let own = |label: &&Label| label.category == category;
        self.0.iter().filter(own).find(|label| label.id == category.as_str()).or(self.0.iter().find(own))
    }

    /// The ids, as a model learns them.
    pub fn ids(&self) -> LabelSet {
        LabelSet::new(self.0.iter().map(|label| label.id.as_str()))
            .expect("the ids were checked: 2 to 64, each once, each a few letters")
    }

    /// The ids for a sentence: `access, billing, ...`.
    pub fn listed(&self) -> String {
        self.0.iter().map(|label| label.id.as_str()).collect::<Vec<_>>().join(", ")
    }
}

impl Label {
    /// The first rule that it breaks.
    fn broken_rule(&self) -> Option<&'static str> {
        let plain = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || matches!(c, '-' | '_');
        if self.id.is_empty() || self.id.len() > MAX_ID || !self.id.chars().all(plain) {
            return Some("its id must have 1 to 40 small letters, digits, `-` and `_`");
        }
        if self.name.trim().is_empty() || self.name.chars().count() > MAX_NAME {
            return Some("its name must have 1 to 80 characters");
        }
        if self.description.chars().count() > MAX_DESCRIPTION {
            return Some("its description may have at most 300 characters");
        }
        let playbook = self.playbook.as_deref().unwrap_or("-");
        if playbook.is_empty() || playbook.len() > MAX_NAME || !playbook.chars().all(plain) {
            return Some("its playbook must be the id of one, such as ssh-hardening");
        }
        let texts = [&self.name, &self.description];
        texts
            .iter()
            .any(|text| text.chars().any(char::is_control))
            .then_some("its name and description must be on one line each")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn file(labels: &str) -> String {
        format!("version: 1\nlabels:\n{labels}")
    }

    fn one(id: &str, category: &str) -> String {
        format!("  - {{id: {id}, name: N, category: {category}, queue: network, severity: low}}\n")
    }

    #[test]
    fn the_shipped_labels_are_the_categories() {
        let labels = Labels::builtin();
        let ids: Vec<&str> = labels.iter().map(|label| label.id.as_str()).collect();
        let names: Vec<&str> = Category::ALL.iter().map(|category| category.as_str()).collect();
        assert_eq!(ids, names);
        assert!(
            labels.iter().all(|label| label.category.as_str() == label.id && !label.description.is_empty())
        );
        assert_eq!(labels.ids().len(), Category::ALL.len());
    }

    #[test]
    fn a_category_leads_to_its_namesake_or_to_the_first_of_it() {
        let text = file(&[one("vpn", "network"), one("network", "network"), one("wifi", "network")].concat());
        assert_eq!(Labels::parse(&text).unwrap().of(Category::Network).unwrap().id, "network");
        let labels = Labels::parse(&file(&[one("vpn", "network"), one("wifi", "network")].concat())).unwrap();
        assert_eq!(labels.of(Category::Network).unwrap().id, "vpn");
        assert!(labels.of(Category::Email).is_none());
    }

    #[test]
    fn faults_are_named() {
        let fault = |labels: &str| Labels::parse(&file(labels)).unwrap_err().to_string();
        assert!(fault(&one("vpn", "network")).contains("there are 1 labels"));
        assert!(fault(&[one("vpn", "network"), one("vpn", "email")].concat()).contains("twice"));
        assert!(fault(&[one("VPN", "network"), one("x", "email")].concat()).contains("small letters"));
        assert!(fault(&[one("vpn", "teapots"), one("x", "email")].concat()).contains("teapots"));
        assert!(fault("  - {id: a}\n").contains("cannot be read"));
        let many: String = (0..65).map(|n| one(&format!("l{n}"), "network")).collect();
        assert!(fault(&many).contains("65 labels"));
        assert_eq!(Labels::parse(&" ".repeat(MAX_LABELS_BYTES + 1)), Err(LabelsError::TooLarge));
    }
}
