//! The signing keys of a home directory: `echo.keystore.json`, secrets encrypted, all else in clear.
//!
//! Each secret is sealed with XChaCha20-Poly1305 under the keystore key (see `seal`). The
//! associated data binds it to its key id, public key and role, so a key cannot be moved to another role by
//! editing the file. A record's state and dates are not bound: what counts for readers is the trust registry.

mod seal;

use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
};

use durable::{DurableError, Mode};
use echo_core::{Mint, Timestamp};
use serde::{Deserialize, Serialize};

use self::seal::{KeystoreKey, Sealed};
use crate::{
    chain::REGISTRY_FILE,
    key::{KeyId, KeyPair, PublicKey},
    role::KeyRole,
};

pub use self::seal::{CREDENTIAL_NAME, KEY_FILE};

/// The keystore's file in the home directory.
pub const KEYSTORE_FILE: &str = "echo.keystore.json";
/// The most bytes the keystore's file may have.
pub const MAX_KEYSTORE_BYTES: u64 = 1024 * 1024;
/// The most keys a keystore may hold, the retired ones included.
pub const MAX_KEYS: usize = 512;
const FORMAT: &str = "echo-keystore-v1";

/// What a key may still be used for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum KeyState {
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
}

/// Why the keystore cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum KeystoreError {
    /// The keystore is gone while its home is in use.
    #[error("{} is missing, but {} is there: restore the keystore from your backup; a new one could not sign for this home", keystore.display(), other.display())]
    Lost {
        /// The file that should be there.
        keystore: PathBuf,
        /// What shows that the home was in use.
        other: PathBuf,
    },
    /// The keystore is there, but not the key that opens it.
    #[error("{} is missing: restore it from your backup, or pass it as the systemd credential `{CREDENTIAL_NAME}`; without it the signing keys cannot be opened", .0.display())]
    NoKey(PathBuf),
    /// The file with the keystore key does not hold one.
    #[error("{} does not hold a keystore key (32 bytes, or 64 hexadecimal digits): restore it from your backup", .0.display())]
    BadKeyFile(PathBuf),
    /// The key does not open the keystore, or the keystore was changed.
    #[error("cannot open key {id} ({role}) of {}: the key in {} is another one, or the file was changed; restore both from one backup", keystore.display(), key.display())]
    WrongKey {
        /// The keystore's file.
        keystore: PathBuf,
        /// Where the keystore key came from.
        key: PathBuf,
        /// Which signing key would not open.
        id: KeyId,
        /// In which role.
        role: KeyRole,
    },
    /// The keystore's file is damaged.
    #[error("{} is damaged: {why}; restore it from your backup", path.display())]
    Damaged {
        /// The keystore's file.
        path: PathBuf,
        /// What is wrong.
        why: String,
    },
    /// No key signs in a role.
    #[error("the keystore holds no active {0} key: make one with a key rotation")]
    NoActiveKey(KeyRole),
    /// No key has the id.
    #[error("the keystore holds no key {0}: list the keys to see which there are")]
    UnknownKey(KeyId),
    /// The keystore is full.
    #[error("the keystore holds {MAX_KEYS} keys already: it takes no more")]
    Full,
    /// The file could not be read or written.
    #[error(transparent)]
    File(#[from] DurableError),
}

/// The keystore's file.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct KeystoreFile {
    format: String,
    keys: Vec<StoredKey>,
}

#[derive(Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct StoredKey {
    key: KeyRecord,
    secret: Sealed,
}

/// An open keystore.
#[derive(Debug)]
pub struct Keystore {
    path: PathBuf,
    key: KeystoreKey,
    records: Vec<KeyRecord>,
    opened: BTreeMap<KeyId, (KeyPair, Sealed)>,
}

impl Keystore {
    /// Whether `home` has a keystore. Ask before [`Keystore::open_or_create`] on a home that has other data.
    pub fn exists(home: &Path) -> bool {
        home.join(KEYSTORE_FILE).exists()
    }

    /// Opens the keystore of `home`, or makes one with a key for each role.
    ///
    /// Never makes a new one beside a trust registry: the registry's keys would be lost without a word.
    pub fn open_or_create(home: &Path, mint: &Mint) -> Result<Self, KeystoreError> {
        let credentials = std::env::var_os("CREDENTIALS_DIRECTORY").map(PathBuf::from);
        Self::open_or_create_in(home, credentials.as_deref(), mint)
    }

    fn open_or_create_in(
        home: &Path,
        credentials: Option<&Path>,
        mint: &Mint,
    ) -> Result<Self, KeystoreError> {
        let path = home.join(KEYSTORE_FILE);
        if let Some(bytes) = durable::read(&path, MAX_KEYSTORE_BYTES)? {
            let key = KeystoreKey::load(home, credentials)?
                .ok_or_else(|| KeystoreError::NoKey(home.join(KEY_FILE)))?;
            return Self::open(path, key, &bytes);
        }
        let registry = home.join(REGISTRY_FILE);
        if registry.exists() {
            return Err(KeystoreError::Lost { keystore: path, other: registry });
        }
        durable::create_folder(home)?;
        // A key without a keystore is what a crash between the two writes leaves: use it.
        let key = match KeystoreKey::load(home, credentials)? {
            Some(key) => key,
            None => KeystoreKey::create(home, mint)?,
        };
        let mut made = Self { path, key, records: Vec::new(), opened: BTreeMap::new() };
        for role in KeyRole::ALL {
            made.add(role, None, mint)?;
        }
        made.save()?;
        Ok(made)
    }

