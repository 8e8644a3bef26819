//! Names that people choose and read: of a plan, of a SKU.

use std::{fmt, str::FromStr};

use serde::{Deserialize, Serialize};

/// The most characters a name holds.
pub const MAX_NAME: usize = 64;

/// Why a text is not a name.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "`{given}` is not a name of a {what}: start with a small letter and go on with small letters, digits, \
     `.`, `-` or `_`, {MAX_NAME} characters at most"
)]
pub struct NameError {
    given: String,
    what: &'static str,
}

fn is_name(text: &str) -> bool {
    let allowed = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b".-_".contains(&b);
    text.len() <= MAX_NAME && text.starts_with(|c: char| c.is_ascii_lowercase()) && text.bytes().all(allowed)
}

macro_rules! names {
    ($($(#[$doc:meta])* $name:ident = $what:literal;)*) => {$(
        $(#[$doc])*
        #[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
        #[serde(try_from = "String", into = "String")]
        pub struct $name(String);

        impl $name {
            /// As text.
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl FromStr for $name {
            type Err = NameError;

            fn from_str(given: &str) -> Result<Self, NameError> {
                if is_name(given) {
                    return Ok(Self(given.to_owned()));
                }
                Err(NameError { given: given.chars().take(MAX_NAME).collect(), what: $what })
            }
        }

        impl TryFrom<String> for $name {
            type Error = NameError;

            fn try_from(given: String) -> Result<Self, NameError> {
                given.parse()
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

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }
    )*};
}

names! {
    /// A plan's name, such as `pay-as-you-go`.
    PlanId = "plan";
    /// A SKU's name, such as `scanner.posture`.
    SkuId = "SKU";
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_reads_back_what_it_wrote() {
        let name: PlanId = "pay-as-you-go".parse().unwrap();
        let json = serde_json::to_string(&name).unwrap();
        assert_eq!(json, "\"pay-as-you-go\"");
        assert_eq!(serde_json::from_str::<PlanId>(&json).unwrap(), name);
    }

    #[test]
    fn other_texts_are_refused() {
        let long = "a".repeat(MAX_NAME + 1);
        for bad in ["", "Care", "1a", "-a", "a b", "a/b", "é", "a\n", &long] {
            assert!(bad.parse::<SkuId>().is_err(), "{bad}");
        }
        assert!("a".repeat(MAX_NAME).parse::<SkuId>().is_ok());
    }
}
