//! What transfers and their files are called.

use std::{fmt, str::FromStr};

use serde::{Deserialize, Serialize};

/// A transfer's name between the two nodes, chosen by the sender at random. Written `xfer_` and 32 hexadecimal digits.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct TransferId(pub [u8; 16]);

/// Why a text is not a transfer's name.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "not a transfer: expected `xfer_` and 32 hexadecimal digits, as `echo_probe mesh transfers` shows them"
)]
pub struct TransferIdError;

impl fmt::Display for TransferId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "xfer_{}", hex::encode(self.0))
    }
}

impl fmt::Debug for TransferId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl FromStr for TransferId {
    type Err = TransferIdError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let digits = text.strip_prefix("xfer_").ok_or(TransferIdError)?;
        if digits.bytes().any(|b| b.is_ascii_uppercase()) {
            return Err(TransferIdError);
        }
        let mut id = [0; 16];
        hex::decode_to_slice(digits, &mut id).map_err(|_| TransferIdError)?;
        Ok(Self(id))
    }
}

impl TryFrom<String> for TransferId {
    type Error = TransferIdError;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        text.parse()
    }
}

impl From<TransferId> for String {
    fn from(id: TransferId) -> Self {
        id.to_string()
    }
}

/// What a file is called at the receiver: one component of a path, at most [`FileName::MOST`] bytes, which neither hides
/// (no leading dot) nor holds anything that a terminal or a file system takes for more than a letter.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct FileName(String);

/// Why a file cannot be called so.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("a file cannot be sent under the name `{given}`: {why}; rename it")]
pub struct NameError {
    given: String,
    why: &'static str,
}

impl FileName {
    /// The most bytes of a name: a file system takes 255, and the receiver may have to add a part of the digest.
    pub const MOST: usize = 200;

    /// The name.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for FileName {
    type Err = NameError;

    fn from_str(name: &str) -> Result<Self, Self::Err> {
        let bad = |c: char| {
            c.is_control()
                || matches!(c, '/' | '\\' | '\u{200e}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
        };
        let why = if name.is_empty() {
            "it is empty"
        } else if name.len() > Self::MOST {
            "it is longer than 200 bytes"
        } else if name.starts_with('.') {
            "it begins with a dot"
        } else if name.chars().any(bad) {
            "it holds a slash or an invisible character"
        } else {
            return Ok(Self(name.to_owned()));
        };
        Err(NameError { given: name.chars().filter(|c| !bad(*c)).take(60).collect(), why })
    }
}

impl TryFrom<String> for FileName {
    type Error = NameError;

    fn try_from(name: String) -> Result<Self, Self::Error> {
        name.parse()
    }
}

impl From<FileName> for String {
    fn from(name: FileName) -> Self {
        name.0
    }
}

impl fmt::Display for FileName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_one_plain_component_of_a_path() {
        for good in ["report.pdf", "Überweisung 3.txt", "a", "x..y"] {
            assert_eq!(good.parse::<FileName>().unwrap().as_str(), good);
        }
        let long = "x".repeat(201);
        for bad in
            ["", ".", "..", ".bashrc", "a/b", "/etc/passwd", "a\\b", "a\nb", "a\0", "a\u{202e}fdp.exe", &long]
        {
            assert!(bad.parse::<FileName>().is_err(), "{bad:?} was taken");
            assert!(serde_json::from_value::<FileName>(bad.into()).is_err());
        }
    }

    #[test]
    fn a_transfer_s_name_is_written_in_one_way() {
        let id = TransferId([0xab; 16]);
        assert_eq!(id.to_string().parse::<TransferId>().unwrap(), id);
        for bad in ["xfer_", "xfer_ABABABABABABABABABABABABABABABAB", "abababababababababababababababab"] {
            assert!(bad.parse::<TransferId>().is_err());
        }
    }
}
