//! A change of the vault: of all its files at once, or of none.
//!
//! 1. the next index, or an empty file, is staged beside the one in force: the mark that a change is under way;
//! 2. every other file that changes is staged beside its old one, durably, and the next index if it was not yet;
//! 3. the audit line that names the next index is written: from here on the change is made;
//! 4. the staged files are put in force, the index last.
//!
//! What a crash leaves is settled by whoever comes next: when the audit names the staged index, step 4 is finished,
//! and else what was staged is dropped. No step needs the identity.

use echo_core::{Digest, Timestamp};

use crate::{
    VaultError,
    audit::{Actor, Audit, Event},
    disk::{DESCRIPTION, Disk, IDENTITY, INDEX},
    envelope::MAX_SEALED_BYTES,
    index::{Index, MAX_INDEX_BYTES, VersionState},
    keys::Keys,
};

/// What changes.
pub(crate) struct Change {
    /// The index after it.
    pub index: Index,
    /// The files that get another content, with it; without, when it is staged already (see [`mark`]).
    pub files: Vec<(String, Option<Vec<u8>>)>,
    /// The files that go.
    pub gone: Vec<String>,
    /// What the audit says of it.
    pub event: Event,
}

/// Says that a change is under way, before its index can be known: files may be staged from here on. No index is
/// empty, so this mark is never taken for one.
pub(crate) fn mark(disk: &Disk) -> Result<(), VaultError> {
    Ok(disk.stage(INDEX, b"")?)
}

/// Makes a change. An error before the audit line means that nothing was changed; one after it, that the next
/// session finishes it. Gives back the index in force.
pub(crate) fn commit(
    disk: &Disk,
    audit: &mut Audit,
    keys: &Keys,
    change: Change,
    actor: &Actor,
    now: Timestamp,
) -> Result<Index, VaultError> {
    let Change { mut index, files, gone, event } = change;
    let bytes = index.sealed(keys);
    if bytes.len() as u64 > MAX_INDEX_BYTES {
        return Err(VaultError::Full(format!("its index would have {} bytes", bytes.len())));
    }
    disk.stage(INDEX, &bytes)?;
    for (path, content) in &files {
        if let Some(content) = content {
            disk.stage(path, content)?;
        }
    }
    audit.append(disk, Some(keys), actor, now, &event, Some(Digest::of(&bytes)))?;
    for (path, _) in &files {
        disk.enforce(path)?;
    }
    for path in &gone {
        disk.remove(path)?;
    }
    disk.enforce(INDEX)?;
    Ok(index)
}

/// Finishes or drops what was staged.
pub(crate) fn recover(disk: &Disk, audit: &Audit) -> Result<(), VaultError> {
    let Some(bytes) = disk.staged(INDEX, MAX_INDEX_BYTES)? else {
        return Ok(());
    };
    if audit.index != Some(Digest::of(&bytes)) {
        return Ok(disk.drop_staged()?);
    }
    let index = Index::parse(&bytes)?;
    enforce(disk, IDENTITY, &index.identity)?;
    enforce(disk, DESCRIPTION, &index.description)?;
    for entry in &index.entries {
        match entry.state {
            VersionState::Live => enforce(disk, &entry.path(), &entry.digest)?,
            VersionState::Removed => disk.remove(&entry.path())?,
        }
    }
    disk.enforce(INDEX)?;
    Ok(())
}

/// Puts what is staged for `path` in force, when it is what the index names.
fn enforce(disk: &Disk, path: &str, digest: &Digest) -> Result<(), VaultError> {
    let limit = MAX_INDEX_BYTES.max(MAX_SEALED_BYTES as u64);
    match disk.staged(path, limit)? {
        Some(bytes) if Digest::of(&bytes) == *digest => Ok(disk.enforce(path)?),
        _ => Ok(()),
    }
}
