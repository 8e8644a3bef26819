//! Who this node is, to its peers and gateways.

use std::sync::{Arc, PoisonError, RwLock};

use mesh::{NodeId, signal::Me};
use trust::{Envelope, KeyPair, NodeManifest};

/// The node's key, and its certified manifest, which is renewed from time to time.
#[derive(Debug)]
pub struct Identity {
    /// The key.
    pub key: Arc<KeyPair>,
    me: RwLock<Me>,
}

impl Identity {
    /// `token`: what it announces by multicast.
    pub fn new(
        key: Arc<KeyPair>,
        manifest: NodeManifest,
        certificate: Envelope,
        token: Option<String>,
    ) -> Self {
        Self { key, me: RwLock::new(Me { manifest, certificate, token }) }
    }

    /// Its name.
    pub fn node(&self) -> NodeId {
        NodeId::of(&self.key.public())
    }

    /// What it shows of itself now.
    pub fn me(&self) -> Me {
        self.me.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Shows a newer manifest from now on.
    pub fn renew(&self, manifest: NodeManifest, certificate: Envelope) {
        let mut me = self.me.write().unwrap_or_else(PoisonError::into_inner);
        me.manifest = manifest;
        me.certificate = certificate;
    }
}
