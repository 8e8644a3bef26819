//! Permission bits, written as four octal digits.

use std::{fmt, str::FromStr};

use serde::{Deserialize, Serialize};

/// The permission bits of a file or folder (POSIX, `chmod`), written as in `"0644"`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct FileMode(u32);

/// Why a text is not a mode.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is not a mode: write four octal digits in quotes, such as \"0644\"")]
pub struct FileModeError(String);

impl FileMode {
    /// The mode of `bits`; what is above 07777 (the file's type) is dropped.
    pub fn new(bits: u32) -> Self {
        Self(bits & 0o7777)
    }

    /// The bits.
    pub fn bits(self) -> u32 {
        self.0
    }
}

impl FromStr for FileMode {
    type Err = FileModeError;

    fn from_str(given: &str) -> Result<Self, FileModeError> {
        let octal = given.len() == 4 && given.bytes().all(|b| (b'0'..=b'7').contains(&b));
        u32::from_str_radix(given, 8)
            .ok()
            .filter(|_| octal)
            .map(Self)
            .ok_or_else(|| FileModeError(given.chars().take(20).collect()))
    }
}

impl TryFrom<String> for FileMode {
    type Error = FileModeError;

    fn try_from(given: String) -> Result<Self, FileModeError> {
        given.parse()
    }
}

impl From<FileMode> for String {
    fn from(mode: FileMode) -> String {
        mode.to_string()
    }
}

impl fmt::Display for FileMode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:04o}", self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mode_reads_back_what_it_wrote() {
        let mode: FileMode = "1755".parse().unwrap();
        assert_eq!((mode.bits(), mode.to_string().as_str()), (0o1755, "1755"));
    }

    #[test]
    fn other_spellings_are_refused() {
        for bad in ["", "644", "0o644", "0888", "+644", "06444"] {
            assert!(bad.parse::<FileMode>().is_err(), "{bad}");
        }
    }
}
