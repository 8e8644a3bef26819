//! Names of secrets and of receivers: bounded and plain, so that a name is a folder and never a way out of one.

use std::{fmt, str::FromStr};

use serde::{Deserialize, Serialize};

/// The most bytes of a namespace or name.
pub const MAX_NAME: usize = 64;
/// The most bytes of a receiver.
pub const MAX_RECEIVER: usize = 128;

/// Why a text is not a name.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NameError {
    /// It is not a namespace or name.
    #[error(
        "this is not a name: write 1 to {MAX_NAME} of the characters a-z, 0-9, `.`, `_` and `-`, and begin with a letter or digit"
    )]
    Name,
    /// It does not name a receiver.
    #[error(
        "this does not name a receiver: write 1 to {MAX_RECEIVER} of the characters a-z, 0-9, `.`, `_`, `:`, `/` and `-`, such as playbook/backup or dev_0190"
    )]
    Receiver,
}

/// A namespace, or the name of a secret in one.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Name(String);

impl Name {
    /// The name.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for Name {
    type Err = NameError;

    fn from_str(text: &str) -> Result<Self, NameError> {
        let plain = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b"._-".contains(&b);
        let first = text.bytes().next().is_some_and(|b| b.is_ascii_lowercase() || b.is_ascii_digit());
        if first && text.len() <= MAX_NAME && text.bytes().all(plain) {
            Ok(Self(text.to_owned()))
        } else {
            Err(NameError::Name)
        }
    }
}

/// Whom a secret is handed to: a playbook, an agent or a device, by its id.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Receiver(String);

impl Receiver {
    /// The receiver.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for Receiver {
    type Err = NameError;

    fn from_str(text: &str) -> Result<Self, NameError> {
        let plain = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b"._:/-".contains(&b);
        if (1..=MAX_RECEIVER).contains(&text.len()) && text.bytes().all(plain) {
            Ok(Self(text.to_owned()))
        } else {
            Err(NameError::Receiver)
        }
    }
}

/// `TryFrom<String>` and the ways back, which serde and messages need.
macro_rules! as_text {
    ($name:ty) => {
        impl TryFrom<String> for $name {
            type Error = NameError;

            fn try_from(text: String) -> Result<Self, NameError> {
                text.parse()
            }
        }

        impl From<$name> for String {
            fn from(name: $name) -> String {
                name.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }
    };
}

as_text!(Name);
as_text!(Receiver);

/// Which secret, and which version of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SecretRef {
    /// In which namespace.
    pub namespace: Name,
    /// Its name there.
    pub name: Name,
    /// Which version; the newest that was not removed when nobody says.
    pub version: Option<u32>,
}

impl SecretRef {
    /// The newest version of a secret.
    pub fn newest(namespace: Name, name: Name) -> Self {
        Self { namespace, name, version: None }
    }
}

impl fmt::Display for SecretRef {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.namespace, self.name)?;
        self.version.map_or(Ok(()), |version| write!(f, " version {version}"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_never_a_way_out_of_its_folder() {
        for bad in
            ["", ".", "..", "../x", "a/b", "/a", ".hidden", "A", "a b", "a\0", "-rf", "ä", &"a".repeat(65)]
        {
            assert_eq!(bad.parse::<Name>(), Err(NameError::Name), "{bad:?}");
        }
        for good in ["a", "db.password", "smtp_relay-2", "0", &"a".repeat(64)] {
            assert_eq!(good.parse::<Name>().unwrap().as_str(), good);
        }
    }

    #[test]
    fn a_receiver_is_one_plain_word() {
        assert!("playbook/ssh-hardening".parse::<Receiver>().is_ok());
        for bad in ["", "a b", "a\n", &"a".repeat(129)] {
            assert!(bad.parse::<Receiver>().is_err(), "{bad:?}");
        }
    }
}