    fn open(path: PathBuf, key: KeystoreKey, bytes: &[u8]) -> Result<Self, KeystoreError> {
        let damaged = |why: String| KeystoreError::Damaged { path: path.clone(), why };
        let file: KeystoreFile = serde_json::from_slice(bytes).map_err(|e| damaged(e.to_string()))?;
        if file.format != FORMAT {
            return Err(damaged(format!("its format is not `{FORMAT}`")));
        }
        if file.keys.len() > MAX_KEYS {
            return Err(damaged(format!("more than {MAX_KEYS} keys")));
        }
        let mut records: Vec<KeyRecord> = Vec::new();
        let mut opened = BTreeMap::new();
        for StoredKey { key: record, secret } in file.keys {
            let pair = key.open(&record, &secret).ok_or_else(|| KeystoreError::WrongKey {
                keystore: path.clone(),
                key: key.source().to_owned(),
                id: record.id.clone(),
                role: record.role,
            })?;
            let active = |r: &KeyRecord| r.role == record.role && r.state == KeyState::Active;
            if active(&record) && records.iter().any(active) {
                return Err(damaged(format!("two active {} keys", record.role)));
            }
            if opened.insert(record.id.clone(), (pair, secret)).is_some() {
                return Err(damaged(format!("key {} stands twice", record.id)));
            }
            records.push(record);
        }
        Ok(Self { path, key, records, opened })
    }

    /// The key that signs in `role`.
    pub fn signer(&self, role: KeyRole) -> Result<&KeyPair, KeystoreError> {
        self.records
            .iter()
            .find(|r| r.role == role && r.state == KeyState::Active)
            .and_then(|r| self.key(&r.id))
            .ok_or(KeystoreError::NoActiveKey(role))
    }

    /// The key named `id`, whatever its state: a root that retires still signs the registry that replaces it.
    pub fn key(&self, id: &KeyId) -> Option<&KeyPair> {
        self.opened.get(id).map(|(pair, _)| pair)
    }

    /// Every key's record, oldest first.
    pub fn records(&self) -> &[KeyRecord] {
        &self.records
    }

    /// Makes a new active key for `role`; the one before is retiring from now on. Written before it returns.
    pub fn rotate(
        &mut self,
        role: KeyRole,
        expires: Option<Timestamp>,
        mint: &Mint,
    ) -> Result<KeyRecord, KeystoreError> {
        let before = self.records.clone();
        for record in &mut self.records {
            if record.role == role && record.state == KeyState::Active {
                record.state = KeyState::Retiring;
            }
        }
        let made = self.add(role, expires, mint);
        self.commit(before, made)
    }

    /// Takes a key out of use. Written before it returns. To put another in its place, rotate first.
    pub fn withdraw(&mut self, id: &KeyId, revoked: bool) -> Result<KeyRecord, KeystoreError> {
        let before = self.records.clone();
        let found = self.records.iter_mut().find(|r| r.id == *id);
        let changed = found
            .map(|record| {
                // Revoked is for ever; retiring it again must not undo it.
                if revoked || record.state == KeyState::Revoked {
                    record.state = KeyState::Revoked;
                } else {
                    record.state = KeyState::Retired;
                }
                record.clone()
            })
            .ok_or_else(|| KeystoreError::UnknownKey(id.clone()));
        self.commit(before, changed)
    }

    /// Saves; when the change or the write fails, all is as `before`.
    fn commit(
        &mut self,
        before: Vec<KeyRecord>,
        change: Result<KeyRecord, KeystoreError>,
    ) -> Result<KeyRecord, KeystoreError> {
        let saved = change.and_then(|record| self.save().map(|()| record));
        if saved.is_err() {
            self.records = before;
        }
        saved
    }

    fn add(
        &mut self,
        role: KeyRole,
        expires: Option<Timestamp>,
        mint: &Mint,
    ) -> Result<KeyRecord, KeystoreError> {
        if self.records.len() >= MAX_KEYS {
            return Err(KeystoreError::Full);
        }
        let pair = KeyPair::generate(mint.entropy());
        let record = KeyRecord {
            id: pair.id(),
            algorithm: KeyAlgorithm::Ed25519,
            public: pair.public(),
            role,
            state: KeyState::Active,
            created: mint.now(),
            expires,
        };
        let sealed = self.key.seal(&record, &pair, mint);
        self.opened.insert(record.id.clone(), (pair, sealed));
        self.records.push(record.clone());
        Ok(record)
    }

    fn save(&self) -> Result<(), KeystoreError> {
        let keys = self.records.iter().filter_map(|record| {
            let (_, secret) = self.opened.get(&record.id)?;
            Some(StoredKey { key: record.clone(), secret: secret.clone() })
        });
        let file = KeystoreFile { format: FORMAT.to_owned(), keys: keys.collect() };
        let bytes = serde_json::to_vec_pretty(&file).expect("plain records always become JSON");
        Ok(durable::write(&self.path, &bytes, Mode::Private)?)
    }
}

#[cfg(test)]
mod tests;
