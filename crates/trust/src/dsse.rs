//! DSSE envelopes (Dead Simple Signing Envelope, protocol 1.0.2): one or more signatures over typed bytes.

use base64::{Engine as _, engine::general_purpose::STANDARD};
use serde::{Deserialize, Serialize, de::DeserializeOwned};

use crate::key::{KeyId, KeyPair, PublicKey};

/// The most bytes an envelope's payload may hold.
pub const MAX_PAYLOAD: usize = 16 * 1024 * 1024;
/// The most signatures an envelope may carry.
pub const MAX_SIGNATURES: usize = 16;

/// A signed message.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct Envelope {
    /// What the payload is, as a media type.
    pub payload_type: String,
    /// The payload, in standard base64 with padding.
    pub payload: String,
    /// Who signed it.
    pub signatures: Vec<EnvelopeSignature>,
}

/// One signature of an envelope.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct EnvelopeSignature {
    /// Whose key.
    pub keyid: KeyId,
    /// The Ed25519 signature over the pre-authentication encoding, in standard base64.
    pub sig: String,
}

/// Why an envelope is refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum DsseError {
    /// It carries another kind of document.
    #[error("the envelope holds `{found}` where `{expected}` is wanted")]
    WrongType {
        /// What was wanted.
        expected: String,
        /// What it says it is.
        found: String,
    },
    /// Nobody who may sign this did.
    #[error("not signed by a key that may sign this: ask the operator for a signed copy")]
    Unsigned,
    /// A signature by a known key does not verify.
    #[error("the signature of key {0} does not match: the document was changed after it was signed")]
    BadSignature(KeyId),
    /// Two envelopes that should hold the same document do not.
    #[error(
        "the two envelopes hold different documents: only signatures over the same bytes can be put together"
    )]
    OtherDocument,
    /// The envelope is not well formed.
    #[error("malformed envelope: {0}")]
    Malformed(String),
}

/// The bytes that are signed (DSSE protocol, section "Signature definition").
pub fn pre_authentication_encoding(payload_type: &str, payload: &[u8]) -> Vec<u8> {
    let mut out = format!("DSSEv1 {} {payload_type} {} ", payload_type.len(), payload.len()).into_bytes();
    out.extend_from_slice(payload);
    out
}

impl Envelope {
    /// Signs raw bytes.
    pub fn sign_bytes(payload_type: &str, payload: &[u8], keys: &[&KeyPair]) -> Self {
        let message = pre_authentication_encoding(payload_type, payload);
        let signatures = keys
            .iter()
            .map(|key| EnvelopeSignature { keyid: key.id(), sig: STANDARD.encode(key.sign(&message)) })
            .collect();
        Self { payload_type: payload_type.to_owned(), payload: STANDARD.encode(payload), signatures }
    }

    /// Signs the JSON of `document`.
    pub fn sign<T: Serialize>(
        payload_type: &str,
        document: &T,
        keys: &[&KeyPair],
    ) -> Result<Self, serde_json::Error> {
        Ok(Self::sign_bytes(payload_type, &serde_json::to_vec(document)?, keys))
    }

    /// Adds the signature of `key` over the same payload. Whether it was not there before. The ledger entry of the
    /// envelope names its bytes without the new signature: add to a copy.
    pub fn add_signature(&mut self, key: &KeyPair) -> Result<bool, DsseError> {
        let message = pre_authentication_encoding(&self.payload_type, &self.payload_unchecked()?);
        self.add(EnvelopeSignature { keyid: key.id(), sig: STANDARD.encode(key.sign(&message)) })
    }

    /// Takes over the signatures of another envelope over the same payload. How many were not there before. Nothing
    /// is verified here; on an error the envelope is as it was.
    pub fn merge(&mut self, other: &Self) -> Result<usize, DsseError> {
        if self.payload_type != other.payload_type || self.payload != other.payload {
            return Err(DsseError::OtherDocument);
        }
        let mut merged = self.clone();
        let mut added = 0;
        for signature in &other.signatures {
            added += usize::from(merged.add(signature.clone())?);
        }
        *self = merged;
        Ok(added)
    }

    fn add(&mut self, signature: EnvelopeSignature) -> Result<bool, DsseError> {
        if self.signatures.contains(&signature) {
            return Ok(false);
        }
        if self.signatures.len() >= MAX_SIGNATURES {
            return Err(DsseError::Malformed(format!(
                "there is no room for more than {MAX_SIGNATURES} signatures"
            )));
        }
        self.signatures.push(signature);
        Ok(true)
    }

    /// The payload without any check of who signed it. Use [`Envelope::verify`] wherever it matters.
    pub fn payload_unchecked(&self) -> Result<Vec<u8>, DsseError> {
        if self.payload.len() > MAX_PAYLOAD / 3 * 4 + 4 {
            return Err(DsseError::Malformed(format!("the payload is larger than {MAX_PAYLOAD} bytes")));
        }
        STANDARD.decode(&self.payload).map_err(|e| DsseError::Malformed(format!("payload: {e}")))
    }

