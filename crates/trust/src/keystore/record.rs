//! What is known of a key in clear.

use echo_core::Timestamp;
use serde::{Deserialize, Serialize};

use crate::{
    key::{KeyId, PublicKey},
    role::KeyRole,
};

/// What a key may still be used for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum KeyState {
    /// Made, and not yet published: signs nothing.
    Prepared,
    /// Signs. One key a role.
    Active,
    /// Signs no new documents; what it signed still counts.
    Retiring,
    /// Out of use; what it signed still counts as long as the trust registry lists it.
    Retired,
    /// Out of use, and nothing that it signed counts.
    Revoked,
}

/// How a key signs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum KeyAlgorithm {
    /// Ed25519 (RFC 8032).
    Ed25519,
}

/// All that is known of a key but its secret.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct KeyRecord {
    /// The key's name.
    pub id: KeyId,
    /// How it signs.
    pub algorithm: KeyAlgorithm,
    /// The public half.
    pub public: PublicKey,
    /// What it may sign.
    pub role: KeyRole,
    /// Whether it is in use.
    pub state: KeyState,
    /// When it was made.
    pub created: Timestamp,
    /// When it should have been replaced, if a date was set.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expires: Option<Timestamp>,
    /// Since when it is in its state; nothing as long as it is in its first one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub since: Option<Timestamp>,
}

impl KeyRecord {
    /// Puts the key into `state`; the day of the change is that of the first time.
    pub(super) fn put(&mut self, state: KeyState, at: Timestamp) {
        if self.state != state {
            (self.state, self.since) = (state, Some(at));
        }
    }
}
