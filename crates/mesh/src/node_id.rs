//! Who a node is: its key.

use std::{fmt, str::FromStr};

use serde::{Deserialize, Serialize};
use trust::{PublicKey, did};

/// A node's identity key, which names it for good: session keys and addresses come and go. Written as its `did:key`.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct NodeId([u8; 32]);

/// Why a text names no node.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("not a node: {0}")]
pub struct NodeIdError(String);

impl NodeId {
    /// The node with this key.
    pub fn of(key: &PublicKey) -> Self {
        Self(key.bytes())
    }

    /// The key's 32 raw bytes.
    pub fn bytes(&self) -> [u8; 32] {
        self.0
    }

    /// The node of 32 raw bytes, when they are a key.
    pub fn from_bytes(bytes: &[u8; 32]) -> Result<Self, NodeIdError> {
        PublicKey::from_bytes(bytes).map(|key| Self::of(&key)).map_err(|e| NodeIdError(e.to_string()))
    }

    /// The node of 32 bytes that will only be compared with nodes that are known: they may be no key.
    pub(crate) fn unchecked(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }

    /// The key.
    pub fn key(&self) -> PublicKey {
        PublicKey::from_bytes(&self.0).expect("only the bytes of a key become a NodeId")
    }

    /// The last eight characters of its `did:key`, for logs and pictures. Never compare by it.
    pub fn short(&self) -> String {
        let did = self.to_string();
        did[did.len() - 8..].to_owned()
    }
}

impl fmt::Display for NodeId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&did::did_key(&self.key()))
    }
}

impl fmt::Debug for NodeId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "node …{}", self.short())
    }
}

impl FromStr for NodeId {
    type Err = NodeIdError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        did::parse_did_key(text).map(|key| Self::of(&key)).map_err(|e| NodeIdError(e.to_string()))
    }
}

impl TryFrom<String> for NodeId {
    type Error = NodeIdError;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        text.parse()
    }
}

impl From<NodeId> for String {
    fn from(node: NodeId) -> Self {
        node.to_string()
    }
}
