//! The device home: its key, who it is, and what it keeps between two starts.
//!
//! `device.key` (0600) and `chain.json` are written before `device.json`: where that file is, the device is enrolled.

use std::{
    fs::{self, File, TryLockError},
    path::{Path, PathBuf},
    time::Duration,
};

use durable::{DurableError, Mode};
use echo_core::{CustomerId, DeviceId, Digest, Timestamp};
use serde::{Deserialize, Serialize, de::DeserializeOwned};
use trust::{KeyPair, dsse::Envelope};
use zeroize::Zeroizing;

use crate::failure::Failure;

/// The most bytes of a small file of the home.
const MAX_SMALL: u64 = 256 * 1024;
/// `echo_probe status` holds the lock for a moment: that is worth a few tries.
const LOCK_TRIES: u32 = 5;
const LOCK_PAUSE: Duration = Duration::from_millis(100);
const KEY: &str = "device.key";
const IDENTITY: &str = "device.json";
const CONTACT: &str = "contact.json";

/// A device home that exists; one program at a time.
#[derive(Debug)]
pub(crate) struct Home {
    folder: PathBuf,
    _lock: File,
}

/// Who the device is (`device.json`).
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Identity {
    /// Its id.
    pub(crate) device: DeviceId,
    /// Whose it is.
    pub(crate) customer: CustomerId,
    /// What people call it.
    pub(crate) name: String,
    /// The platform's base address.
    pub(crate) platform: String,
    /// Whether plain http to another machine was allowed.
    pub(crate) insecure_http: bool,
    /// The fingerprint of the trust root, pinned when it enrolled.
    pub(crate) root: Digest,
    /// The node manifest, certified by the device issuer.
    pub(crate) manifest: Envelope,
    /// When it enrolled.
    pub(crate) enrolled: Timestamp,
}

/// How the device stands with the platform (`contact.json`).
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Contact {
    /// When the platform last took pulses.
    pub(crate) reached: Option<Timestamp>,
    /// How many pulses waited then.
    pub(crate) waiting: usize,
    /// How many were dropped before the platform had them.
    pub(crate) dropped: u64,
    /// Why the last try failed, when it did.
    pub(crate) last_error: Option<String>,
}

impl Home {
    /// Takes `folder`, which is made when there is none.
    pub(crate) fn open(folder: &Path) -> Result<Self, Failure> {
        for _ in 0..LOCK_TRIES {
            if let Some(home) = Self::open_if_free(folder)? {
                return Ok(home);
            }
            std::thread::sleep(LOCK_PAUSE);
        }
        Err(Failure::Failed(format!(
            "{} is in use by another echo_probe: stop that one first, or name another folder with --home",
            folder.display()
        )))
    }

    /// Takes `folder` unless another program has it.
    pub(crate) fn open_if_free(folder: &Path) -> Result<Option<Self>, Failure> {
        durable::create_folder(folder).map_err(Failure::of)?;
        let path = folder.join("lock");
        let failed = |e| Failure::Failed(format!("cannot lock {}: {e}", path.display()));
        let lock = File::options().create(true).truncate(false).write(true).open(&path).map_err(failed)?;
        match lock.try_lock() {
            Ok(()) => {
                remove_leftovers(folder);
                Ok(Some(Self { folder: folder.to_owned(), _lock: lock }))
            }
            Err(TryLockError::Error(e)) => Err(failed(e)),
            Err(TryLockError::WouldBlock) => Ok(None),
        }
    }

    /// A file or folder in the home.
    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.folder.join(name)
    }

    /// Who the device is; nothing when it is not enrolled.
    pub(crate) fn identity(&self) -> Result<Option<Identity>, Failure> {
        identity(&self.folder)
    }

    /// Keeps who the device is. From here on it is enrolled.
    pub(crate) fn save_identity(&self, identity: &Identity) -> Result<(), Failure> {
        save(&self.path(IDENTITY), identity).map_err(Failure::of)
    }

    /// Forgets the identity, and what was kept for it. Journals of playbook runs stay: they can undo changes.
    pub(crate) fn forget_identity(&self) -> Result<(), Failure> {
        for file in [IDENTITY, KEY, crate::pin::CHAIN, crate::notice::TRUST, CONTACT] {
            gone(fs::remove_file(self.path(file)), &self.path(file))?;
        }
        for folder in ["pulses", "work"] {
            gone(fs::remove_dir_all(self.path(folder)), &self.path(folder))?;
        }
        durable::sync_folder(&self.folder).map_err(Failure::of)
    }

    /// The device's key.
    pub(crate) fn key(&self) -> Result<KeyPair, Failure> {
        let path = self.path(KEY);
        let damaged = || {
            Failure::Failed(format!(
                "{} does not hold a key of 64 hexadecimal digits: restore it, or enrol again with --replace",
                path.display()
            ))
        };
        let text = Zeroizing::new(durable::read(&path, 1024).map_err(Failure::of)?.ok_or_else(damaged)?);
        let mut secret = Zeroizing::new([0; 32]);
        hex::decode_to_slice(text.trim_ascii(), &mut *secret).map_err(|_| damaged())?;
        Ok(KeyPair::from_secret(&secret))
    }

    /// Keeps the device's key, readable by the owner alone.
    pub(crate) fn save_key(&self, key: &KeyPair) -> Result<(), Failure> {
        let text = Zeroizing::new(hex::encode(*key.secret()));
        durable::write(&self.path(KEY), text.as_bytes(), Mode::Private).map_err(Failure::of)
    }

    /// Keeps how the device stands with the platform.
    pub(crate) fn save_contact(&self, contact: &Contact) -> Result<(), DurableError> {
        save(&self.path(CONTACT), contact)
    }
}

