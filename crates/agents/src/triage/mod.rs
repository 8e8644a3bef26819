//! Triage: reads a case and says where it belongs, with the words that decided.

mod lexicon;
mod score;
mod tally;

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

pub use lexicon::{Lexicon, LexiconError, MAX_LEXICON_BYTES};
pub use score::{ABSTAIN_BELOW, Triager};

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
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
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
    /// How sure it is, 0 to 1: the share of all the evidence that speaks for the leading category.
    pub confidence: f64,
    /// Whether it was not sure enough, so that a person must read the case.
    pub abstained: bool,
    /// The words that weighed, as written: the leading category's first, each group heaviest first; at most
    /// [`MAX_BECAUSE`].
    pub because: Vec<Because>,
    /// The facts about the device that had a say.
    pub facts_used: Vec<String>,
    /// All of it in a few sentences.
    pub summary: String,
}

/// A word that had a say.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Because {
    /// The word or phrase, exactly as the customer wrote it.
    pub word: String,
    /// How much it weighed.
    pub weight: f64,
    /// What it speaks for.
    pub speaks_for: Category,
}

#[cfg(test)]
mod tests;
