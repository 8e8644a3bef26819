//! The signing keys of a home directory: `echo.keystore.json`, secrets encrypted, all else in clear.
//!
//! What opens it is a key file or systemd credential (the default), or a passphrase (see [`Unlock`]). A record
//! is bound to its secret and the records to one another, so none can be edited, moved to another role or taken
//! out unnoticed (see `sealed_file`). An older copy of the whole file is not noticed: what counts for readers is
//! the trust registry.
//!
//! A secret may be kept elsewhere (see `offline`); its record stays.

mod error;
mod lock;
mod offline;
mod passphrase;
mod record;
mod rotation;
mod seal;
mod sealed_file;

use std::{
    io,
    path::{Path, PathBuf},
};

use durable::Mode;
use echo_core::{Mint, Timestamp};

use self::{
    lock::{Lock, Place},
    sealed_file::{KEYSTORE_V2, Keys, Secret},
};
use crate::{
    chain::REGISTRY_FILE,
    key::{KeyId, KeyPair},
    role::KeyRole,
};

pub use self::{
    error::KeystoreError,
    lock::{CREDENTIAL_NAME, KEY_FILE, Protection, Unlock},
    offline::{MAX_EXPORTED_BYTES, MAX_PLACE, open_exported},
    passphrase::{
        Kdf, MAX_LANES, MAX_MEMORY_KIB, MAX_PASSES, MAX_PASSPHRASE, MIN_MEMORY_KIB, MIN_PASSPHRASE,
    },
    record::{KeyAlgorithm, KeyRecord, KeyState},
    rotation::new_exported,
};

/// The keystore's file in the home directory.
pub const KEYSTORE_FILE: &str = "echo.keystore.json";
/// The most bytes the keystore's file may have.
pub const MAX_KEYSTORE_BYTES: u64 = 1024 * 1024;
/// The most keys a keystore may hold, the retired ones included.
pub const MAX_KEYS: usize = 512;

/// An open keystore.
#[derive(Debug)]
pub struct Keystore {
    path: PathBuf,
    lock: Lock,
    kdf: Kdf,
    keys: Keys,
}

impl Keystore {
    /// Whether `home` has a keystore. Ask before [`Keystore::open_or_create`] on a home that has other data.
    pub fn exists(home: &Path) -> bool {
        home.join(KEYSTORE_FILE).exists()
    }

    /// What the keystore of `home` is protected by, to know whether to ask for a passphrase.
    pub fn protection_of(home: &Path) -> Result<Protection, KeystoreError> {
        let path = home.join(KEYSTORE_FILE);
        let bytes =
            durable::read(&path, MAX_KEYSTORE_BYTES)?.ok_or_else(|| KeystoreError::Missing(path.clone()))?;
        Ok(sealed_file::protection(&path.display().to_string(), &bytes)?.protection())
    }

    /// Opens the keystore of `home`. With a passphrase this takes some tenths of a second of one core.
    pub fn open(home: &Path, unlock: &Unlock) -> Result<Self, KeystoreError> {
        let path = home.join(KEYSTORE_FILE);
        match durable::read(&path, MAX_KEYSTORE_BYTES)? {
            Some(bytes) => {
                let credentials = credentials();
                let place = Place { home, credentials: credentials.as_deref() };
                Self::open_bytes(path, &bytes, unlock, place)
            }
            None => Err(KeystoreError::Missing(path)),
        }
    }

    /// Opens the keystore of `home` with its key file or systemd credential, or makes one with a key for each
    /// role.
    ///
    /// Never makes a new one beside a trust registry: the registry's keys would be lost without a word.
    pub fn open_or_create(home: &Path, mint: &Mint) -> Result<Self, KeystoreError> {
        Self::open_or_create_in(home, credentials().as_deref(), mint)
    }

