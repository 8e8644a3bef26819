//! Whether a home that was brought back holds: everything that can be checked without a platform.

use std::path::Path;

use echo_core::Timestamp;
use serde::Serialize;
use trust::{Keystore, Protection, Registry, TrustChain, Unlock};
use vault::Sealed;

use crate::BackupError;

/// Something that was checked and holds.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Held {
    /// What: `trust`, `keystore`, `genesis`, `aeterna` or `vault`.
    pub what: String,
    /// What was found, in words.
    pub found: String,
}

impl Held {
    /// Something else that the caller checked.
    pub fn new(what: &str, found: String) -> Self {
        Self { what: what.to_owned(), found }
    }
}

/// Checks the trust chain from its root, that the keystore opens, both ledgers from their entries up to the signed head, and
/// the vault's audit and index. `at` is when the home was copied: a registry that was in force then is not held against it
/// now. The first thing that does not hold is [`BackupError::Unsound`]. Nothing in the home is changed.
pub fn verify_home(home: &Path, at: Timestamp) -> Result<Vec<Held>, BackupError> {
    let mut held = Vec::new();
    let chain = TrustChain::load(home).map_err(unsound)?;
    let root = chain.fingerprint();
    let registry = chain.verify(&root, at).map_err(unsound)?;
    held.push(Held::new(
        "trust",
        format!("version {} of the registry leads back to the root {root}", registry.version),
    ));
    held.push(keystore(home)?);
    held.extend(ledgers(home, &registry)?);
    held.extend(the_vault(home)?);
    Ok(held)
}

fn keystore(home: &Path) -> Result<Held, BackupError> {
    let found = match Keystore::protection_of(home).map_err(unsound)? {
        Protection::Passphrase => "protected by a passphrase, which the platform asks for".to_owned(),
        Protection::KeyFile => {
            let keystore = Keystore::open(home, &Unlock::KeyFile).map_err(unsound)?;
            format!("opens with its key file, and holds {} keys", keystore.records().len())
        }
    };
    Ok(Held::new("keystore", found))
}

fn ledgers(home: &Path, registry: &Registry) -> Result<Vec<Held>, BackupError> {
    let check = |(name, key): (&String, &trust::LogKey)| {
        let report = ledger::fsck(&home.join(format!("{name}_ledger")), &key.vkey).map_err(unsound)?;
        let root = hex::encode(report.root);
        Ok(Held::new(name, format!("{} entries lead to the signed root {root}", report.size)))
    };
    registry.logs.iter().map(check).collect()
}

fn the_vault(home: &Path) -> Result<Option<Held>, BackupError> {
    let sealed = Sealed::of_home(home);
    if !sealed.is_there() {
        return Ok(None);
    }
    let standing = sealed.standing().map_err(unsound)?;
    let found = format!(
        "sealed for {}; its audit holds, up to line {}",
        standing.description.recipient, standing.audit.seq
    );
    Ok(Some(Held::new("vault", found)))
}

fn unsound(error: impl std::fmt::Display) -> BackupError {
    BackupError::Unsound(error.to_string())
}
