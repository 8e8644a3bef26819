//! Why a skill answered what it did: what it saw, which engine and model answered, what it used up.

use echo_core::Digest;
use models::ModelRef;
use serde::{Deserialize, Serialize};

/// The most things that one trace names.
pub const MAX_SEEN: usize = 64;

/// How an answer came to be, kept with the call and told to the case's readers.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Trace {
    /// Which engine answered, such as `lexicon`, `learned-3`, `quotes`, `drafted`.
    pub engine: String,
    /// Which model spoke or was asked, if any.
    pub model: Option<ModelRef>,
    /// What the engine was given to rest on, best first.
    pub seen: Vec<Seen>,
    /// Why this answer and not another, one reason a line.
    pub because: Vec<String>,
    /// How many secrets and personal data were taken out before a model or this trace saw the text.
    pub redacted: u32,
    /// How many passages were kept from the engine because they read like instructions.
    pub quarantined: u32,
    /// Tokens that a model read and wrote.
    pub tokens: u32,
    /// How long the engine took.
    pub millis: u64,
}

/// One thing that an engine was given.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Seen {
    /// The id of the chunk, finding, scan or the like.
    pub id: String,
    /// Of its text as it was seen.
    pub digest: Digest,
}
