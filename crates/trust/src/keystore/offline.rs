//! A key that is kept offline: exported as a file under its own passphrase, taken out of the keystore, and
//! brought back. Meant for the root, whose secret the platform needs only when the trust registry changes.

use echo_core::Mint;

use super::{
    KeyRecord, Keystore, KeystoreError,
    lock::Lock,
    sealed_file::{self, EXPORTED_V1, Keys, Secret},
};
use crate::key::{KeyId, KeyPair};

/// The most bytes an exported key may have.
pub const MAX_EXPORTED_BYTES: usize = 16 * 1024;
/// The most bytes that the place of a key kept elsewhere may have.
pub const MAX_PLACE: usize = 200;
/// What messages call an exported key: its bytes come without a name.
const FILE: &str = "the exported key";

/// The key in a file that [`Keystore::export_key`] made, to sign with it where no keystore is.
///
/// The record's state and dates are those of the day of the export.
pub fn open_exported(exported: &[u8], passphrase: &str) -> Result<(KeyRecord, KeyPair), KeystoreError> {
    let damaged = |why: String| KeystoreError::Damaged { file: FILE.to_owned(), why };
    if exported.len() > MAX_EXPORTED_BYTES {
        return Err(damaged(format!("it is larger than {MAX_EXPORTED_BYTES} bytes")));
    }
    let open = |stored: &_| Lock::open_exported(stored, passphrase, FILE);
    let (_, mut keys) = sealed_file::read(EXPORTED_V1, FILE, exported, open)?;
    match (keys.records.pop(), keys.secrets.pop_first()) {
        (Some(record), Some((_, Secret::Here(pair)))) if keys.records.is_empty() => Ok((record, pair)),
        _ => Err(damaged("it does not hold one key".to_owned())),
    }
}

impl Keystore {
    /// The key named `id` as a file of its own, sealed under `passphrase`. The keystore stays as it is.
    pub fn export_key(&self, id: &KeyId, passphrase: &str, mint: &Mint) -> Result<Vec<u8>, KeystoreError> {
        let record = self.keys.record(id).ok_or_else(|| KeystoreError::UnknownKey(id.clone()))?;
        let secret = Secret::Here(self.pair(record)?.clone());
        let keys = Keys { records: vec![record.clone()], secrets: [(id.clone(), secret)].into() };
        let lock = Lock::with_passphrase(passphrase, self.kdf, FILE, mint)?;
        Ok(sealed_file::write(EXPORTED_V1, &lock, &keys, mint))
    }

    /// Takes the secret of an exported key out of the keystore; the record stays, with `place`, the words that
    /// say where the file is kept. Written before it returns.
    ///
    /// Asks for the file and its passphrase, so that a key cannot be removed that nobody could bring back.
    /// Copies of the keystore from before, such as backups, still hold the secret.
    pub fn remove(
        &mut self,
        exported: &[u8],
        passphrase: &str,
        place: &str,
        mint: &Mint,
    ) -> Result<KeyRecord, KeystoreError> {
        if !sealed_file::is_place(place) {
            return Err(KeystoreError::BadPlace);
        }
        let (record, _) = self.own_exported(exported, passphrase)?;
        self.change(mint, |keys| {
            keys.secrets.insert(record.id.clone(), Secret::Away(place.to_owned()));
            Ok(record)
        })
    }

    /// Brings the secret of an exported key back. The keystore's record decides on state and dates. Written
    /// before it returns. A key that the keystore has no record of is refused.
    pub fn import_key(
        &mut self,
        exported: &[u8],
        passphrase: &str,
        mint: &Mint,
    ) -> Result<KeyRecord, KeystoreError> {
        let (record, pair) = self.own_exported(exported, passphrase)?;
        self.change(mint, |keys| {
            keys.secrets.insert(record.id.clone(), Secret::Here(pair));
            Ok(record)
        })
    }

    /// Where the secret of `id` is kept, when that is not here.
    pub fn away(&self, id: &KeyId) -> Option<&str> {
        match self.keys.secrets.get(id)? {
            Secret::Here(_) => None,
            Secret::Away(place) => Some(place),
        }
    }

    /// The keystore's own record of an exported key, and its pair.
    fn own_exported(&self, exported: &[u8], passphrase: &str) -> Result<(KeyRecord, KeyPair), KeystoreError> {
        let (theirs, pair) = open_exported(exported, passphrase)?;
        let same = |ours: &&KeyRecord| ours.public == theirs.public && ours.role == theirs.role;
        match self.keys.record(&theirs.id).filter(same) {
            Some(ours) => Ok((ours.clone(), pair)),
            None => Err(KeystoreError::UnknownKey(theirs.id)),
        }
    }
}
