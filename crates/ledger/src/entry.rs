//! What Echo puts into its ledgers: a name and a digest, so that no entry carries anybody's data.

use echo_core::{Digest, Timestamp};
use serde::{Deserialize, Serialize};

/// The longest entry of Echo's own, in bytes.
pub const MAX_ECHO_ENTRY_BYTES: usize = 512;

/// One record: which thing, its digest, and when it was entered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// What sort of thing it is, such as `receipt`: printable ASCII without spaces.
    pub kind: String,
    /// Which one: its id or its path. No control characters.
    pub id: String,
    /// The SHA-256 of the thing's own bytes.
    pub digest: Digest,
    /// When it was entered.
    pub at: Timestamp,
}

/// Why an entry cannot be written or read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum EntryError {
    /// It is longer than [`MAX_ECHO_ENTRY_BYTES`].
    #[error("a ledger entry of {bytes} bytes is too long (at most {MAX_ECHO_ENTRY_BYTES}): shorten its id")]
    TooLong {
        /// Its length.
        bytes: usize,
    },
    /// A field is empty or holds characters that it may not.
    #[error("the ledger entry's {field} {value:?} is not usable: it must be printable and not empty{}",
            if *field == "kind" { ", ASCII, without spaces" } else { "" })]
    Field {
        /// Which field.
        field: &'static str,
        /// What it holds.
        value: String,
    },
    /// It is not the JSON of an entry.
    #[error("not a ledger entry of Echo: {0}")]
    Malformed(String),
    /// It says the same as an entry does, but in other bytes, and so would have another hash.
    #[error("the ledger entry is not in its one canonical form: it was not written by Echo")]
    NotCanonical,
}

/// The entry as JSON. The order of the fields is the format.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Wire {
    v: u8,
    kind: String,
    id: String,
    digest: Digest,
    at: Timestamp,
}

impl Entry {
    /// The one canonical form: compact JSON, fields in the order `v`, `kind`, `id`, `digest`, `at`.
    pub fn to_bytes(&self) -> Result<Vec<u8>, EntryError> {
        if self.kind.is_empty() || !self.kind.bytes().all(|b| b.is_ascii_graphic()) {
            return Err(EntryError::Field { field: "kind", value: self.kind.clone() });
        }
        if self.id.is_empty() || self.id.chars().any(char::is_control) {
            return Err(EntryError::Field { field: "id", value: self.id.clone() });
        }
        let wire =
            Wire { v: 1, kind: self.kind.clone(), id: self.id.clone(), digest: self.digest, at: self.at };
        let bytes = serde_json::to_vec(&wire).map_err(|e| EntryError::Malformed(e.to_string()))?;
        if bytes.len() > MAX_ECHO_ENTRY_BYTES {
            return Err(EntryError::TooLong { bytes: bytes.len() });
        }
        Ok(bytes)
    }

    /// Reads an entry; any other bytes than [`Entry::to_bytes`] would write are refused.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, EntryError> {
        if bytes.len() > MAX_ECHO_ENTRY_BYTES {
            return Err(EntryError::TooLong { bytes: bytes.len() });
        }
        let wire: Wire = serde_json::from_slice(bytes).map_err(|e| EntryError::Malformed(e.to_string()))?;
        if wire.v != 1 {
            return Err(EntryError::Malformed(format!(
                "version {} is not known here: use a newer Echo to read it",
                wire.v
            )));
        }
        let entry = Self { kind: wire.kind, id: wire.id, digest: wire.digest, at: wire.at };
        if entry.to_bytes()? != bytes {
            return Err(EntryError::NotCanonical);
        }
        Ok(entry)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn entry(id: &str) -> Entry {
        Entry {
            kind: "receipt".to_owned(),
            id: id.to_owned(),
            digest: Digest::of(b"x"),
            at: "2026-11-22T10:00:00.250Z".parse().unwrap(),
        }
    }

    #[test]
    fn an_entry_has_one_form() {
        let bytes = entry("rcpt_1").to_bytes().unwrap();
        let text = String::from_utf8(bytes.clone()).unwrap();
        assert_eq!(
            text,
            "{\"v\":1,\"kind\":\"receipt\",\"id\":\"rcpt_1\",\"digest\":\
             \"sha256:2d711642b726b04401627ca9fbac32f5c8530fb1903cc4db02258717921a4881\",\
             \"at\":\"2026-11-22T10:00:00.25Z\"}"
        );
        assert_eq!(Entry::from_bytes(&bytes), Ok(entry("rcpt_1")));
    }

    #[test]
    fn another_spelling_of_the_same_entry_is_refused() {
        let text = String::from_utf8(entry("a").to_bytes().unwrap()).unwrap();
        for other in [
            text.replace("\"v\":1,", "\"v\": 1,"),
            text.replace("10:00:00.25Z", "10:00:00.250Z"),
            text.replace("10:00:00.25Z", "11:00:00.25+01:00"),
            text.replace("\"id\":\"a\"", "\"id\":\"\\u0061\""),
        ] {
            assert_eq!(Entry::from_bytes(other.as_bytes()), Err(EntryError::NotCanonical), "{other}");
        }
        let more = text.replace("{\"v\"", "{\"w\":1,\"v\"");
        assert!(matches!(Entry::from_bytes(more.as_bytes()), Err(EntryError::Malformed(_))));
    }

    #[test]
    fn an_entry_that_is_too_long_or_empty_is_refused() {
        assert!(matches!(entry(&"x".repeat(500)).to_bytes(), Err(EntryError::TooLong { .. })));
        assert!(matches!(entry("").to_bytes(), Err(EntryError::Field { field: "id", .. })));
        let spaced = Entry { kind: "a b".to_owned(), ..entry("a") };
        assert!(matches!(spaced.to_bytes(), Err(EntryError::Field { field: "kind", .. })));
    }

    proptest! {
        #[test]
        fn what_is_written_reads_back(kind in "[!-~]{1,20}", id in "\\PC{1,60}", millis in 0i64..4_000_000_000_000) {
            let entry = Entry { kind, id, digest: Digest::of(b"y"), at: echo_core::clock::from_millis(millis) };
            if let Ok(bytes) = entry.to_bytes() {
                prop_assert_eq!(Entry::from_bytes(&bytes), Ok(entry));
            }
        }

        #[test]
        fn no_bytes_make_it_panic(bytes in prop::collection::vec(any::<u8>(), 0..600)) {
            let _ = Entry::from_bytes(&bytes);
        }
    }
}