/// Who the device of `folder` is; nothing when it is not enrolled.
pub(crate) fn identity(folder: &Path) -> Result<Option<Identity>, Failure> {
    load(&folder.join(IDENTITY))
}

/// How the device of `folder` stands; the empty answer when it never ran.
pub(crate) fn contact(folder: &Path) -> Result<Contact, Failure> {
    Ok(load(&folder.join(CONTACT))?.unwrap_or_default())
}

fn load<T: DeserializeOwned>(path: &Path) -> Result<Option<T>, Failure> {
    let Some(bytes) = durable::read(path, MAX_SMALL).map_err(Failure::of)? else {
        return Ok(None);
    };
    serde_json::from_slice(&bytes).map(Some).map_err(|e| {
        Failure::Failed(format!(
            "{} is damaged ({e}): restore it, or enrol again with --replace",
            path.display()
        ))
    })
}

/// Writes a small document for the owner alone.
pub(crate) fn save(path: &Path, document: &impl Serialize) -> Result<(), DurableError> {
    let bytes =
        serde_json::to_vec_pretty(document).expect("ids, texts, numbers and envelopes always become JSON");
    durable::write(path, &bytes, Mode::Private)
}

/// Removes the temporary files of writes that were killed. Only for who holds the home's lock.
pub(crate) fn remove_leftovers(folder: &Path) {
    for file in fs::read_dir(folder).into_iter().flatten().flatten() {
        if file.file_name().as_encoded_bytes().starts_with(b".echo-") {
            // One that cannot be removed is in nobody's way.
            let _ = fs::remove_file(file.path());
        }
    }
}

fn gone(removed: std::io::Result<()>, path: &Path) -> Result<(), Failure> {
    match removed {
        Err(e) if e.kind() != std::io::ErrorKind::NotFound => {
            Err(Failure::Failed(format!("cannot remove {}: {e}", path.display())))
        }
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt as _;

    use echo_core::OsEntropy;

    use super::*;

    #[test]
    fn the_key_reads_back_and_is_private() {
        let folder = tempfile::tempdir().unwrap();
        let home = Home::open(folder.path()).unwrap();
        let key = KeyPair::generate(&OsEntropy);
        home.save_key(&key).unwrap();
        assert_eq!(home.key().unwrap().public(), key.public());
        let mode = fs::metadata(home.path(KEY)).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
    }

    #[test]
    fn a_home_is_taken_by_one_program_at_a_time() {
        let folder = tempfile::tempdir().unwrap();
        let home = Home::open(folder.path()).unwrap();
        assert!(Home::open(folder.path()).unwrap_err().to_string().contains("in use"));
        durable::write(&home.path(".echo-killed"), b"half", Mode::Private).unwrap();
        drop(home);
        let home = Home::open(folder.path()).unwrap();
        assert!(!home.path(".echo-killed").exists(), "what a kill left behind is gone");
    }

    #[test]
    fn a_damaged_key_or_identity_is_named() {
        let folder = tempfile::tempdir().unwrap();
        let home = Home::open(folder.path()).unwrap();
        assert!(home.identity().unwrap().is_none());
        for (file, bytes) in [(KEY, "zz"), (IDENTITY, "{}")] {
            durable::write(&home.path(file), bytes.as_bytes(), Mode::Private).unwrap();
        }
        assert!(home.key().unwrap_err().to_string().contains(KEY));
        assert!(home.identity().unwrap_err().to_string().contains(IDENTITY));
    }
}
