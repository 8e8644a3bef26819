//! The federated index of attestations, kept up with the genesis ledger.
//!
//! The file is the truth about what was merged from others, so whoever changes it holds a lock: the platform here,
//! `echo_cli attestation` beside it. What the platform itself attested can be read from the ledger again.

use std::{
    fs::{self, File, OpenOptions, TryLockError},
    os::unix::fs::OpenOptionsExt as _,
    path::Path,
};

use dossier::{
    INDEX_FILE, INDEX_LOCK_FILE, INDEX_TABLE_FILE, Index, IndexError, Kind, LogName,
    index::{Attested, Origin, attestation_in, damaged_name},
};
use durable::Mode;
use ledger::MAX_READ_ENTRIES;
use store::Scope;
use trust::{KeyRole, LogKey};

use crate::{Desk, DeskError, DocumentRecord, desk::blocking, document, erasure_work::ErasedAttestation};

/// How many entries of the ledger may lie behind the index: so many are read again at a start.
const MAX_BEHIND: u64 = 100_000;

/// What stood in the index file, and the lock on it.
struct Held {
    prior: Option<Index>,
    /// Whether it is signed by the key that signs now.
    current: bool,
    _lock: File,
}

impl Desk {
    /// Brings the index up to the genesis ledger, if attestations were entered since the last time. What cannot be
    /// done now is tried again the next time: nobody's work waits for an index.
    pub(crate) async fn refresh_index(&self) {
        if !self.take_index_stale() {
            return;
        }
        match self.write_index().await {
            Ok(true) => {}
            Ok(false) => self.index_is_stale(),
            Err(error) => {
                self.index_is_stale();
                tracing::error!(%error, "the attestation index could not be brought up to date");
            }
        }
    }

    /// The index as its file holds it, for everybody; nothing when there is none.
    pub async fn attestation_index(&self) -> Result<Option<Vec<u8>>, DeskError> {
        let path = self.home().join(INDEX_FILE);
        blocking(move || Ok(durable::read(&path, dossier::MAX_BYTES as u64)?)).await
    }

    /// Whether the index is up to date now; not while somebody else holds it.
    async fn write_index(&self) -> Result<bool, DeskError> {
        let desk = self.clone();
        let Some(Held { prior, current, _lock }) = blocking(move || desk.hold_index()).await? else {
            return Ok(false);
        };
        let log = self.log(LogName::Genesis);
        let (head, checkpoint) = log.signed_head();
        let size = head.size;
        let (mut own, mut at) = self.listed(prior.as_ref(), size);
        let (before, began) = (own.count, at);
        while at < size {
            let (log, most) = (log.clone(), (size - at).min(MAX_READ_ENTRIES as u64));
            let entries = blocking(move || {
                log.entries(at, usize::try_from(most).unwrap_or(MAX_READ_ENTRIES)).map_err(broken)
            })
            .await?;
            if entries.is_empty() {
                return Err(DeskError::Internal("the genesis ledger ends before its size".to_owned()));
            }
            let next = at + entries.len() as u64;
            own.grow(self.attested(at, &entries).await?);
            at = next;
        }
        if own.count == before && current && size - began <= MAX_BEHIND {
            let desk = self.clone();
            return blocking(move || prior.map_or(Ok(true), |index| desk.restate_table(&index))).await;
        }
        own.checkpoint = checkpoint;
        own.registry = self.registry().version;
        let merged = prior.map_or_else(Vec::new, |index| index.merged);
        let index = Index { made: self.now(), own, merged };
        let desk = self.clone();
        blocking(move || {
            let file = index.to_file(desk.signer(KeyRole::Attestor)?).map_err(broken)?;
            durable::write(&desk.home().join(INDEX_FILE), &file, Mode::Public)?;
            durable::write(&desk.home().join(INDEX_TABLE_FILE), index.table().as_bytes(), Mode::Public)?;
            Ok(true)
        })
        .await
    }

    /// Writes the index for people anew unless it stands there as it should: nobody reads it back, so one that was
    /// changed would last. Always true: that is the answer of [`Desk::write_index`].
    fn restate_table(&self, index: &Index) -> Result<bool, DeskError> {
        let (path, table) = (self.home().join(INDEX_TABLE_FILE), index.table());
        let there = durable::read(&path, dossier::MAX_BYTES as u64).ok().flatten();
        if there.as_deref() != Some(table.as_bytes()) {
            durable::write(&path, table.as_bytes(), Mode::Public)?;
        }
        Ok(true)
    }

