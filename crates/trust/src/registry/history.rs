//! Retired keys, and what they signed while they counted.
//!
//! A document's own date proves nothing: whoever still has a retired key could write any. What counts is the time
//! of its ledger entry, which stands under a checkpoint that the retired key cannot sign.

use std::collections::BTreeSet;

use echo_core::Timestamp;
use serde::{Deserialize, Serialize, de::DeserializeOwned};

use super::{MAX_RETIRED, MAX_TEXT, Registry, TrustError};
use crate::{
    dsse::{DsseError, Envelope, MAX_SIGNATURES},
    key::PublicKey,
    role::KeyRole,
};

/// A key that signs nothing new.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Retirement {
    /// What it signed.
    pub role: KeyRole,
    /// Which key.
    pub key: PublicKey,
    /// How many keys of its role had to sign while it counted; at least 1.
    pub threshold: u32,
    /// A document that it signed counts when its ledger entry is of this time or before.
    pub until: Timestamp,
    /// Why, for people.
    pub reason: String,
}

impl Registry {
    /// The keys of `role` that count for a document which entered its ledger at `at`: those that sign now, and
    /// those that were retired later. Revoked ones never count.
    pub fn keys_at(&self, role: KeyRole, at: Timestamp) -> Vec<PublicKey> {
        let mut keys = self.keys(role);
        keys.extend(self.retired_at(role, at).map(|found| found.key));
        keys
    }

    /// The JSON document in `envelope`, once enough keys of `role` have signed it that counted at `at`: the time
    /// of the ledger entry of this very envelope, whose inclusion the caller has checked.
    pub fn verify_at<T: DeserializeOwned>(
        &self,
        role: KeyRole,
        payload_type: &str,
        envelope: &Envelope,
        at: Timestamp,
    ) -> Result<T, TrustError> {
        let payload = self.verify_bytes_at(role, payload_type, envelope, at)?;
        serde_json::from_slice(&payload).map_err(|e| TrustError::Document(e.to_string()))
    }

    /// [`Registry::verify_at`] for the bytes.
    pub fn verify_bytes_at(
        &self,
        role: KeyRole,
        payload_type: &str,
        envelope: &Envelope,
        at: Timestamp,
    ) -> Result<Vec<u8>, TrustError> {
        let keys = self.keys_at(role, at);
        let needed = self.threshold(role).unwrap_or(1);
        let mut verified = envelope.verify_bytes(payload_type, &keys, needed);
        // With a retired key among the signers, as many are enough as were needed while it counted.
        let signed = |key: &PublicKey| {
            let id = key.id();
            envelope.signatures.iter().take(MAX_SIGNATURES).any(|s| s.keyid == id)
        };
        let fewest = self.retired_at(role, at).filter(|r| signed(&r.key)).map(|r| r.threshold as usize).min();
        if let (Err(DsseError::Unsigned), Some(fewer)) = (&verified, fewest.filter(|few| *few < needed)) {
            verified = envelope.verify_bytes(payload_type, &keys, fewer);
        }
        verified.map_err(|source| self.refusal(role, envelope, source))
    }

    fn retired_at(&self, role: KeyRole, at: Timestamp) -> impl Iterator<Item = &Retirement> {
        self.retired
            .iter()
            .filter(move |r| r.role == role && at <= r.until && self.revocation(&r.key.id()).is_none())
    }
}

/// Whether the list of retired keys keeps its rules.
pub(super) fn check(registry: &Registry) -> Result<(), String> {
    let retired = &registry.retired;
    if retired.len() > MAX_RETIRED || retired.iter().any(|r| r.reason.len() > MAX_TEXT) {
        return Err(format!("more than {MAX_RETIRED} retired keys, or a reason beyond {MAX_TEXT} bytes"));
    }
    if retired.iter().any(|r| r.threshold == 0) {
        return Err("a retired key with a threshold of 0".to_owned());
    }
    let different: BTreeSet<_> = retired.iter().map(|r| (r.role, r.key.id())).collect();
    if different.len() != retired.len() {
        return Err("a key is retired twice".to_owned());
    }
    let signs = |r: &&Retirement| registry.role(r.role).is_some_and(|held| held.keys.contains(&r.key));
    match retired.iter().find(signs) {
        Some(found) => Err(format!("the {} key {} is retired and signs", found.role, found.key.id())),
        None => Ok(()),
    }
}

#[cfg(test)]
mod tests;
