//! Typed, prefixed, sortable ids: `case_0197c3f0a1b27c3d8e4f5a6b7c8d9e0f` (UUIDv7, RFC 9562, in hexadecimal).

use std::{fmt, str::FromStr};

use serde::{Deserialize, Serialize};

/// Why a text is not an id.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{given}` is not a {what} id: expected `{prefix}_` followed by 32 hexadecimal digits")]
pub struct IdError {
    given: String,
    what: &'static str,
    prefix: &'static str,
}

/// What all id types share.
pub trait Id:
    Clone + Ord + fmt::Display + FromStr<Err = IdError> + Serialize + Send + Sync + 'static
{
    /// What stands before the underscore.
    const PREFIX: &'static str;

    /// The id of `raw` (a UUIDv7).
    fn from_uuid(raw: uuid::Uuid) -> Self;

    /// The whole id as text, prefix included.
    fn as_str(&self) -> &str;
}

macro_rules! ids {
    ($($(#[$doc:meta])* $name:ident = $prefix:literal;)*) => {$(
        $(#[$doc])*
        #[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
        #[serde(try_from = "String", into = "String")]
        pub struct $name(String);

        impl Id for $name {
            const PREFIX: &'static str = $prefix;

            fn from_uuid(raw: uuid::Uuid) -> Self {
                Self(format!("{}_{}", $prefix, raw.simple()))
            }

            fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl FromStr for $name {
            type Err = IdError;

            fn from_str(given: &str) -> Result<Self, IdError> {
                match given.strip_prefix(concat!($prefix, "_")) {
                    Some(hex) if hex.len() == 32 && hex.bytes().all(|b| b.is_ascii_digit() || (b'a'..=b'f').contains(&b)) => {
                        Ok(Self(given.to_owned()))
                    }
                    _ => Err(IdError {
                        given: given.chars().take(60).collect(),
                        what: stringify!($name).trim_end_matches("Id"),
                        prefix: $prefix,
                    }),
                }
            }
        }

        impl TryFrom<String> for $name {
            type Error = IdError;

            fn try_from(given: String) -> Result<Self, IdError> {
                given.parse()
            }
        }

        impl From<$name> for String {
            fn from(id: $name) -> String {
                id.0
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

ids! {
    /// A person or program that signs in.
    UserId = "user";
    /// An account that buys plans.
    CustomerId = "cus";
    /// A machine under care.
    DeviceId = "dev";
    /// A support case.
    CaseId = "case";
    /// One call of an agent's skill.
    CallId = "call";
    /// One piece of work queued for a device.
    CommandId = "cmd";
    /// One posture scan.
    ScanId = "scan";
    /// One posture result that needs attention.
    FindingId = "find";
    /// Proposed edits as a unified diff.
    ChangeSetId = "chg";
    /// One execution of a playbook on one device.
    RunId = "run";
    /// A fulfilment proof.
    ProofId = "proof";
    /// A signed receipt for one skill call.
    ReceiptId = "rcpt";
    /// One metered use.
    MeterEventId = "mev";
    /// A customer's plan over time.
    SubscriptionId = "sub";
    /// A bill.
    InvoiceId = "inv";
    /// A payment that settles an invoice.
    SettlementId = "stl";
    /// One access or refresh token.
    TokenId = "tok";
    /// The job of replacing signing keys.
    RotationId = "rot";
    /// A signed word that a signing key goes out of use.
    NoticeId = "notice";
    /// A signed promise to pay for calls between nodes.
    GrantId = "grant";
    /// One entry of the live event stream.
    EventId = "evt";
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_reads_back_what_it_wrote() {
        let id = CaseId::from_uuid(uuid::Uuid::from_u128(0x0197_c3f0));
        assert_eq!(id.to_string().parse::<CaseId>(), Ok(id.clone()));
        assert_eq!(serde_json::from_str::<CaseId>(&serde_json::to_string(&id).unwrap()).unwrap(), id);
    }

    #[test]
    fn another_kind_of_id_is_refused_with_a_hint() {
        let wrong = DeviceId::from_uuid(uuid::Uuid::nil()).to_string();
        let error = wrong.parse::<CaseId>().unwrap_err().to_string();
        assert!(error.contains("expected `case_`"), "{error}");
        for bad in ["", "case_", "case_XYZ", "case_0197C3F0A1B27C3D8E4F5A6B7C8D9E0F", "case_é"] {
            assert!(bad.parse::<CaseId>().is_err(), "{bad}");
        }
    }
}