    /// The own part to go on from, and from which entry on.
    fn listed(&self, prior: Option<&Index>, size: u64) -> (Origin, u64) {
        let log = self.log(LogName::Genesis);
        let log = LogKey { origin: log.origin().to_owned(), vkey: log.vkey().to_owned() };
        let own = prior.map(|index| index.own.clone()).filter(|o| o.root == *self.root() && o.log == log);
        let seen = own.and_then(|own| own.head().ok().map(|head| (own, head.size)));
        match seen.filter(|(_, seen)| *seen <= size) {
            Some(seen) => seen,
            None => (Origin::empty(*self.root(), self.registry().version, log), 0),
        }
    }

    /// The attestations among `entries`, of which the first is number `from`.
    async fn attested(&self, from: u64, entries: &[Vec<u8>]) -> Result<Vec<Attested>, DeskError> {
        let mut found = Vec::new();
        let mut tx = self.store().read().await?;
        for (index, bytes) in (from..).zip(entries) {
            let Some(entry) = attestation_in(bytes) else { continue };
            let key = document::key(Kind::Attestation, &entry.id);
            if let Some(record) = tx.get::<DocumentRecord>(&Scope::All, &key).await? {
                found.push(Attested::new(&record.envelope, bytes, index).map_err(broken)?);
                continue;
            }
            let erased = tx.get::<ErasedAttestation>(&Scope::All, &key).await?.ok_or_else(|| {
                DeskError::Internal(format!("the ledger's attestation {} is not in the database", entry.id))
            })?;
            found.push(Attested { index, ..erased.listing });
        }
        Ok(found)
    }

    /// Takes the lock, unless somebody else has it, and reads what the file holds. A file that does not hold is put
    /// aside.
    fn hold_index(&self) -> Result<Option<Held>, DeskError> {
        let Some(lock) = lock(self.home())? else { return Ok(None) };
        let path = self.home().join(INDEX_FILE);
        let Some(bytes) = durable::read(&path, dossier::MAX_BYTES as u64)? else {
            return Ok(Some(Held { prior: None, current: false, _lock: lock }));
        };
        match Index::open_own(&bytes, self.registry()) {
            Ok((index, signers)) => {
                let current = signers == [self.signer(KeyRole::Attestor)?.id()];
                Ok(Some(Held { prior: Some(index), current, _lock: lock }))
            }
            Err(error) => {
                put_aside(self.home(), &error)?;
                Ok(Some(Held { prior: None, current: false, _lock: lock }))
            }
        }
    }
}

/// Puts a file aside that is no index, for whoever looks into it. When many are kept already, the index that is made
/// anew takes its place.
fn put_aside(home: &Path, why: &IndexError) -> Result<(), DeskError> {
    let path = home.join(INDEX_FILE);
    let aside = damaged_name(|name| home.join(name).exists()).map(|name| home.join(name));
    tracing::error!(
        %why, kept = ?aside,
        "the attestation index is put aside and made anew; what was merged from others has to be merged again"
    );
    let Some(aside) = aside else { return Ok(()) };
    fs::rename(&path, &aside)
        .map_err(|e| DeskError::Home(format!("cannot put {} aside: {e}", path.display())))
}

/// The lock on the index of `home`, which ends with the file; nothing while somebody else has it.
fn lock(home: &Path) -> Result<Option<File>, DeskError> {
    let path = home.join(INDEX_LOCK_FILE);
    let failed = |e: std::io::Error| DeskError::Home(format!("cannot lock {}: {e}", path.display()));
    let file = OpenOptions::new()
        .write(true)
        .create(true)
        .truncate(false)
        .mode(0o600)
        .open(&path)
        .map_err(failed)?;
    match file.try_lock() {
        Ok(()) => Ok(Some(file)),
        Err(TryLockError::WouldBlock) => Ok(None),
        Err(TryLockError::Error(error)) => Err(failed(error)),
    }
}

fn broken(error: impl std::fmt::Display) -> DeskError {
    DeskError::Home(error.to_string())
}
