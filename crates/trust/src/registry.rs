//! The trust registry: which keys may sign in which role, and which are revoked.

mod history;

use std::{
    collections::{BTreeMap, BTreeSet},
    path::PathBuf,
};

use durable::DurableError;
use echo_core::{Digest, Timestamp};
use serde::{Deserialize, Serialize, de::DeserializeOwned};

use crate::{
    dsse::{DsseError, Envelope, MAX_SIGNATURES},
    key::{KeyId, PublicKey},
    keystore::{KeyRecord, KeyState},
    role::KeyRole,
};

pub use self::history::Retirement;

/// The payload type of a registry's envelope.
pub const REGISTRY_TYPE: &str = "application/vnd.echo.trust-registry.v1+json";
/// The most keys one role may list.
pub const MAX_ROLE_KEYS: usize = 64;
/// The most revocations one registry may list.
pub const MAX_REVOKED: usize = 4096;
/// The most retired keys one registry may list.
pub const MAX_RETIRED: usize = 4096;
/// The most logs one registry may list.
pub const MAX_LOGS: usize = 16;
/// The most bytes the reason of a revocation or retirement, a log's origin or its verifier key may have.
pub const MAX_TEXT: usize = 512;

/// One version of the trust registry.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Registry {
    /// Counts from 1; each version follows the one before.
    pub version: u64,
    /// When it was made.
    pub created: Timestamp,
    /// From when on it may not be relied on; a newer version must stand then.
    pub expires: Timestamp,
    /// Who may sign the next version.
    pub root: RoleKeys,
    /// Who may sign what else. [`KeyRole::Root`] is not among them.
    pub roles: BTreeMap<KeyRole, RoleKeys>,
    /// Keys that count no more, in any role, whenever they signed.
    #[serde(default)]
    pub revoked: Vec<Revocation>,
    /// Keys that sign nothing new; what was in a ledger by their day still counts.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub retired: Vec<Retirement>,
    /// The logs by name (`genesis`, `aeterna`) with the keys that sign their checkpoints.
    #[serde(default)]
    pub logs: BTreeMap<String, LogKey>,
}

/// The keys of one role, and how many of them must sign.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RoleKeys {
    /// The keys, each once.
    pub keys: Vec<PublicKey>,
    /// How many different ones must sign; at least 1.
    pub threshold: u32,
}

impl RoleKeys {
    /// One key that signs alone.
    pub fn single(key: PublicKey) -> Self {
        Self { keys: vec![key], threshold: 1 }
    }
}

/// A key that counts no more.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Revocation {
    /// Which key.
    pub key: KeyId,
    /// When it was revoked.
    pub at: Timestamp,
    /// Why, for people.
    pub reason: String,
}

/// A log's name and key, as the ledger's readers want them.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LogKey {
    /// The log's origin line (C2SP tlog-checkpoint).
    pub origin: String,
    /// Its verifier key, `name+hash+base64` (C2SP signed-note).
    pub vkey: String,
}

