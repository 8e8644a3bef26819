//! What a keystore is protected by: a key file, a systemd credential, or a passphrase.

use std::{
    fmt,
    path::{Path, PathBuf},
};

use durable::Mode;
use echo_core::Mint;
use serde::{Deserialize, Serialize};
use zeroize::Zeroizing;

use super::{
    KeystoreError,
    passphrase::{self, Kdf, MAX_PASSPHRASE, SALT_BYTES},
    seal::SealKey,
};

/// The keystore key's file in the home directory: 64 hexadecimal digits; 32 raw bytes are read too.
pub const KEY_FILE: &str = "keystore.key";
/// The systemd credential (systemd.exec, `LoadCredential`) that wins over [`KEY_FILE`] when present.
pub const CREDENTIAL_NAME: &str = "echo-keystore-key";
const MAX_KEY_FILE: u64 = 256;

/// What opens a keystore. Never printed, and wiped from memory when dropped.
#[derive(Clone)]
pub enum Unlock {
    /// The systemd credential [`CREDENTIAL_NAME`] if there is one, else [`KEY_FILE`] in the home directory.
    KeyFile,
    /// What somebody types. Counts byte for byte, as UTF-8.
    Passphrase(Zeroizing<String>),
}

impl fmt::Debug for Unlock {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::KeyFile => "KeyFile",
            Self::Passphrase(_) => "Passphrase",
        })
    }
}

/// What a keystore is protected by.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Protection {
    /// A key file or a systemd credential.
    KeyFile,
    /// A passphrase.
    Passphrase,
}

/// What the file says about its protection.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case", deny_unknown_fields)]
pub(super) enum Stored {
    /// Sealed under 32 bytes that lie elsewhere.
    KeyFile {},
    /// Sealed under a passphrase.
    Passphrase {
        /// What one guess costs.
        kdf: Kdf,
        /// 16 random bytes in hexadecimal.
        salt: String,
    },
}

impl Stored {
    pub(super) fn protection(&self) -> Protection {
        match self {
            Self::KeyFile {} => Protection::KeyFile,
            Self::Passphrase { .. } => Protection::Passphrase,
        }
    }
}

/// A key that opens a keystore, and what to say about it.
#[derive(Clone)]
pub(super) struct Lock {
    pub(super) stored: Stored,
    pub(super) key: SealKey,
    /// Where the key was read from; nothing for a passphrase.
    source: Option<PathBuf>,
}

impl fmt::Debug for Lock {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Lock({:?}, {:?})", self.stored, self.source)
    }
}

impl Lock {
    /// The lock of a file that is protected as `stored`, opened with `unlock`.
    pub(super) fn open(
        stored: &Stored,
        unlock: &Unlock,
        place: Place<'_>,
        file: &str,
    ) -> Result<Self, KeystoreError> {
        match (stored, unlock) {
            (Stored::KeyFile {}, Unlock::KeyFile) => place.load()?.ok_or_else(|| place.no_key()),
            (Stored::Passphrase { kdf, salt }, Unlock::Passphrase(phrase)) => {
                Self::of_passphrase(stored, *kdf, salt, phrase, file)
            }
            (Stored::KeyFile {}, Unlock::Passphrase(_)) => {
                Err(KeystoreError::NeedsKeyFile { file: file.to_owned() })
            }
            (Stored::Passphrase { .. }, Unlock::KeyFile) => {
                Err(KeystoreError::NeedsPassphrase { file: file.to_owned() })
            }
        }
    }

    /// The lock of the passphrase in an exported key.
    pub(super) fn open_exported(stored: &Stored, phrase: &str, file: &str) -> Result<Self, KeystoreError> {
        match stored {
            Stored::Passphrase { kdf, salt } => Self::of_passphrase(stored, *kdf, salt, phrase, file),
            Stored::KeyFile {} => Err(KeystoreError::NeedsKeyFile { file: file.to_owned() }),
        }
    }

