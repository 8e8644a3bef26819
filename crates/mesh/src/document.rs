//! A document that one node signs: made, read and bounded in one way.

use std::fmt;

use echo_core::Digest;
use serde::{Serialize, de::DeserializeOwned};
use trust::{DsseError, Envelope, KeyPair, PublicKey};

/// The most bytes of an envelope's signatures with the names of their keys: sixteen of 120.
const MAX_SIGNATURES_BYTES: usize = 2 * 1024;

/// Why a document is not believed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum DocumentError {
    /// It is larger than its kind may be.
    #[error("the {what} has {bytes} bytes, at most {most} are allowed: send less at once")]
    Oversize {
        /// What it is.
        what: &'static str,
        /// How many, or so many at least.
        bytes: usize,
        /// The bound.
        most: usize,
    },
    /// It cannot be read, or breaks its own rules.
    #[error("the {what} is not well formed: {why}")]
    Malformed {
        /// What it is.
        what: &'static str,
        /// What is wrong.
        why: String,
    },
    /// It is not signed by whom it must be.
    #[error("the {what} is not signed as it must be: {why}")]
    Signature {
        /// What it is.
        what: &'static str,
        /// What is wrong.
        why: String,
    },
    /// It says something else than the documents that belong to it.
    #[error("the {what} does not fit: {why}")]
    Contradiction {
        /// What it is.
        what: &'static str,
        /// What is wrong.
        why: String,
    },
}

/// One kind of document: what people call it, its payload type, and the most bytes of its JSON.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Kind {
    pub(crate) what: &'static str,
    pub(crate) payload_type: &'static str,
    pub(crate) most: usize,
}

impl Kind {
    pub(crate) fn malformed(self, why: impl fmt::Display) -> DocumentError {
        DocumentError::Malformed { what: self.what, why: why.to_string() }
    }

    pub(crate) fn contradiction(self, why: impl fmt::Display) -> DocumentError {
        DocumentError::Contradiction { what: self.what, why: why.to_string() }
    }

    /// Signs `document`, when it is within its bound.
    pub(crate) fn sign<T: Serialize>(self, document: &T, key: &KeyPair) -> Result<Envelope, DocumentError> {
        let json = serde_json::to_vec(document).map_err(|e| self.malformed(e))?;
        if json.len() > self.most {
            return Err(DocumentError::Oversize { what: self.what, bytes: json.len(), most: self.most });
        }
        Ok(Envelope::sign_bytes(self.payload_type, &json, &[key]))
    }

    /// Whether the envelope can hold this kind, by its type and size: cheap, before any signature.
    pub(crate) fn fits(self, envelope: &Envelope) -> Result<(), DocumentError> {
        if envelope.payload_type != self.payload_type {
            let found: String = envelope.payload_type.chars().take(80).collect();
            return Err(self.malformed(format!("it is a `{found}`")));
        }
        let payload = envelope.payload.len() / 4 * 3;
        if payload > self.most + 2 {
            return Err(DocumentError::Oversize { what: self.what, bytes: payload, most: self.most });
        }
        let around = signatures_bytes(envelope);
        if around > MAX_SIGNATURES_BYTES {
            let (bytes, most) = (around, MAX_SIGNATURES_BYTES);
            return Err(DocumentError::Oversize { what: "signatures", bytes, most });
        }
        Ok(())
    }

    /// The document, whoever signed it: a claim.
    pub(crate) fn claimed<T: DeserializeOwned>(self, envelope: &Envelope) -> Result<T, DocumentError> {
        self.fits(envelope)?;
        let payload = envelope.payload_unchecked().map_err(|e| self.malformed(e))?;
        serde_json::from_slice(&payload).map_err(|e| self.malformed(e))
    }

    /// Whether `key` has signed it.
    pub(crate) fn signed(self, envelope: &Envelope, key: &PublicKey) -> Result<(), DocumentError> {
        self.fits(envelope)?;
        envelope.verify_bytes(self.payload_type, &[*key], 1).map(drop).map_err(|e| match e {
            DsseError::Unsigned => self.unsigned("the node that it names did not sign it"),
            other => self.unsigned(other),
        })
    }

    pub(crate) fn unsigned(self, why: impl fmt::Display) -> DocumentError {
        DocumentError::Signature { what: self.what, why: why.to_string() }
    }

    /// The document, once `key` has signed it.
    pub(crate) fn open<T: DeserializeOwned>(
        self,
        envelope: &Envelope,
        key: &PublicKey,
    ) -> Result<T, DocumentError> {
        self.signed(envelope, key)?;
        self.claimed(envelope)
    }
}

/// How many bytes an envelope takes, more or less.
pub(crate) fn envelope_bytes(envelope: &Envelope) -> usize {
    envelope.payload.len() + signatures_bytes(envelope) + 256
}

fn signatures_bytes(envelope: &Envelope) -> usize {
    envelope.signatures.iter().map(|s| s.sig.len() + s.keyid.as_str().len()).sum()
}

/// The name of a document: the SHA-256 of its envelope's payload. Of what cannot be decoded, that of its text.
pub fn digest_of(envelope: &Envelope) -> Digest {
    match envelope.payload_unchecked() {
        Ok(payload) => Digest::of(&payload),
        Err(_) => Digest::of(envelope.payload.as_bytes()),
    }
}

#[cfg(test)]
mod tests;
