//! `vault.json`: what may be known of a vault without opening it.

use echo_core::Timestamp;
use serde::{Deserialize, Serialize};

use crate::{
    Recipient, VaultError,
    disk::{DESCRIPTION, Disk},
    protect::Protection,
};

const FORMAT: &str = "echo-vault-v1";
/// The most bytes of the file.
const MAX_BYTES: u64 = 1024 * 1024;
/// The most identities that a vault ever had.
pub const MAX_IDENTITIES: usize = 1000;

/// What may be known of a vault without opening it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Description {
    /// `echo-vault-v1`.
    pub format: String,
    /// Whom secrets are sealed for.
    pub recipient: Recipient,
    /// What opens the vault.
    pub protection: Protection,
    /// Every identity the vault had, oldest first; the last is in force.
    pub identities: Vec<IdentityRecord>,
}

/// One identity of a vault.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct IdentityRecord {
    /// Its recipient.
    pub recipient: Recipient,
    /// Since when it is in force.
    pub created: Timestamp,
    /// Since when it is not.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub retired: Option<Timestamp>,
}

impl Description {
    pub(crate) fn new(recipient: Recipient, protection: Protection, created: Timestamp) -> Self {
        let first = IdentityRecord { recipient: recipient.clone(), created, retired: None };
        Self { format: FORMAT.to_owned(), recipient, protection, identities: vec![first] }
    }

    /// The same with a new identity.
    pub(crate) fn with_identity(&self, recipient: Recipient, now: Timestamp) -> Result<Self, VaultError> {
        if self.identities.len() >= MAX_IDENTITIES {
            return Err(VaultError::Full(format!("it had {MAX_IDENTITIES} identities: make a new vault")));
        }
        let mut next = self.clone();
        if let Some(last) = next.identities.last_mut() {
            last.retired = Some(now);
        }
        next.identities.push(IdentityRecord { recipient: recipient.clone(), created: now, retired: None });
        next.recipient = recipient;
        Ok(next)
    }

    pub(crate) fn to_bytes(&self) -> Vec<u8> {
        let mut bytes =
            serde_json::to_vec_pretty(self).expect("a description of strings and numbers is always JSON");
        bytes.push(b'\n');
        bytes
    }

    /// The description and its bytes.
    pub(crate) fn read(disk: &Disk) -> Result<(Self, Vec<u8>), VaultError> {
        let bytes = disk
            .read(DESCRIPTION, MAX_BYTES)?
            .ok_or_else(|| VaultError::tampered(DESCRIPTION, "it is missing"))?;
        let read: Self = serde_json::from_slice(&bytes).map_err(|e| VaultError::damaged(DESCRIPTION, &e))?;
        if read.format != FORMAT {
            return Err(VaultError::damaged(DESCRIPTION, &format!("its format is not `{FORMAT}`")));
        }
        Ok((read, bytes))
    }
}
