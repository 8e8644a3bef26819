//! Node manifests: who a node is, certified by the device issuer. The mesh takes no node without one.

use echo_core::{CustomerId, DeviceId, Timestamp};
use serde::{Deserialize, Serialize};

use crate::{
    did::did_key,
    dsse::Envelope,
    key::{KeyPair, PublicKey},
    registry::{Registry, TrustError},
    role::KeyRole,
};

/// The payload type of a certified manifest's envelope.
pub const NODE_MANIFEST_TYPE: &str = "application/vnd.echo.node-manifest.v1+json";
/// The most bytes a node's name may have.
pub const MAX_NAME: usize = 200;
/// The most capabilities a node may have.
pub const MAX_CAPABILITIES: usize = 64;
/// The most bytes one capability may have.
pub const MAX_CAPABILITY: usize = 100;
/// The most agents, and the most SKUs, a node may name.
pub const MAX_OFFERS: usize = 32;
/// The most bytes the name of an agent or of a SKU may have.
pub const MAX_OFFER: usize = 100;
/// The most addresses a node may name.
pub const MAX_ENDPOINTS: usize = 8;
/// The most bytes one address may have.
pub const MAX_ENDPOINT: usize = 200;
/// The most bytes of a manifest's JSON.
pub const MAX_MANIFEST_BYTES: usize = 20 * 1024;

/// Who a node is. Certified, it is an [`Envelope`] signed by [`KeyRole::DeviceIssuer`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct NodeManifest {
    /// The device.
    pub device: DeviceId,
    /// Whose it is; nobody's when it is one of the operator's own nodes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub customer: Option<CustomerId>,
    /// What people call it.
    pub name: String,
    /// The device's own key.
    pub public_key: PublicKey,
    /// The key's `did:key`, so that other meshes can name it.
    pub did: String,
    /// What it can do, such as `scan` or `playbooks`.
    pub capabilities: Vec<String>,
    /// The agents that run on it, such as `diagnostics`; at most [`MAX_OFFERS`].
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub agents: Vec<String>,
    /// What it may sell, such as `diagnostics.probe`; at most [`MAX_OFFERS`].
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub skus: Vec<String>,
    /// Where it is reached for good, as URLs, such as a gateway's; at most [`MAX_ENDPOINTS`].
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub endpoints: Vec<String>,
    /// From when it counts.
    pub issued: Timestamp,
    /// Until when it counts.
    pub expires: Timestamp,
}

impl NodeManifest {
    /// Signs the manifest as the device issuer, once it is sound.
    pub fn certify(&self, issuer: &KeyPair) -> Result<Envelope, TrustError> {
        self.check()?;
        Envelope::sign(NODE_MANIFEST_TYPE, self, &[issuer]).map_err(|e| TrustError::Document(e.to_string()))
    }

    /// The manifest in `envelope`, once the device issuer has signed it and it counts at `now`.
    pub fn verify(envelope: &Envelope, registry: &Registry, now: Timestamp) -> Result<Self, TrustError> {
        let manifest = Self::verify_signed(envelope, registry)?;
        if now >= manifest.expires {
            return Err(TrustError::Document(format!(
                "the manifest of {} expired on {}: enrol the device again",
                manifest.device, manifest.expires
            )));
        }
        Ok(manifest)
    }

    /// The manifest in `envelope`, once the device issuer has signed it; its dates are the caller's to judge.
    pub fn verify_signed(envelope: &Envelope, registry: &Registry) -> Result<Self, TrustError> {
        let manifest: Self = registry.verify(KeyRole::DeviceIssuer, NODE_MANIFEST_TYPE, envelope)?;
        manifest.check()?;
        Ok(manifest)
    }

    fn check(&self) -> Result<(), TrustError> {
        let fail = |why: String| {
            let device = &self.device;
            Err(TrustError::Document(format!("the manifest of {device}: {why}")))
        };
        if self.did != did_key(&self.public_key) {
            return fail("its did is not that of its public key".to_owned());
        }
        if self.expires <= self.issued {
            return fail("it expires before it begins".to_owned());
        }
        if self.name.trim().is_empty() || self.name.len() > MAX_NAME {
            return fail(format!("its name must have 1 to {MAX_NAME} bytes"));
        }
        for (what, names, most, longest) in [
            ("capabilities", &self.capabilities, MAX_CAPABILITIES, MAX_CAPABILITY),
            ("agents", &self.agents, MAX_OFFERS, MAX_OFFER),
            ("SKUs", &self.skus, MAX_OFFERS, MAX_OFFER),
            ("endpoints", &self.endpoints, MAX_ENDPOINTS, MAX_ENDPOINT),
        ] {
            if names.len() > most || names.iter().any(|name| name.len() > longest) {
                return fail(format!("at most {most} {what} of at most {longest} bytes"));
            }
        }
        // Names full of characters that JSON escapes take twice their bytes, and more.
        if serde_json::to_vec(self).map_or(usize::MAX, |json| json.len()) > MAX_MANIFEST_BYTES {
            return fail(format!("at most {MAX_MANIFEST_BYTES} bytes in all"));
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests;