    fn open_or_create_in(
        home: &Path,
        credentials: Option<&Path>,
        mint: &Mint,
    ) -> Result<Self, KeystoreError> {
        let (path, place) = (home.join(KEYSTORE_FILE), Place { home, credentials });
        if let Some(bytes) = durable::read(&path, MAX_KEYSTORE_BYTES)? {
            return Self::open_bytes(path, &bytes, &Unlock::KeyFile, place);
        }
        let registry = home.join(REGISTRY_FILE);
        if registry.exists() {
            return Err(KeystoreError::Lost { keystore: path, other: registry });
        }
        durable::create_folder(home)?;
        // A key without a keystore is what a crash between the two writes leaves: use it.
        let lock = match place.load()? {
            Some(lock) => lock,
            None => place.create(mint)?,
        };
        let mut made = Self { path, lock, kdf: Kdf::default(), keys: Keys::default() };
        made.change(mint, |keys| {
            KeyRole::ALL
                .into_iter()
                .try_for_each(|role| add(keys, role, KeyState::Active, None, mint).map(drop))
        })?;
        Ok(made)
    }

    fn open_bytes(
        path: PathBuf,
        bytes: &[u8],
        unlock: &Unlock,
        place: Place<'_>,
    ) -> Result<Self, KeystoreError> {
        let file = path.display().to_string();
        let open = |stored: &_| Lock::open(stored, unlock, place, &file);
        let (lock, keys) = sealed_file::read_keystore(&file, bytes, open)?;
        Ok(Self { path, lock, kdf: Kdf::default(), keys })
    }

    /// Changes what opens the keystore. All secrets are sealed anew in one durable write. Going over to a
    /// passphrase removes the key file after that write; coming back makes a new key file before it. (From key
    /// file to key file the file stays: to replace it, go by way of a passphrase.) A crash between the write and the
    /// removal leaves a key file that opens nothing but older copies; setting the passphrase again removes it.
    ///
    /// `home` is the one that the keystore was opened from. Copies of the old files still open with the old key.
    pub fn protect(&mut self, home: &Path, unlock: &Unlock, mint: &Mint) -> Result<(), KeystoreError> {
        self.protect_in(home, credentials().as_deref(), unlock, mint)
    }

    fn protect_in(
        &mut self,
        home: &Path,
        credentials: Option<&Path>,
        unlock: &Unlock,
        mint: &Mint,
    ) -> Result<(), KeystoreError> {
        if home.join(KEYSTORE_FILE) != self.path {
            return Err(KeystoreError::OtherHome { opened: self.path.clone(), home: home.to_owned() });
        }
        let place = Place { home, credentials };
        let lock = match unlock {
            Unlock::Passphrase(phrase) => {
                Lock::with_passphrase(phrase, self.kdf, &self.path.display().to_string(), mint)?
            }
            Unlock::KeyFile => match (place.load_credential()?, self.protection()) {
                (Some(lock), _) => lock,
                (None, Protection::KeyFile) => self.lock.clone(),
                // A key file beside a passphrase is one that should be gone: it must not come to count again.
                (None, Protection::Passphrase) => place.create(mint)?,
            },
        };
        self.save(&lock, &self.keys, mint)?;
        self.lock = lock;
        match self.protection() {
            Protection::KeyFile => Ok(()),
            Protection::Passphrase => remove_key_file(home, place.key_file()),
        }
    }

    /// What opens the keystore.
    pub fn protection(&self) -> Protection {
        self.lock.stored.protection()
    }

    /// Sets what passphrases cost that are set from now on, by [`Keystore::protect`] and
    /// [`Keystore::export_key`]. Without it that is [`Kdf::default`].
    pub fn set_kdf(&mut self, kdf: Kdf) {
        self.kdf = kdf;
    }

    /// The key that signs in `role`. When its secret is kept elsewhere, the error says where.
    pub fn signer(&self, role: KeyRole) -> Result<&KeyPair, KeystoreError> {
        self.keys
            .records
            .iter()
            .find(|r| r.role == role && r.state == KeyState::Active)
            .ok_or(KeystoreError::NoActiveKey(role))
            .and_then(|record| self.pair(record))
    }