    /// The payload, once at least `threshold` different keys among `allowed` have signed it.
    ///
    /// A signature by a key outside of `allowed` is passed over; a wrong one by a key inside fails the whole.
    pub fn verify_bytes(
        &self,
        payload_type: &str,
        allowed: &[PublicKey],
        threshold: usize,
    ) -> Result<Vec<u8>, DsseError> {
        if self.payload_type != payload_type {
            return Err(DsseError::WrongType {
                expected: payload_type.to_owned(),
                found: self.payload_type.chars().take(80).collect(),
            });
        }
        if self.signatures.len() > MAX_SIGNATURES {
            return Err(DsseError::Malformed(format!("more than {MAX_SIGNATURES} signatures")));
        }
        let payload = self.payload_unchecked()?;
        let message = pre_authentication_encoding(payload_type, &payload);
        let mut signers = std::collections::BTreeSet::new();
        for signature in &self.signatures {
            let Some(key) = allowed.iter().find(|k| k.id() == signature.keyid) else {
                continue;
            };
            let raw: [u8; 64] = STANDARD
                .decode(&signature.sig)
                .ok()
                .and_then(|raw| raw.try_into().ok())
                .ok_or_else(|| DsseError::BadSignature(signature.keyid.clone()))?;
            if !key.verifies(&message, &raw) {
                return Err(DsseError::BadSignature(signature.keyid.clone()));
            }
            signers.insert(&signature.keyid);
        }
        if signers.len() < threshold.max(1) {
            return Err(DsseError::Unsigned);
        }
        Ok(payload)
    }

    /// [`Envelope::verify_bytes`], then reads the payload as JSON.
    pub fn verify<T: DeserializeOwned>(
        &self,
        payload_type: &str,
        allowed: &[PublicKey],
        threshold: usize,
    ) -> Result<T, DsseError> {
        let payload = self.verify_bytes(payload_type, allowed, threshold)?;
        serde_json::from_slice(&payload).map_err(|e| DsseError::Malformed(format!("payload: {e}")))
    }
}

#[cfg(test)]
mod tests {
    use echo_core::SeededEntropy;

    use super::*;

    const KIND: &str = "application/vnd.echo.test+json";

    fn keys() -> (KeyPair, KeyPair) {
        let source = SeededEntropy::new(3);
        (KeyPair::generate(&source), KeyPair::generate(&source))
    }

    #[test]
    fn the_encoding_is_the_protocol_s_example() {
        let encoded = pre_authentication_encoding("http://example.com/HelloWorld", b"hello world");
        assert_eq!(encoded, b"DSSEv1 29 http://example.com/HelloWorld 11 hello world");
    }

    #[test]
    fn a_threshold_counts_different_keys() {
        let (a, b) = keys();
        let allowed = [a.public(), b.public()];
        let twice = Envelope::sign_bytes(KIND, b"{}", &[&a, &a]);
        assert_eq!(twice.verify_bytes(KIND, &allowed, 2), Err(DsseError::Unsigned));
        let both = Envelope::sign_bytes(KIND, b"{}", &[&a, &b]);
        assert_eq!(both.verify_bytes(KIND, &allowed, 2).unwrap(), b"{}");
    }

    #[test]
    fn signatures_over_one_document_come_together() {
        let (a, b) = keys();
        let allowed = [a.public(), b.public()];
        let mut first = Envelope::sign_bytes(KIND, b"{}", &[&a]);
        let second = Envelope::sign_bytes(KIND, b"{}", &[&b]);
        assert_eq!(first.add_signature(&a), Ok(false), "the same key twice is once");
        assert_eq!(first.merge(&second), Ok(1));
        assert_eq!(first.merge(&second), Ok(0));
        assert_eq!(first, Envelope::sign_bytes(KIND, b"{}", &[&a, &b]));
        first.verify_bytes(KIND, &allowed, 2).unwrap();
        let other = Envelope::sign_bytes(KIND, b"[]", &[&b]);
        assert_eq!(first.merge(&other), Err(DsseError::OtherDocument));
    }

    #[test]
    fn an_envelope_takes_no_more_signatures_than_its_bound() {
        let source = SeededEntropy::new(4);
        let mut envelope = Envelope::sign_bytes(KIND, b"{}", &[]);
        for _ in 0..MAX_SIGNATURES {
            assert_eq!(envelope.add_signature(&KeyPair::generate(&source)), Ok(true));
        }
        let full = envelope.clone();
        let more = Envelope::sign_bytes(KIND, b"{}", &[&KeyPair::generate(&source)]);
        assert!(envelope.add_signature(&KeyPair::generate(&source)).is_err());
        assert!(envelope.merge(&more).is_err());
        assert_eq!(envelope, full);
    }

    #[test]
    fn strangers_changes_and_other_types_are_refused() {
        let (a, b) = keys();
        let good = Envelope::sign_bytes(KIND, b"[1]", &[&a]);
        assert_eq!(good.verify_bytes(KIND, &[b.public()], 1), Err(DsseError::Unsigned));
        assert!(matches!(good.verify_bytes("other", &[a.public()], 1), Err(DsseError::WrongType { .. })));
        let mut changed = good.clone();
        changed.payload = STANDARD.encode(b"[2]");
        assert_eq!(changed.verify_bytes(KIND, &[a.public()], 1), Err(DsseError::BadSignature(a.id())));
        assert_eq!(good.verify::<Vec<u8>>(KIND, &[a.public()], 1), Ok(vec![1]));
    }
}
