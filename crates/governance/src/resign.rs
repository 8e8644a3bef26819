//! What lies in the home signed by a key that goes in good order, signed again with the new key before it is gone:
//! the playbook author's content, and the operator's exceptions. After a theft nothing is signed again: what the stolen
//! key signed has to be looked at by a person.

use std::path::{Path, PathBuf};

use echo_core::Timestamp;
use trust::{
    Envelope, KeyPair, KeyRole, Registry,
    content::{MAX_SIGNATURE_FILE, read_verified, sign_file, signature_path},
    exception::Exceptions,
};

use crate::{GovernanceError, Rotation, RotationKind};

/// The folders of signed content in a home.
const FOLDERS: [&str; 4] = ["manifest", "intake", "playbooks", "policies"];
/// The most files of one folder that are looked at.
const MAX_FILES: usize = 1_000;

/// `registry` as if the keys that go in `role` still signed; nothing when none go in good order.
fn with_old(rotation: &Rotation, registry: &Registry, role: KeyRole) -> Option<Registry> {
    let change = rotation.replacements.iter().find(|r| r.role == role)?;
    if rotation.kind == RotationKind::Emergency {
        return None;
    }
    let mut both = registry.clone();
    let held = both.role_mut(role)?;
    let gone: Vec<_> = change.old.iter().filter(|key| !held.keys.contains(key)).copied().collect();
    held.keys.extend(gone);
    Some(both)
}

/// Signs the operator's exceptions again, as a document of `now`; whether that was due.
pub(crate) fn exceptions(
    home: &Path,
    rotation: &Rotation,
    registry: &Registry,
    operator: &KeyPair,
    now: Timestamp,
) -> Result<bool, GovernanceError> {
    let Some(both) = with_old(rotation, registry, KeyRole::Operator) else { return Ok(false) };
    // A document that is refused already stays refused.
    let Ok(Some((mut document, envelope))) = Exceptions::load(home, &both) else { return Ok(false) };
    if envelope.signatures.iter().any(|s| s.keyid == operator.id()) {
        return Ok(false);
    }
    // Of two documents the later one counts.
    let after = echo_core::clock::from_millis(document.issued.as_millisecond().saturating_add(1));
    document.issued = now.max(after);
    let damaged = |e: &dyn std::fmt::Display| GovernanceError::Damaged {
        path: home.join(trust::exception::EXCEPTIONS_FILE),
        why: e.to_string(),
    };
    document.save(home, operator).map_err(|e| damaged(&e))?;
    Ok(true)
}

/// The files of `home` that only an old author's key has signed, and rightly.
pub(crate) fn content(
    home: &Path,
    rotation: &Rotation,
    registry: &Registry,
    author: &KeyPair,
) -> Vec<PathBuf> {
    let Some(both) = with_old(rotation, registry, KeyRole::PlaybookAuthor) else { return Vec::new() };
    FOLDERS
        .iter()
        .flat_map(|folder| {
            std::fs::read_dir(home.join(folder)).into_iter().flatten().flatten().take(MAX_FILES)
        })
        .map(|entry| entry.path())
        .filter(|path| path.is_file() && signature_path(path).is_file())
        .filter(|path| {
            read_verified(path, &both, KeyRole::PlaybookAuthor).is_ok() && !signed_by(path, author)
        })
        .collect()
}

/// Signs the files anew.
pub(crate) fn sign(files: &[PathBuf], author: &KeyPair) -> Result<(), GovernanceError> {
    for file in files {
        sign_file(file, author)
            .map_err(|e| GovernanceError::Damaged { path: file.clone(), why: e.to_string() })?;
    }
    Ok(())
}

fn signed_by(path: &Path, author: &KeyPair) -> bool {
    let read = durable::read(&signature_path(path), MAX_SIGNATURE_FILE).ok().flatten();
    read.and_then(|bytes| serde_json::from_slice::<Envelope>(&bytes).ok())
        .is_some_and(|envelope| envelope.signatures.iter().any(|s| s.keyid == author.id()))
}
