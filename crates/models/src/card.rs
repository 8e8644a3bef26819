//! What is known about a model on the shelf.

use echo_core::{Digest, Timestamp};
use serde::{Deserialize, Serialize};

use crate::ModelRef;

/// What a model is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Kind {
    /// It goes on with a conversation.
    Text,
    /// It turns texts into vectors.
    Embedding,
}

impl Kind {
    /// The word for it, as in the card's JSON.
    pub fn word(self) -> &'static str {
        match self {
            Self::Text => "text",
            Self::Embedding => "embedding",
        }
    }
}

/// One model on the shelf.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Card {
    /// What it is called here: lower-case letters, digits, `-`, `_` and `.`.
    pub name: String,
    /// What it is for.
    pub kind: Kind,
    /// Its file's name in the folder.
    pub file: String,
    /// The file's length.
    pub bytes: u64,
    /// SHA-256 of the file.
    pub sha256: Digest,
    /// Its licence, as whoever added it said; SPDX where there is an identifier.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub licence: Option<String>,
    /// Where it came from, as whoever added it said.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub source: Option<String>,
    /// Such as `llama`.
    pub architecture: String,
    /// The most tokens that it reads at once.
    pub context: u32,
    /// How many numbers its vectors have; of a text model's tokens, too.
    pub width: u32,
    /// When it was put here.
    pub added: Timestamp,
}

impl Card {
    /// Which model exactly.
    pub fn reference(&self) -> ModelRef {
        ModelRef { name: self.name.clone(), file: Some(self.sha256) }
    }
}
