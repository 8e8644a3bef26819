//! One piece of work with the vault: locked, read anew and checked, so that processes can take turns.

use std::{
    fs::File,
    io::{self, Read as _},
};

use echo_core::{Digest, Timestamp};

use crate::{
    VaultError,
    audit::{Actor, Audit, AuditHead, Event, MAX_LINE},
    change,
    description::Description,
    disk::{AUDIT, DESCRIPTION, Disk, IDENTITY, INDEX, Lock},
    index::Index,
    keys::Keys,
    protect::MAX_KEY_FILE,
};

/// The vault, locked, as it stands.
#[derive(Debug)]
pub(crate) struct Session<'v> {
    pub disk: &'v Disk,
    /// Held to the end.
    _lock: Lock,
    keys: Option<&'v Keys>,
    pub audit: Audit,
    pub description: Description,
    pub index: Index,
    /// `identity.age`.
    pub identity: Vec<u8>,
}

impl<'v> Session<'v> {
    /// Begins. `before` is the audit as far as it was checked before; `keys`, those of an open vault.
    pub fn begin(disk: &'v Disk, before: Option<Audit>, keys: Option<&'v Keys>) -> Result<Self, VaultError> {
        if !is_there(disk) {
            return Err(VaultError::Missing(disk.dir().to_owned()));
        }
        let lock = disk.lock()?;
        let mut audit = before.unwrap_or_else(Audit::empty);
        audit.follow(disk, keys.map(|keys| &keys.audit))?;
        change::recover(disk, &audit)?;
        let (index, digest) =
            Index::read(disk)?.ok_or_else(|| VaultError::tampered(INDEX, "it is missing"))?;
        if audit.index != Some(digest) {
            return Err(VaultError::tampered(INDEX, "it is not the one that audit.jsonl names last"));
        }
        let (description, bytes) = Description::read(disk)?;
        if Digest::of(&bytes) != index.description {
            return Err(VaultError::tampered(DESCRIPTION, "it is not the one that index.json names"));
        }
        let identity = disk
            .read(IDENTITY, MAX_KEY_FILE)?
            .ok_or_else(|| VaultError::tampered(IDENTITY, "it is missing"))?;
        if Digest::of(&identity) != index.identity {
            return Err(VaultError::tampered(IDENTITY, "it is not the one that index.json names"));
        }
        let session = Self { disk, _lock: lock, keys, audit, description, index, identity };
        if let Some(keys) = keys {
            session.verify(keys)?;
        }
        Ok(session)
    }

    /// Checks what only the identity can check.
    pub fn verify(&self, keys: &Keys) -> Result<(), VaultError> {
        if self.description.recipient != keys.recipient {
            return Err(VaultError::Rotated);
        }
        self.index.verify(keys)?;
        // Some line must carry our code, or all of them could be somebody else's.
        if self.audit.key.as_deref() != Some(&keys.audit.tag) {
            return Err(VaultError::tampered(AUDIT, "no line carries the code of the vault's identity"));
        }
        Ok(())
    }

    /// Writes a line into the audit, before whatever it records.
    pub fn note(&mut self, actor: &Actor, now: Timestamp, event: &Event) -> Result<(), VaultError> {
        self.audit.append(self.disk, self.keys, actor, now, event, None)
    }

    /// The end of the audit.
    pub fn head(&self) -> AuditHead {
        self.audit.head().clone()
    }
}

/// Whether there is a vault, or what is left of one. An audit without a single whole line is what a crash leaves that
/// comes before the vault was made.
pub(crate) fn is_there(disk: &Disk) -> bool {
    disk.is_there(DESCRIPTION) || begun(disk)
}

fn begun(disk: &Disk) -> bool {
    let mut start = Vec::new();
    File::open(disk.path(AUDIT))
        .and_then(|file| file.take(MAX_LINE).read_to_end(&mut start))
        .map_or_else(|error| error.kind() != io::ErrorKind::NotFound, |_| start.contains(&b'\n'))
}
