//! How a device becomes known: a one-time token that also pins the trust root, and a key made on the device.

use std::{fmt, str::FromStr};

use echo_core::{CustomerId, DeviceId, Digest, Timestamp};
use observability::HostFacts;
use serde::{Deserialize, Serialize};
use trust::{dsse::Envelope, key::PublicKey};

/// DSSE payload type of an [`EnrolmentClaim`].
pub const ENROLMENT_TYPE: &str = "application/vnd.echo.enrolment.v1+json";
/// DSSE payload type of an [`Assertion`].
pub const ASSERTION_TYPE: &str = "application/vnd.echo.device-assertion.v1+json";

/// The one-time token that a person carries to the device: the secret, and the fingerprint of the trust root, so
/// that the device knows the right platform from its first message on.
#[derive(Clone, PartialEq, Eq)]
pub struct EnrolmentToken {
    /// Fingerprint of the platform's trust root.
    pub root: Digest,
    /// The one-time secret.
    pub secret: String,
}

/// Why a text is not an enrolment token.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "not an enrolment token: expected `echo-enrol.`, the trust root's 64 hexadecimal digits and a secret; ask for a new one"
)]
pub struct EnrolmentTokenError;

const PREFIX: &str = "echo-enrol";
/// The longest secret, in characters.
const MAX_SECRET: usize = 200;

impl fmt::Display for EnrolmentToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{PREFIX}.{}.{}", self.root.hex(), self.secret)
    }
}

impl fmt::Debug for EnrolmentToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "EnrolmentToken({})", self.root)
    }
}

impl FromStr for EnrolmentToken {
    type Err = EnrolmentTokenError;

    fn from_str(text: &str) -> Result<Self, EnrolmentTokenError> {
        let mut parts = text.trim().splitn(3, '.');
        let (Some(PREFIX), Some(root), Some(secret)) = (parts.next(), parts.next(), parts.next()) else {
            return Err(EnrolmentTokenError);
        };
        if secret.is_empty() || secret.len() > MAX_SECRET || !secret.bytes().all(|b| b.is_ascii_graphic()) {
            return Err(EnrolmentTokenError);
        }
        let root = format!("sha256:{root}").parse().map_err(|_| EnrolmentTokenError)?;
        Ok(Self { root, secret: secret.to_owned() })
    }
}

/// What a device says of itself when it enrols.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct EnrolmentClaim {
    /// What people call it.
    pub name: String,
    /// The key that was made on it.
    pub public_key: PublicKey,
    /// What machine it is.
    pub facts: HostFacts,
}

/// The request: the secret beside the claim, which the device signed with the key that it names.
#[derive(Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct EnrolRequest {
    /// The one-time secret of the token.
    pub secret: String,
    /// The signed [`EnrolmentClaim`]: proof that the device holds the key.
    pub claim: Envelope,
}

impl fmt::Debug for EnrolRequest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("EnrolRequest").finish_non_exhaustive()
    }
}

/// The platform's answer.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Enrolled {
    /// The device's id from now on.
    pub device: DeviceId,
    /// Whose it is.
    pub customer: CustomerId,
    /// The node manifest, certified by the device issuer.
    pub manifest: Envelope,
    /// The trust chain (`sovereign_trust_registry.json`), to be checked against the token's fingerprint.
    pub chain: serde_json::Value,
}

/// A device's request for an access token, signed with its key.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Assertion {
    /// Which device.
    pub device: DeviceId,
    /// Fingerprint of the trust root of the platform it speaks to: an assertion for one is no use at another.
    pub root: Digest,
    /// When it was signed; good for a minute.
    pub at: Timestamp,
    /// 32 to 128 characters that are used once.
    pub nonce: String,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_reads_back_and_never_prints_its_secret() {
        let token = EnrolmentToken { root: Digest::of(b"root"), secret: "ab".repeat(32) };
        assert_eq!(token.to_string().parse(), Ok(token.clone()));
        assert_eq!(format!("{token}\n").parse(), Ok(token.clone()));
        assert!(!format!("{token:?}").contains("abab"));
    }

    #[test]
    fn other_texts_are_refused() {
        let good = EnrolmentToken { root: Digest::of(b"root"), secret: "ab".repeat(32) }.to_string();
        let long = format!("{good}{}", "c".repeat(200));
        for bad in ["", "echo-enrol", "echo-enrol..", &good[1..], &good[..75], &long, &format!("{good} x")] {
            assert_eq!(bad.parse::<EnrolmentToken>(), Err(EnrolmentTokenError), "{bad}");
        }
    }
}