/// Why a registry, or something that leans on it, is refused.
#[derive(Debug, thiserror::Error)]
pub enum TrustError {
    /// There is no registry in the home directory.
    #[error("there is no trust registry at {}: start the platform once, or copy the operator's file there", .0.display())]
    Missing(PathBuf),
    /// The file or the payload cannot be read.
    #[error("malformed trust registry: {0}; fetch a fresh copy from the operator")]
    Malformed(String),
    /// A registry that may not be: its own rules are broken.
    #[error("trust registry version {version} is not acceptable: {why}")]
    Unacceptable {
        /// Which version.
        version: u64,
        /// Which rule it breaks.
        why: String,
    },
    /// The first version is not the pinned one.
    #[error(
        "the trust root is {found}, but {pinned} is pinned: this registry belongs to somebody else, or was replaced; compare the fingerprint with the operator by another way"
    )]
    WrongRoot {
        /// What the reader trusts.
        pinned: Digest,
        /// What the file holds.
        found: Digest,
    },
    /// A version does not follow the one before it.
    #[error(
        "trust registry version {found} stands where {expected} must: versions are missing or out of order"
    )]
    OutOfOrder {
        /// The number that must stand here.
        expected: u64,
        /// The number that does.
        found: u64,
    },
    /// A version lacks the signatures of its own or of the previous root.
    #[error("trust registry version {version} is not signed by {whose} root: {source}")]
    RootSignature {
        /// Which version.
        version: u64,
        /// `its own` or `the previous`.
        whose: &'static str,
        /// What is wrong with the signatures.
        source: DsseError,
    },
    /// The newest version is too old.
    #[error("trust registry version {version} expired on {at}: fetch the operator's current one")]
    Expired {
        /// Which version.
        version: u64,
        /// When it ended.
        at: Timestamp,
    },
    /// A chain ends before the one that is known.
    #[error(
        "the trust registry was set back to version {offered}, but version {known} is known: keep the known one, and ask the operator what happened"
    )]
    RolledBack {
        /// The newest version that is known.
        known: usize,
        /// The newest version that was offered.
        offered: usize,
    },
    /// A chain tells another history than the one that is known.
    #[error(
        "trust registry version {version} is not the one that is known: two histories were signed; keep the known one, and ask the operator what happened"
    )]
    Forked {
        /// The first version that differs.
        version: usize,
    },
    /// A document was signed by a key that was revoked.
    #[error(
        "signed as {role} with key {key}, which was revoked on {at} ({reason}): ask the operator to sign it again"
    )]
    Revoked {
        /// In which role the signature was wanted.
        role: KeyRole,
        /// Which key.
        key: KeyId,
        /// When it was revoked.
        at: Timestamp,
        /// Why.
        reason: String,
    },
    /// A document lacks the signatures of a role.
    #[error("not signed as {role}: {source}")]
    Signature {
        /// In which role.
        role: KeyRole,
        /// What is wrong with the signatures.
        source: DsseError,
    },
    /// A signed document says something that cannot be.
    #[error("the signed document is not acceptable: {0}")]
    Document(String),
    /// The file could not be read or written.
    #[error(transparent)]
    File(#[from] DurableError),
}

impl Registry {
    /// The first registry of a house that holds all its keys itself: each role's active key signs alone.
    /// The logs are the caller's to add. Refused by [`Registry::check`] when there is no active root key.
    pub fn founding(records: &[KeyRecord], created: Timestamp, expires: Timestamp) -> Self {
        let of = |role: KeyRole| {
            let keys = records.iter().filter(|r| r.role == role && r.state == KeyState::Active);
            RoleKeys { keys: keys.map(|r| r.public).collect(), threshold: 1 }
        };
        let others = KeyRole::ALL.into_iter().filter(|role| *role != KeyRole::Root);
        Self {
            version: 1,
            created,
            expires,
            root: of(KeyRole::Root),
            roles: others.map(|role| (role, of(role))).filter(|(_, held)| !held.keys.is_empty()).collect(),
            revoked: Vec::new(),
            retired: Vec::new(),
            logs: BTreeMap::new(),
        }
    }

    /// The keys of `role` that are not revoked; none when the registry does not know the role.
    pub fn keys(&self, role: KeyRole) -> Vec<PublicKey> {
        self.role(role).map_or_else(Vec::new, |found| {
            found.keys.iter().filter(|key| self.revocation(&key.id()).is_none()).copied().collect()
        })
    }

    /// How many different keys of `role` must sign; nothing when the registry does not know the role.
    pub fn threshold(&self, role: KeyRole) -> Option<usize> {
        self.role(role).map(|found| found.threshold as usize)
    }

    /// Whether and why `key` was revoked.
    pub fn revocation(&self, key: &KeyId) -> Option<&Revocation> {
        self.revoked.iter().find(|r| r.key == *key)
    }

    /// The JSON document in `envelope`, once enough keys of `role` have signed it: those that sign now. For a
    /// document that lies in a ledger since some time, see [`Registry::verify_at`].
    pub fn verify<T: DeserializeOwned>(
        &self,
        role: KeyRole,
        payload_type: &str,
        envelope: &Envelope,
    ) -> Result<T, TrustError> {
        let payload = self.verify_bytes(role, payload_type, envelope)?;
        serde_json::from_slice(&payload).map_err(|e| TrustError::Document(e.to_string()))
    }