    fn pair(&self, record: &KeyRecord) -> Result<&KeyPair, KeystoreError> {
        match self.keys.secrets.get(&record.id) {
            Some(Secret::Here(pair)) => Ok(pair),
            Some(Secret::Away(place)) => {
                Err(KeystoreError::Away { role: record.role, id: record.id.clone(), place: place.clone() })
            }
            None => Err(KeystoreError::UnknownKey(record.id.clone())),
        }
    }

    /// The key named `id`, whatever its state: a root that retires still signs the registry that replaces it.
    /// Nothing when its secret is kept elsewhere.
    pub fn key(&self, id: &KeyId) -> Option<&KeyPair> {
        self.keys.record(id).and_then(|record| self.pair(record).ok())
    }

    /// Every key's record, oldest first.
    pub fn records(&self) -> &[KeyRecord] {
        &self.keys.records
    }

    /// Makes a new active key for `role`; the one before is retiring from now on. Written before it returns.
    pub fn rotate(
        &mut self,
        role: KeyRole,
        expires: Option<Timestamp>,
        mint: &Mint,
    ) -> Result<KeyRecord, KeystoreError> {
        self.change(mint, |keys| {
            for record in &mut keys.records {
                if record.role == role && record.state == KeyState::Active {
                    record.put(KeyState::Retiring, mint.now());
                }
            }
            add(keys, role, KeyState::Active, expires, mint)
        })
    }

    /// Takes a key out of use. Written before it returns. To put another in its place, rotate first.
    pub fn withdraw(&mut self, id: &KeyId, revoked: bool, mint: &Mint) -> Result<KeyRecord, KeystoreError> {
        self.change(mint, |keys| {
            let found = keys.records.iter_mut().find(|r| r.id == *id);
            let record = found.ok_or_else(|| KeystoreError::UnknownKey(id.clone()))?;
            // Revoked is for ever; retiring it again must not undo it.
            let gone = revoked || record.state == KeyState::Revoked;
            record.put(if gone { KeyState::Revoked } else { KeyState::Retired }, mint.now());
            Ok(record.clone())
        })
    }

    /// Edits the keys and saves; when either fails, all is as before.
    fn change<T>(
        &mut self,
        mint: &Mint,
        edit: impl FnOnce(&mut Keys) -> Result<T, KeystoreError>,
    ) -> Result<T, KeystoreError> {
        let mut next = self.keys.clone();
        let made = edit(&mut next)?;
        self.save(&self.lock, &next, mint)?;
        self.keys = next;
        Ok(made)
    }

    fn save(&self, lock: &Lock, keys: &Keys, mint: &Mint) -> Result<(), KeystoreError> {
        let bytes = sealed_file::write(KEYSTORE_V2, lock, keys, mint);
        Ok(durable::write(&self.path, &bytes, Mode::Private)?)
    }
}

/// The folder of systemd credentials, where there is one (systemd.exec, "Credentials").
fn credentials() -> Option<PathBuf> {
    std::env::var_os("CREDENTIALS_DIRECTORY").map(PathBuf::from)
}

/// A fresh key for `role`. When it is active, the one before must be out of the way.
fn add(
    keys: &mut Keys,
    role: KeyRole,
    state: KeyState,
    expires: Option<Timestamp>,
    mint: &Mint,
) -> Result<KeyRecord, KeystoreError> {
    if keys.records.len() >= MAX_KEYS {
        return Err(KeystoreError::Full);
    }
    let pair = KeyPair::generate(mint.entropy());
    let record = KeyRecord {
        id: pair.id(),
        algorithm: KeyAlgorithm::Ed25519,
        public: pair.public(),
        role,
        state,
        created: mint.now(),
        expires,
        since: None,
    };
    keys.secrets.insert(record.id.clone(), Secret::Here(pair));
    keys.records.push(record.clone());
    Ok(record)
}

fn remove_key_file(home: &Path, path: PathBuf) -> Result<(), KeystoreError> {
    match std::fs::remove_file(&path) {
        Ok(()) => Ok(durable::sync_folder(home)?),
        Err(e) if e.kind() == io::ErrorKind::NotFound => Ok(()),
        Err(source) => Err(KeystoreError::KeyFileStays { path, source }),
    }
}

#[cfg(test)]
mod tests;
