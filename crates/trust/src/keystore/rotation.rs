//! The two halves of a key's replacement: the new one is made, and later, once it is published, it signs.

use echo_core::Mint;

use super::{
    Kdf, KeyRecord, KeyState, Keystore, KeystoreError, add,
    lock::Lock,
    sealed_file::{self, EXPORTED_V1, Keys},
};
use crate::{key::KeyId, role::KeyRole};

impl Keystore {
    /// The key that is prepared for `role`; made when there is none. It signs nothing before
    /// [`Keystore::activate`]. Written before it returns.
    pub fn prepare(&mut self, role: KeyRole, mint: &Mint) -> Result<KeyRecord, KeystoreError> {
        match self.prepared(role) {
            Some(record) => Ok(record.clone()),
            None => self.change(mint, |keys| add(keys, role, KeyState::Prepared, None, mint)),
        }
    }

    /// The key that is prepared for `role`, if there is one.
    pub fn prepared(&self, role: KeyRole) -> Option<&KeyRecord> {
        self.records().iter().find(|r| r.role == role && r.state == KeyState::Prepared)
    }

    /// Lets a prepared key sign; the one that signed in its role is retiring from now on. Written before it
    /// returns. Doing it again changes nothing.
    pub fn activate(&mut self, id: &KeyId, mint: &Mint) -> Result<KeyRecord, KeystoreError> {
        let record = self.keys.record(id).ok_or_else(|| KeystoreError::UnknownKey(id.clone()))?;
        match record.state {
            KeyState::Active => return Ok(record.clone()),
            KeyState::Prepared => {}
            KeyState::Retiring | KeyState::Retired | KeyState::Revoked => {
                return Err(KeystoreError::NotPrepared { id: id.clone(), state: record.state });
            }
        }
        let mut activated = record.clone();
        activated.put(KeyState::Active, mint.now());
        self.change(mint, |keys| {
            for record in &mut keys.records {
                if record.id == activated.id {
                    *record = activated.clone();
                } else if record.role == activated.role && record.state == KeyState::Active {
                    record.put(KeyState::Retiring, mint.now());
                }
            }
            Ok(activated)
        })
    }
}

/// A fresh key of no keystore, as a file sealed under `passphrase`: for a keeper who signs on a machine of their
/// own. `kdf` is what the passphrase costs.
pub fn new_exported(
    role: KeyRole,
    passphrase: &str,
    kdf: Kdf,
    mint: &Mint,
) -> Result<(KeyRecord, Vec<u8>), KeystoreError> {
    let mut keys = Keys::default();
    let record = add(&mut keys, role, KeyState::Prepared, None, mint)?;
    let lock = Lock::with_passphrase(passphrase, kdf, "the exported key", mint)?;
    Ok((record, sealed_file::write(EXPORTED_V1, &lock, &keys, mint)))
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use echo_core::{ManualClock, SeededEntropy};

    use super::*;
    use crate::keystore::{MIN_MEMORY_KIB, Unlock, open_exported};

    fn mint() -> Mint {
        let clock = ManualClock::at("2027-01-01T00:00:00Z".parse().unwrap());
        Mint::new(Arc::new(clock), Arc::new(SeededEntropy::new(5)))
    }

    #[test]
    fn a_prepared_key_signs_nothing_until_it_is_activated() {
        let (home, mint) = (tempfile::tempdir().unwrap(), mint());
        let mut keys = Keystore::open_or_create(home.path(), &mint).unwrap();
        let old = keys.signer(KeyRole::Operator).unwrap().id();
        let made = keys.prepare(KeyRole::Operator, &mint).unwrap();
        assert_eq!(keys.prepare(KeyRole::Operator, &mint).unwrap(), made, "one is enough");
        assert_eq!(keys.signer(KeyRole::Operator).unwrap().id(), old);
        keys.activate(&made.id, &mint).unwrap();
        assert_eq!(keys.activate(&made.id, &mint).unwrap().state, KeyState::Active);
        let mut keys = Keystore::open(home.path(), &Unlock::KeyFile).unwrap();
        assert_eq!(keys.signer(KeyRole::Operator).unwrap().id(), made.id);
        let before = keys.records().iter().find(|r| r.id == old).unwrap();
        assert_eq!((before.state, before.since), (KeyState::Retiring, Some(mint.now())));
        assert!(matches!(keys.activate(&old, &mint), Err(KeystoreError::NotPrepared { .. })));
        assert!(keys.prepared(KeyRole::Operator).is_none());
    }

    #[test]
    fn a_keeper_s_key_opens_with_its_passphrase() {
        let kdf = Kdf::new(MIN_MEMORY_KIB, 1, 1).unwrap();
        let (record, file) = new_exported(KeyRole::Root, "twelve old words", kdf, &mint()).unwrap();
        let (opened, pair) = open_exported(&file, "twelve old words").unwrap();
        assert_eq!((opened, pair.public()), (record.clone(), record.public));
        assert!(open_exported(&file, "another old words").is_err());
    }
}
