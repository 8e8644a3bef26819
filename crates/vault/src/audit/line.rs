//! One line of the audit, and what it says.

use echo_core::{Digest, Timestamp};
use serde::{Deserialize, Serialize};

use crate::{Name, Receiver, SecretRef, VaultError};

/// The most characters of who, and of why.
pub const MAX_WORDS: usize = 200;

/// Who asks, for the audit.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Actor {
    pub(super) who: String,
    pub(super) why: Option<String>,
}

impl Actor {
    /// Somebody, in words of at most [`MAX_WORDS`] characters: what is longer is cut, and control characters replaced.
    pub fn new(who: &str) -> Self {
        Self { who: words(who), why: None }
    }

    /// With the reason.
    #[must_use]
    pub fn because(mut self, why: &str) -> Self {
        self.why = Some(words(why)).filter(|why| !why.is_empty());
        self
    }
}

fn words(text: &str) -> String {
    text.chars().take(MAX_WORDS).map(|c| if c.is_control() { '\u{fffd}' } else { c }).collect()
}

/// What was done.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum What {
    /// The vault was made.
    Init,
    /// The vault was opened.
    Unseal,
    /// A secret was read.
    Get,
    /// A version was added.
    Set,
    /// A sealed secret was brought.
    Inject,
    /// A sealed secret that was brought became a version.
    Adopt,
    /// A version was removed.
    Remove,
    /// The vault got a new identity.
    Rotate,
    /// What opens the vault was changed.
    Protect,
    /// Every file was opened and looked at.
    Verify,
    /// A secret was wrapped for a receiver.
    Wrap,
    /// A wrapped secret was handed over.
    HandOver,
    /// A line that a crash left unfinished was cut off.
    Repair,
    /// The lines before this one are in another file.
    Archive,
}

/// How it went.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    /// It was done.
    Granted,
    /// It was not.
    Refused,
}

/// One line.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AuditLine {
    /// Its number, from 1.
    pub seq: u64,
    /// When.
    pub at: Timestamp,
    /// Who asked.
    pub who: String,
    /// What was done.
    pub what: What,
    /// In which namespace.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub namespace: Option<Name>,
    /// With which secret.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub name: Option<Name>,
    /// With which version.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub version: Option<u32>,
    /// For whom a secret was wrapped, or who took it.
    #[serde(rename = "for", skip_serializing_if = "Option::is_none")]
    pub receiver: Option<Receiver>,
    /// The id of the hand-over.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub hand_over: Option<String>,
    /// How it went.
    pub outcome: Outcome,
    /// Why it was asked for, or refused.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub why: Option<String>,
    /// The digest of the index after this change.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub index: Option<Digest>,
    /// The digest of the line before.
    pub previous: Digest,
    /// Which identity's code this carries; without one, `check` is a plain digest.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub key: Option<String>,
    /// The code (HMAC-SHA256) or digest of this line with an empty `check`.
    pub check: String,
}

/// What is to be written down.
#[derive(Debug, Clone)]
pub(crate) struct Event {
    pub what: What,
    pub outcome: Outcome,
    pub secret: Option<SecretRef>,
    pub receiver: Option<Receiver>,
    pub hand_over: Option<String>,
    pub why: Option<String>,
}

impl Event {
    pub fn granted(what: What) -> Self {
        Self { what, outcome: Outcome::Granted, secret: None, receiver: None, hand_over: None, why: None }
    }

    pub fn of(self, secret: &SecretRef) -> Self {
        Self { secret: Some(secret.clone()), ..self }
    }

    /// The same, refused for a reason.
    pub fn refused(self, why: &VaultError) -> Self {
        Self { outcome: Outcome::Refused, why: Some(words(&why.to_string())), ..self }
    }
}

impl AuditLine {
    /// The line as the file has it, without its line end.
    pub(super) fn to_bytes(&self) -> Vec<u8> {
        serde_json::to_vec(self).expect("a line of strings and numbers is always JSON")
    }
}
