//! Why the keystore cannot be used. No message holds a secret or a passphrase.

use std::path::PathBuf;

use durable::DurableError;

use super::{CREDENTIAL_NAME, KEY_FILE, KeyState, MAX_KEYS, MAX_PASSPHRASE, MAX_PLACE, MIN_PASSPHRASE};
use crate::{key::KeyId, role::KeyRole};

/// Why the keystore cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum KeystoreError {
    /// There is no keystore.
    #[error("{} is missing: start the platform once, or restore the keystore from your backup", .0.display())]
    Missing(PathBuf),
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
    #[error("cannot open {}: the key in {} is another one, or the file was changed; restore both from one backup", keystore.display(), key.display())]
    WrongKey {
        /// The keystore's file.
        keystore: PathBuf,
        /// Where the keystore key came from.
        key: PathBuf,
    },
    /// The passphrase does not open the file, or the file was changed; nobody can tell which.
    #[error(
        "cannot open {file}: the passphrase is another one, or the file was changed; try again, or restore the file from your backup"
    )]
    WrongPassphrase {
        /// Which file.
        file: String,
    },
    /// The keystore is protected by a passphrase, and none was given.
    #[error("{file} is protected by a passphrase: open it with the passphrase")]
    NeedsPassphrase {
        /// Which file.
        file: String,
    },
    /// A passphrase was given, but the keystore is protected by a key file.
    #[error("{file} is protected by {KEY_FILE} or a systemd credential: open it without a passphrase")]
    NeedsKeyFile {
        /// Which file.
        file: String,
    },
    /// A new passphrase is too short or too long.
    #[error(
        "a passphrase must have {MIN_PASSPHRASE} to {MAX_PASSPHRASE} bytes: choose several words that nobody would guess together"
    )]
    PassphraseLength,
    /// The cost of a passphrase is outside of its bounds.
    #[error("this cost of a passphrase is not accepted: {0}")]
    Cost(String),
    /// There is not enough memory to work out the key from a passphrase.
    #[error(
        "{memory_kib} KiB of memory are needed to try the passphrase of {file}, and are not free: free some, then try again"
    )]
    NoMemory {
        /// Which file.
        file: String,
        /// How much is needed.
        memory_kib: u32,
    },
    /// The keystore's file, or an exported key, is damaged.
    #[error("{file} is damaged: {why}; restore it from your backup")]
    Damaged {
        /// Which file.
        file: String,
        /// What is wrong.
        why: String,
    },
    /// No key signs in a role.
    #[error("the keystore holds no active {0} key: make one with a key rotation")]
    NoActiveKey(KeyRole),
    /// The key that signs in a role is kept elsewhere.
    #[error(
        "the secret of the {role} key {id} is not in the keystore; it is kept here: {place}; bring its file, and import it or sign with it"
    )]
    Away {
        /// In which role.
        role: KeyRole,
        /// Which key.
        id: KeyId,
        /// Where it is expected, in the words of whoever took it away.
        place: String,
    },
    /// A place has no words, or too many.
    #[error("say in 1 to {MAX_PLACE} bytes of one line where the key is kept from now on")]
    BadPlace,
    /// No key has the id.
    #[error("the keystore holds no key {0}: list the keys to see which there are")]
    UnknownKey(KeyId),
    /// A key that is out of use was to sign again.
    #[error("the key {id} is {state:?} and cannot sign again: make a new one with `echo_cli trust rotate`")]
    NotPrepared {
        /// Which key.
        id: KeyId,
        /// The state that it is in.
        state: KeyState,
    },
    /// The keystore is full.
    #[error("the keystore holds {MAX_KEYS} keys already: it takes no more")]
    Full,
    /// The keystore was opened from another home.
    #[error("the keystore was opened from {}, which does not lie in {}: name the same home", opened.display(), home.display())]
    OtherHome {
        /// The keystore's file.
        opened: PathBuf,
        /// The home that was named.
        home: PathBuf,
    },
    /// The keystore is protected anew, but the key file of before is still there.
    #[error("the keystore is protected by a passphrase now, but {} could not be removed: {source}; remove it by hand, it still opens older copies", path.display())]
    KeyFileStays {
        /// The key file.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// The file could not be read or written.
    #[error(transparent)]
    File(#[from] DurableError),
}
