//! Changes that nobody has to notice, because what is read is the same.

use echo_core::Timestamp;
use serde_json::Value;

use super::reader::Reader;

/// Why nobody has to notice a change.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Harmless {
    WhiteSpace,
    SameInstant,
    HexCase,
    Words,
}

impl Harmless {
    pub fn reason(self) -> &'static str {
        match self {
            Self::WhiteSpace => {
                "white space became other white space: the JSON, the key or the share is the same"
            }
            Self::SameInstant => "a date in another spelling: the instant is the same",
            Self::HexCase => "a key's hexadecimal digit in the other case: the key is the same",
            Self::Words => "the words around a ceremony's proposal: for people, and believed by nobody",
        }
    }
}

/// Why the change of the byte `at` makes no difference to what `reader` reads; nothing when it does.
pub fn harmless(reader: &Reader, before: &[u8], after: &[u8], at: usize) -> Option<Harmless> {
    let blank = before[at].is_ascii_whitespace() && after[at].is_ascii_whitespace();
    let json = |without: fn(&mut Value)| {
        let [mut old, mut new] = [before, after].map(|bytes| serde_json::from_slice::<Value>(bytes).ok());
        [&mut old, &mut new].into_iter().flatten().for_each(without);
        old.is_some() && old == new
    };
    match reader {
        Reader::VerifierKey(_) | Reader::KeystoreKey
            if blank && before.trim_ascii() == after.trim_ascii() =>
        {
            Some(Harmless::WhiteSpace)
        }
        Reader::KeystoreKey if before.eq_ignore_ascii_case(after) => Some(Harmless::HexCase),
        Reader::Shares if written(before) == written(after) => Some(Harmless::WhiteSpace),
        Reader::Keystore
        | Reader::Document(..)
        | Reader::Devices
        | Reader::Notice(_)
        | Reader::Ceremony(_)
        | Reader::HandOver
            if blank && json(|_| {}) =>
        {
            Some(Harmless::WhiteSpace)
        }
        Reader::Keystore if json(|keys| in_keys(keys, &["created", "since"], instant)) => {
            Some(Harmless::SameInstant)
        }
        Reader::Keystore if json(|keys| in_keys(keys, &["public"], lower_case)) => Some(Harmless::HexCase),
        Reader::HandOver if json(|file| file["expires"] = instant(&file["expires"])) => {
            Some(Harmless::SameInstant)
        }
        Reader::Ceremony(_) if json(|ceremony| ceremony["why"] = Value::Null) => Some(Harmless::Words),
        _ => None,
    }
}

/// The shares as they are read: line by line, without the spaces and dashes that stand between the groups.
fn written(file: &[u8]) -> Option<Vec<String>> {
    let text = std::str::from_utf8(file).ok()?;
    let letters = |line: &str| line.chars().filter(|c| !c.is_whitespace() && *c != '-').collect();
    Some(text.lines().map(letters).collect())
}

/// Puts what `with` makes of them in place of fields of every key in a keystore.
fn in_keys(keystore: &mut Value, fields: &[&str], with: fn(&Value) -> Value) {
    for key in keystore["keys"].as_array_mut().into_iter().flatten() {
        for field in fields {
            key["key"][field] = with(&key["key"][field]);
        }
    }
}

fn instant(value: &Value) -> Value {
    let instant = value.as_str().and_then(|text| text.parse::<Timestamp>().ok());
    instant.map_or(Value::Null, |at| at.to_string().into())
}

fn lower_case(value: &Value) -> Value {
    value.as_str().map_or(Value::Null, |text| text.to_ascii_lowercase().into())
}
