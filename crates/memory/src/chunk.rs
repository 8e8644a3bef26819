//! What a chunk is called.

use std::{fmt, str::FromStr};

use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

use crate::{Piece, Source, SourceKind};

/// The name of a chunk, made of whose it is, where it is from and what it says: a chunk that did not change keeps it.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct ChunkId(String);

impl ChunkId {
    /// The name of a piece of a source.
    pub(crate) fn of(source: &Source, piece: &Piece) -> Self {
        let mut digest = Sha256::new();
        let kind = source.kind.code().to_string();
        for part in [source.owner.name(), &source.id, &kind, &source.title, &piece.heading, &piece.text] {
            // With the length before each part, no two lists of parts give the same bytes.
            digest.update((part.len() as u64).to_be_bytes());
            digest.update(part);
        }
        Self(format!("chk_{}", hex::encode(&digest.finalize()[..16])))
    }

    /// The whole name, `chk_` included.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for ChunkId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Why a text is not the name of a chunk.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("not the name of a chunk: expected `chk_` followed by 32 hexadecimal digits")]
pub struct ChunkIdError;

impl FromStr for ChunkId {
    type Err = ChunkIdError;

    fn from_str(given: &str) -> Result<Self, ChunkIdError> {
        match given.strip_prefix("chk_") {
            Some(hex) if hex.len() == 32 && hex.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f')) => {
                Ok(Self(given.to_owned()))
            }
            _ => Err(ChunkIdError),
        }
    }
}

impl TryFrom<String> for ChunkId {
    type Error = ChunkIdError;

    fn try_from(given: String) -> Result<Self, ChunkIdError> {
        given.parse()
    }
}

impl From<ChunkId> for String {
    fn from(id: ChunkId) -> String {
        id.0
    }
}

/// How many numbers one chunk takes: its number in the database ends with its kind, so that rows of the index and of
/// the vectors are told apart by kind without being read.
const KINDS: i64 = 8;

/// The number of the `counter`-th chunk, of that kind.
pub(crate) fn number(counter: i64, kind: SourceKind) -> i64 {
    counter * KINDS + kind.code()
}

/// The counter within a chunk's number.
pub(crate) fn counter(nr: i64) -> i64 {
    nr / KINDS
}

/// The kind within a chunk's number.
pub(crate) fn kind(nr: i64) -> Option<SourceKind> {
    SourceKind::of_code(nr % KINDS)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_number_tells_its_kind() {
        let nr = number(7, SourceKind::Playbook);
        assert_eq!((counter(nr), kind(nr)), (7, Some(SourceKind::Playbook)));
    }

    #[test]
    fn only_the_one_spelling_of_a_name_is_read() {
        let id = format!("chk_{}", "0a".repeat(16));
        assert_eq!(id.parse::<ChunkId>().unwrap().as_str(), id);
        for bad in ["", "chk_", &id.to_uppercase(), &id[4..], &format!("{id}0")] {
            assert!(bad.parse::<ChunkId>().is_err(), "{bad}");
        }
    }
}
