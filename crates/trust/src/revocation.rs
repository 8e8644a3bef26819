//! Nodes that are let in no more though their manifests have not expired: a stolen laptop, a device that was retired.
//!
//! One list, signed by the device issuer, counted by version: a reader keeps the newest it saw, and never goes back.

use std::collections::BTreeSet;

use echo_core::Timestamp;
use serde::{Deserialize, Serialize};

use crate::{
    did::parse_did_key,
    dsse::Envelope,
    key::KeyPair,
    registry::{Registry, TrustError},
    role::KeyRole,
};

/// The payload type of a signed list.
pub const REVOCATIONS_TYPE: &str = "application/vnd.echo.node-revocations.v1+json";
/// The most bytes of a list's JSON, so that one message of the mesh carries it: room for some 900 nodes. A node whose
/// manifest has expired needs to stand on it no longer.
pub const MAX_REVOCATIONS_BYTES: usize = 136 * 1024;
/// The most bytes of a reason.
pub const MAX_REASON: usize = 200;

/// A node that is let in no more.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RevokedNode {
    /// Which: its `did:key`.
    pub did: String,
    /// Since when, for people; it counts for nothing from the moment that the list is known.
    pub since: Timestamp,
    /// Why, for people; at most [`MAX_REASON`] bytes.
    pub reason: String,
}

/// The list of revoked nodes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct NodeRevocations {
    /// Counts from 1; a higher one replaces a lower one.
    pub version: u64,
    /// When it was made.
    pub at: Timestamp,
    /// The nodes, each once.
    pub nodes: Vec<RevokedNode>,
}

impl NodeRevocations {
    /// Signs the list as the device issuer, once it is sound.
    pub fn sign(&self, issuer: &KeyPair) -> Result<Envelope, TrustError> {
        let json = serde_json::to_vec(self).map_err(|e| TrustError::Document(e.to_string()))?;
        self.check(json.len())?;
        Ok(Envelope::sign_bytes(REVOCATIONS_TYPE, &json, &[issuer]))
    }

    /// The list in `envelope`, once the device issuer of `registry` has signed it.
    pub fn verify(envelope: &Envelope, registry: &Registry) -> Result<Self, TrustError> {
        within(envelope)?;
        Self::read(&registry.verify_bytes(KeyRole::DeviceIssuer, REVOCATIONS_TYPE, envelope)?)
    }

    /// The list in `envelope`, which this reader took before and kept: it goes on counting when the key that signed it
    /// was retired since, and no more when that key was revoked.
    pub fn verify_kept(envelope: &Envelope, registry: &Registry) -> Result<Self, TrustError> {
        within(envelope)?;
        let payload =
            envelope.payload_unchecked().map_err(|e| TrustError::Document(format!("revoked nodes: {e}")))?;
        let at = Self::read(&payload)?.at;
        Self::read(&registry.verify_bytes_at(KeyRole::DeviceIssuer, REVOCATIONS_TYPE, envelope, at)?)
    }

    /// Whether this list takes the place of one of version `known`; 0 when none is known.
    pub fn replaces(&self, known: u64) -> bool {
        self.version > known
    }

    /// The entry of the node with this `did:key`, if it is revoked.
    pub fn of(&self, did: &str) -> Option<&RevokedNode> {
        self.nodes.iter().find(|node| node.did == did)
    }

    fn read(payload: &[u8]) -> Result<Self, TrustError> {
        let list: Self = serde_json::from_slice(payload)
            .map_err(|e| TrustError::Document(format!("revoked nodes: {e}")))?;
        list.check(payload.len())?;
        Ok(list)
    }

    fn check(&self, bytes: usize) -> Result<(), TrustError> {
        let fail =
            |why: String| Err(TrustError::Document(format!("list {} of revoked nodes: {why}", self.version)));
        if self.version == 0 {
            return fail("versions count from 1".to_owned());
        }
        if bytes > MAX_REVOCATIONS_BYTES {
            return fail(format!(
                "{bytes} bytes, at most {MAX_REVOCATIONS_BYTES} are allowed: leave out nodes whose manifests have expired"
            ));
        }
        if self.nodes.iter().any(|node| node.reason.len() > MAX_REASON) {
            return fail(format!("a reason is longer than {MAX_REASON} bytes"));
        }
        if self.nodes.iter().any(|node| parse_did_key(&node.did).is_err()) {
            return fail("it names something that is no node".to_owned());
        }
        let different: BTreeSet<&str> = self.nodes.iter().map(|node| node.did.as_str()).collect();
        if different.len() != self.nodes.len() {
            return fail("a node stands twice".to_owned());
        }
        Ok(())
    }
}

fn within(envelope: &Envelope) -> Result<(), TrustError> {
    if envelope.payload.len() > MAX_REVOCATIONS_BYTES.div_ceil(3) * 4 {
        return Err(TrustError::Document(format!(
            "a list of revoked nodes of more than {MAX_REVOCATIONS_BYTES} bytes"
        )));
    }
    Ok(())
}

#[cfg(test)]
mod tests;