    /// The bytes in `envelope`, once enough keys of `role` have signed them.
    pub fn verify_bytes(
        &self,
        role: KeyRole,
        payload_type: &str,
        envelope: &Envelope,
    ) -> Result<Vec<u8>, TrustError> {
        // A role that nobody holds has no threshold; with no key allowed, any threshold refuses.
        let threshold = self.threshold(role).unwrap_or(1);
        envelope
            .verify_bytes(payload_type, &self.keys(role), threshold)
            .map_err(|source| self.refusal(role, envelope, source))
    }

    /// Says when a missing signature is missing because its key was revoked.
    fn refusal(&self, role: KeyRole, envelope: &Envelope, source: DsseError) -> TrustError {
        let revoked = envelope.signatures.iter().take(MAX_SIGNATURES).find_map(|s| self.revocation(&s.keyid));
        match revoked {
            Some(found) if source == DsseError::Unsigned => TrustError::Revoked {
                role,
                key: found.key.clone(),
                at: found.at,
                reason: found.reason.clone(),
            },
            _ => TrustError::Signature { role, source },
        }
    }

    /// Who signs in `role`, the revoked included; nobody when the registry does not know the role.
    pub fn role(&self, role: KeyRole) -> Option<&RoleKeys> {
        match role {
            KeyRole::Root => Some(&self.root),
            other => self.roles.get(&other),
        }
    }

    /// As [`Registry::role`], to make the next version of it.
    pub fn role_mut(&mut self, role: KeyRole) -> Option<&mut RoleKeys> {
        match role {
            KeyRole::Root => Some(&mut self.root),
            other => self.roles.get_mut(&other),
        }
    }

    /// Whether the registry keeps its own rules: bounds, thresholds that can be met, dates in order.
    pub fn check(&self) -> Result<(), TrustError> {
        let fail = |why: String| Err(TrustError::Unacceptable { version: self.version, why });
        if self.version == 0 {
            return fail("versions count from 1".to_owned());
        }
        if self.expires <= self.created {
            return fail("it expires before it begins".to_owned());
        }
        if self.roles.contains_key(&KeyRole::Root) {
            return fail("`root` stands among the roles; it has its own place".to_owned());
        }
        let all = std::iter::once((&KeyRole::Root, &self.root)).chain(&self.roles);
        for (role, keys) in all {
            if let Err(why) = check_role(keys) {
                return fail(format!("role {role}: {why}"));
            }
        }
        if self.keys(KeyRole::Root).len() < self.root.threshold as usize {
            return fail("so many root keys are revoked that no further version can be signed".to_owned());
        }
        if self.revoked.len() > MAX_REVOKED || self.revoked.iter().any(|r| r.reason.len() > MAX_TEXT) {
            return fail(format!("more than {MAX_REVOKED} revocations, or a reason beyond {MAX_TEXT} bytes"));
        }
        if let Err(why) = history::check(self) {
            return fail(why);
        }
        let long = |log: &LogKey| log.origin.len() > MAX_TEXT || log.vkey.len() > MAX_TEXT;
        if self.logs.len() > MAX_LOGS || self.logs.values().any(long) {
            return fail(format!("more than {MAX_LOGS} logs, or a log's key beyond {MAX_TEXT} bytes"));
        }
        Ok(())
    }
}

fn check_role(role: &RoleKeys) -> Result<(), String> {
    let different: BTreeSet<KeyId> = role.keys.iter().map(PublicKey::id).collect();
    if different.len() != role.keys.len() {
        return Err("a key stands twice".to_owned());
    }
    if role.keys.len() > MAX_ROLE_KEYS {
        return Err(format!("more than {MAX_ROLE_KEYS} keys"));
    }
    let threshold = role.threshold as usize;
    if threshold == 0 || threshold > role.keys.len().min(MAX_SIGNATURES) {
        return Err(format!("a threshold of {threshold} with {} keys", role.keys.len()));
    }
    Ok(())
}

#[cfg(test)]
mod tests;
