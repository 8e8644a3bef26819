//! Node manifests: who a device is, certified by the device issuer. The mesh takes no node without one.

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

/// Who a device is. Certified, it is an [`Envelope`] signed by [`KeyRole::DeviceIssuer`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct NodeManifest {
    /// The device.
    pub device: DeviceId,
    /// Whose it is.
    pub customer: CustomerId,
    /// What people call it.
    pub name: String,
    /// The device's own key.
    pub public_key: PublicKey,
    /// The key's `did:key`, so that other meshes can name it.
    pub did: String,
    /// What it can do, such as `scan` or `playbooks`.
    pub capabilities: Vec<String>,
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
        let manifest: Self = registry.verify(KeyRole::DeviceIssuer, NODE_MANIFEST_TYPE, envelope)?;
        manifest.check()?;
        if now >= manifest.expires {
            return Err(TrustError::Document(format!(
                "the manifest of {} expired on {}: enrol the device again",
                manifest.device, manifest.expires
            )));
        }
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
        if self.capabilities.len() > MAX_CAPABILITIES
            || self.capabilities.iter().any(|c| c.len() > MAX_CAPABILITY)
        {
            return fail(format!(
                "at most {MAX_CAPABILITIES} capabilities of at most {MAX_CAPABILITY} bytes"
            ));
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests;
