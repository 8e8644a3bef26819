//! Where a document of the library came from, and what was taken of it.

use std::collections::BTreeMap;

use echo_core::{Digest, Timestamp};
use serde::{Deserialize, Serialize};

use crate::Format;

/// What a card's file ends with.
pub const CARD_ENDING: &str = ".card.json";
/// The most bytes of a card's file.
pub const MAX_CARD: u64 = 256 * 1024;

/// What is known about a document of the library.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Card {
    /// What it is called here.
    pub name: String,
    /// What its file was called.
    pub file: String,
    /// What kind of file that was.
    pub format: Format,
    /// The file's SHA-256.
    pub digest: Digest,
    /// The file's size in bytes.
    pub bytes: u64,
    /// Its title.
    pub title: String,
    /// How many pages or articles the file holds.
    pub held: u64,
    /// How many of them were taken.
    pub taken: u64,
    /// The Markdown files beside this card that hold its text.
    pub files: Vec<String>,
    /// What it says about itself.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub about: BTreeMap<String, String>,
    /// What was left out, and why.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub notes: Vec<String>,
    /// When it was added.
    pub added: Timestamp,
}
