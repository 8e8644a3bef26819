//! In-toto statements (in-toto attestation framework, Statement v1): a predicate about named digests.

use echo_core::Digest;
use serde::{
    Deserialize, Serialize,
    de::{DeserializeOwned, IgnoredAny},
};

use crate::{
    dsse::Envelope,
    key::KeyPair,
    registry::{Registry, TrustError},
    role::KeyRole,
};

/// The payload type of a statement's envelope (in-toto attestation framework, Envelope).
pub const STATEMENT_TYPE: &str = "application/vnd.in-toto+json";
/// The `_type` of a statement.
pub const STATEMENT_V1: &str = "https://in-toto.io/Statement/v1";
/// The most subjects a statement may name.
pub const MAX_SUBJECTS: usize = 1024;

/// A claim about some subjects. Fields that the framework may add are passed over, as it asks.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Statement<P> {
    /// Always [`STATEMENT_V1`].
    #[serde(rename = "_type")]
    pub kind: String,
    /// What the claim is about.
    pub subject: Vec<Subject>,
    /// What kind of claim it is, as a URI.
    pub predicate_type: String,
    /// The claim.
    pub predicate: P,
}

/// A named artefact.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Subject {
    /// Its name.
    pub name: String,
    /// What it is, by content.
    pub digest: DigestSet,
}

/// A subject's digests; Echo writes and wants SHA-256.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct DigestSet {
    /// The SHA-256, as 64 hexadecimal digits without a prefix.
    #[serde(with = "bare_hex")]
    pub sha256: Digest,
}

impl Subject {
    /// The subject `name` with the content that `sha256` stands for.
    pub fn new(name: impl Into<String>, sha256: Digest) -> Self {
        Self { name: name.into(), digest: DigestSet { sha256 } }
    }
}

impl<P> Statement<P> {
    /// A claim of the kind `predicate_type` about `subject`.
    pub fn new(predicate_type: &str, subject: Vec<Subject>, predicate: P) -> Self {
        Self { kind: STATEMENT_V1.to_owned(), subject, predicate_type: predicate_type.to_owned(), predicate }
    }
}

impl<P: Serialize> Statement<P> {
    /// The statement in an envelope signed by `keys`.
    pub fn sign(&self, keys: &[&KeyPair]) -> Result<Envelope, serde_json::Error> {
        Envelope::sign(STATEMENT_TYPE, self, keys)
    }
}

impl<P: DeserializeOwned> Statement<P> {
    /// The statement in `envelope`, once enough keys of `role` have signed it and it makes a claim of the
    /// kind `predicate_type` about something.
    pub fn verify(
        envelope: &Envelope,
        predicate_type: &str,
        registry: &Registry,
        role: KeyRole,
    ) -> Result<Self, TrustError> {
        let payload = registry.verify_bytes(role, STATEMENT_TYPE, envelope)?;
        let wrong = |e: serde_json::Error| TrustError::Document(e.to_string());
        // The head first: a claim of another kind should be called that, not a missing field.
        let head: Statement<IgnoredAny> = serde_json::from_slice(&payload).map_err(wrong)?;
        if head.kind != STATEMENT_V1 {
            return Err(TrustError::Document(format!("it is not a `{STATEMENT_V1}`")));
        }
        if head.predicate_type != predicate_type {
            let found: String = head.predicate_type.chars().take(120).collect();
            return Err(TrustError::Document(format!(
                "it claims `{found}` where `{predicate_type}` is wanted"
            )));
        }
        if head.subject.is_empty() || head.subject.len() > MAX_SUBJECTS {
            return Err(TrustError::Document(format!(
                "it names {} subjects; 1 to {MAX_SUBJECTS} may be",
                head.subject.len()
            )));
        }
        serde_json::from_slice(&payload).map_err(wrong)
    }
}

mod bare_hex {
    use echo_core::Digest;
    use serde::{Deserialize as _, Deserializer, Serializer, de::Error as _};

    pub(super) fn serialize<S: Serializer>(digest: &Digest, to: S) -> Result<S::Ok, S::Error> {
        to.serialize_str(&digest.hex())
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<Digest, D::Error> {
        let hex = String::deserialize(from)?;
        format!("sha256:{hex}").parse().map_err(D::Error::custom)
    }
}

#[cfg(test)]
mod tests;
