//! Triage: reads a case and says where it belongs, with the words that decided.

mod labels;
mod language;
mod learned;
mod lexicon;
mod related;
mod score;
mod tally;

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

pub use labels::{Label, Labels, LabelsError, MAX_LABELS_BYTES};
pub use language::{language, language_name};
pub use learned::{ForeignLabel, Guess, Learned};
pub use lexicon::{Lexicon, LexiconError, MAX_LEXICON_BYTES};
pub use related::{DUPLICATE_FROM, MAX_COMPARED, MAX_RELATED, RELATED_FROM, Related, related};
pub use score::{ABSTAIN_BELOW, LEXICON_ENGINE, Triager};

use crate::named::named;

/// The most bytes of text and answers together that triage reads.
pub const MAX_TEXT_BYTES: usize = 64 * 1024;
/// The most notes about a device.
pub const MAX_NOTES: usize = 50;
/// The most bytes of one fact about a device.
pub const MAX_FACT_BYTES: usize = 500;
/// The most words that a result gives as its reasons.
pub const MAX_BECAUSE: usize = 12;

named! {
    /// What a case is about.
    Category, "category" {
        /// Attacks, weak settings, phishing, updates that close holes.
        Security = "security",
        /// A machine that is slow or hangs.
        Performance = "performance",
        /// Full disks, lost files, backups, shared folders.
        Storage = "storage",
        /// Connections of any kind.
        Network = "network",
        /// Accounts, passwords, rights.
        Access = "access",
        /// Things that one can touch.
        Hardware = "hardware",
        /// Programs: installing, upgrading, crashing.
        Software = "software",
        /// Mail and calendars.
        Email = "email",
        /// Invoices, payments, plans.
        Billing = "billing",
        /// Anything else, and whatever triage is not sure of.
        General = "general",
    }
}

named! {
    /// The queue that a case goes to.
    Route, "route" {
        /// Security.
        Security = "security",
        /// Hardware.
        Hardware = "hardware",
        /// Access.
        Access = "access",
        /// Network.
        Network = "network",
        /// Storage.
        Storage = "storage",
        /// Software, mail and slow machines.
        Software = "software",
        /// Billing.
        Billing = "billing",
        /// A person reads it first.
        General = "general",
    }
}

named! {
    /// How much it hurts; later ones hurt more.
    Severity, "severity" {
        /// Can wait.
        Low = "low",
        /// In its turn.
        Medium = "medium",
        /// Before others.
        High = "high",
        /// Now.
        Critical = "critical",
    }
}

named! {
    /// How many people a case keeps from work, or how soon help is needed; later ones are more.
    Level, "level" {
        /// One person, in a small thing; or whenever there is time.
        Low = "low",
        /// Nothing else was said.
        Medium = "medium",
        /// Many people; or at once.
        High = "high",
    }
}

/// What triage reads.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TriageInput {
    /// What the customer wrote.
    pub text: String,
    /// The answers of the intake form by field. One that stands in `text` already does not count twice.
    #[serde(default)]
    pub answers: BTreeMap<String, String>,
    /// What is known of the device.
    #[serde(default)]
    pub facts: Option<TriageFacts>,
}

/// What is known of the device that a case is about.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TriageFacts {
    /// Such as `Debian GNU/Linux 13`.
    #[serde(default)]
    pub os_name: String,
    /// Such as `6.12.0`.
    #[serde(default)]
    pub kernel: String,
    /// Short sentences of a diagnosis. They support what the customer wrote; alone they decide nothing.
    #[serde(default)]
    pub notes: Vec<String>,
    /// The last posture score, 0 to 100.
    #[serde(default)]
    pub posture_score: Option<u8>,
}

/// What triage found.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Triage {
    /// What the case is about; general when it abstained.
    pub category: Category,
    /// How much it hurts.
    pub severity: Severity,
    /// The queue; general when it abstained.
    pub route: Route,
    /// The id of a playbook that may help.
    pub playbook: Option<String>,
    /// The label of the closed set that it was sorted as; nothing when it abstained.
    #[serde(default)]
    pub label: Option<String>,
    /// Which engine answered: `lexicon`, or `learned-` and the model's version.
    #[serde(default)]
    pub engine: String,
    /// What a learned model said, also when it was not sure enough to be followed.
    #[serde(default)]
    pub guess: Option<Guess>,
    /// How many people it keeps from work, by the words of the case; medium when they say nothing.
    #[serde(default = "usual")]
    pub impact: Level,
    /// How soon help is needed, by the words of the case; medium when they say nothing.
    #[serde(default = "usual")]
    pub urgency: Level,
    /// The language of the text by its ISO 639-3 code, when that is sure.
    #[serde(default)]
    pub language: Option<String>,
    /// Other cases of the same customer that resemble this one, the likest first.
    #[serde(default)]
    pub related: Vec<Related>,
    /// How sure it is, 0 to 1: what the learned model's confidence is, or the share of all the lexicon's evidence that
    /// speaks for the leading category.
    pub confidence: f64,
    /// Whether it was not sure enough, so that a person must read the case.
    pub abstained: bool,
    /// The words that weighed: the leading category's first, each group heaviest first; at most [`MAX_BECAUSE`]. As
    /// written, or in small letters where a learned model names them.
    pub because: Vec<Because>,
    /// The facts about the device that had a say.
    pub facts_used: Vec<String>,
    /// All of it in a few sentences.
    pub summary: String,
}

/// A word that had a say.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Because {
    /// The word or phrase.
    pub word: String,
    /// How much it weighed.
    pub weight: f64,
    /// What it speaks for.
    pub speaks_for: Category,
}

fn usual() -> Level {
    Level::Medium
}

#[cfg(test)]
mod tests;
