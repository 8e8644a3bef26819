//! Who signed an attestation, how many must, and what is missing: the same answer as `Registry::verify`, in detail.

use std::collections::BTreeMap;

use base64::{Engine as _, engine::general_purpose::STANDARD};
use echo_core::Timestamp;
use serde::Serialize;

use crate::{
    dsse::{DsseError, Envelope, EnvelopeSignature, MAX_SIGNATURES, pre_authentication_encoding},
    key::{KeyId, PublicKey},
    registry::Registry,
    role::KeyRole,
    statement::STATEMENT_TYPE,
};

/// What one key's signature is worth.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(tag = "standing", rename_all = "snake_case")]
pub enum Standing {
    /// It counts.
    Counts,
    /// The key signs nothing new any more; for what lay in a ledger by its day, see `Registry::verify_at`.
    Retired {
        /// Until when it counted.
        until: Timestamp,
    },
    /// The key was revoked.
    Revoked {
        /// When.
        at: Timestamp,
        /// Why.
        reason: String,
    },
    /// The key is not one of the role's.
    Stranger,
    /// The signature does not match: the document, or the signature, was changed.
    Wrong,
}

/// One key that signed, and what that is worth.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Signer {
    /// Which key.
    pub key: KeyId,
    /// What its signature is worth.
    #[serde(flatten)]
    pub standing: Standing,
}

/// The signatures of an attestation, counted.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Tally {
    /// In which role they were wanted.
    pub role: KeyRole,
    /// Every key that signed, once each, in the order of the signatures.
    pub signers: Vec<Signer>,
    /// How many different keys must sign.
    pub needed: usize,
    /// How many that count did.
    pub counted: usize,
    /// The role's keys that have not signed, and could.
    pub could: Vec<KeyId>,
}

impl Tally {
    /// Counts the signatures of an in-toto statement. `threshold` may ask for more signatures than the registry
    /// does, never for fewer.
    pub fn of_attestation(
        envelope: &Envelope,
        registry: &Registry,
        threshold: usize,
    ) -> Result<Self, DsseError> {
        Self::of(envelope, registry, KeyRole::Attestor, STATEMENT_TYPE, threshold)
    }

    /// Counts the signatures in `role` of a document of the kind `payload_type`.
    pub fn of(
        envelope: &Envelope,
        registry: &Registry,
        role: KeyRole,
        payload_type: &str,
        threshold: usize,
    ) -> Result<Self, DsseError> {
        if envelope.payload_type != payload_type {
            return Err(DsseError::WrongType {
                expected: payload_type.to_owned(),
                found: envelope.payload_type.chars().take(80).collect(),
            });
        }
        if envelope.signatures.len() > MAX_SIGNATURES {
            return Err(DsseError::Malformed(format!("more than {MAX_SIGNATURES} signatures")));
        }
        let message = pre_authentication_encoding(payload_type, &envelope.payload_unchecked()?);
        let keys = registry.keys(role);
        let mut signers: Vec<Signer> = Vec::new();
        let mut places: BTreeMap<KeyId, usize> = BTreeMap::new();
        for signature in &envelope.signatures {
            let standing = standing(signature, &message, &keys, registry, role);
            match places.get(&signature.keyid) {
                // The same key twice counts once, and a wrong signature is never hidden behind a good one.
                Some(&place) if standing == Standing::Wrong => signers[place].standing = standing,
                Some(_) => {}
                None => {
                    places.insert(signature.keyid.clone(), signers.len());
                    signers.push(Signer { key: signature.keyid.clone(), standing });
                }
            }
        }
        Ok(Self {
            role,
            counted: signers.iter().filter(|s| s.standing == Standing::Counts).count(),
            could: keys.iter().map(PublicKey::id).filter(|id| !places.contains_key(id)).collect(),
            needed: registry.threshold(role).unwrap_or(1).max(threshold).max(1),
            signers,
        })
    }

    /// Whether a signature of one of the role's keys is wrong; then nothing is believed.
    pub fn has_wrong(&self) -> bool {
        self.signers.iter().any(|s| s.standing == Standing::Wrong)
    }

    /// How many signatures are missing.
    pub fn missing(&self) -> usize {
        self.needed.saturating_sub(self.counted)
    }

    /// Whether enough keys have signed, and none wrongly.
    pub fn holds(&self) -> bool {
        self.missing() == 0 && !self.has_wrong()
    }
}

fn standing(
    signature: &EnvelopeSignature,
    message: &[u8],
    keys: &[PublicKey],
    registry: &Registry,
    role: KeyRole,
) -> Standing {
    if let Some(revoked) = registry.revocation(&signature.keyid) {
        return Standing::Revoked { at: revoked.at, reason: revoked.reason.clone() };
    }
    if let Some(retired) = registry.retired.iter().find(|r| r.role == role && r.key.id() == signature.keyid) {
        return Standing::Retired { until: retired.until };
    }
    let Some(key) = keys.iter().find(|k| k.id() == signature.keyid) else { return Standing::Stranger };
    let raw: Option<[u8; 64]> = STANDARD.decode(&signature.sig).ok().and_then(|raw| raw.try_into().ok());
    match raw {
        Some(raw) if key.verifies(message, &raw) => Standing::Counts,
        _ => Standing::Wrong,
    }
}

#[cfg(test)]
mod tests;