    fn of_passphrase(
        stored: &Stored,
        kdf: Kdf,
        salt: &str,
        phrase: &str,
        file: &str,
    ) -> Result<Self, KeystoreError> {
        if phrase.len() > MAX_PASSPHRASE {
            return Err(KeystoreError::PassphraseLength);
        }
        let mut raw = [0; SALT_BYTES];
        hex::decode_to_slice(salt, &mut raw).map_err(|_| KeystoreError::Damaged {
            file: file.to_owned(),
            why: format!("its salt is not {SALT_BYTES} bytes in hexadecimal"),
        })?;
        Ok(Self { stored: stored.clone(), key: kdf.derive(phrase, &raw, file)?, source: None })
    }

    /// A lock with a new passphrase and a fresh salt.
    pub(super) fn with_passphrase(
        phrase: &str,
        kdf: Kdf,
        file: &str,
        mint: &Mint,
    ) -> Result<Self, KeystoreError> {
        passphrase::check(phrase)?;
        let salt = mint.bytes::<SALT_BYTES>();
        let key = kdf.derive(phrase, &salt, file)?;
        Ok(Self { stored: Stored::Passphrase { kdf, salt: hex::encode(salt) }, key, source: None })
    }

    /// What to say when the lock does not open `file`.
    pub(super) fn refusal(&self, file: &str) -> KeystoreError {
        match &self.source {
            Some(key) => KeystoreError::WrongKey { keystore: PathBuf::from(file), key: key.clone() },
            None => KeystoreError::WrongPassphrase { file: file.to_owned() },
        }
    }
}

/// Where the keystore key may lie.
#[derive(Debug, Clone, Copy)]
pub(super) struct Place<'a> {
    pub(super) home: &'a Path,
    pub(super) credentials: Option<&'a Path>,
}

impl Place<'_> {
    /// The key of the systemd credential, else of the home; nothing when there is neither.
    pub(super) fn load(self) -> Result<Option<Lock>, KeystoreError> {
        if let Some(lock) = self.load_credential()? {
            return Ok(Some(lock));
        }
        read(self.key_file())
    }

    /// The key of the systemd credential; nothing when there is none.
    pub(super) fn load_credential(self) -> Result<Option<Lock>, KeystoreError> {
        match self.credentials {
            Some(folder) => read(folder.join(CREDENTIAL_NAME)),
            None => Ok(None),
        }
    }

    /// A fresh key, written to the home.
    pub(super) fn create(self, mint: &Mint) -> Result<Lock, KeystoreError> {
        let (key, source) = (SealKey::fresh(mint), self.key_file());
        let text = Zeroizing::new(format!("{}\n", hex::encode(key.0.as_slice())));
        durable::write(&source, text.as_bytes(), Mode::Private)?;
        Ok(Lock { stored: Stored::KeyFile {}, key, source: Some(source) })
    }

    /// The key file of the home.
    pub(super) fn key_file(self) -> PathBuf {
        self.home.join(KEY_FILE)
    }

    fn no_key(self) -> KeystoreError {
        KeystoreError::NoKey(self.key_file())
    }
}

fn read(source: PathBuf) -> Result<Option<Lock>, KeystoreError> {
    let Some(read) = durable::read(&source, MAX_KEY_FILE)? else {
        return Ok(None);
    };
    let Some(bytes) = decode(&Zeroizing::new(read)) else {
        return Err(KeystoreError::BadKeyFile(source));
    };
    Ok(Some(Lock { stored: Stored::KeyFile {}, key: SealKey(bytes), source: Some(source) }))
}

fn decode(read: &[u8]) -> Option<Zeroizing<[u8; 32]>> {
    let mut bytes = Zeroizing::new([0; 32]);
    if read.len() == bytes.len() {
        bytes.copy_from_slice(read);
    } else {
        hex::decode_to_slice(read.trim_ascii(), bytes.as_mut_slice()).ok()?;
    }
    Some(bytes)
}
