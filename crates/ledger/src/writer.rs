//! The one writer of a log.
//!
//! Order of a batch, whose entries come with their hashes: (1) the tree grows in memory and the new checkpoint is
//! signed, (2) the batch goes into the write-ahead log and is flushed: the commit point, (3) tiles, bundles and the
//! checkpoint go to their places without a flush, (4) readers and callers are told, and each caller makes its proofs
//! from the tree of the batch. A crash leaves files that the write-ahead log writes again, with the same bytes, for
//! tiles and Ed25519 signatures are both deterministic. No file lies beyond the last whole batch of the write-ahead
//! log, and when that is empty, none lies beyond the checkpoint and all of them are durable.
//!
//! A step that fails before the commit point fails its batch. Where it is not certain that nothing stays, and
//! always after the commit point, nothing more is written until the log is opened anew.

use std::{path::Path, sync::Arc};

use ed25519_dalek::SigningKey;

use crate::{
    appended::Batch,
    disk::Disk,
    error::LedgerError,
    hash::Leaf,
    head::Head,
    lock::Lock,
    prune::Pruner,
    recovery::{self, CHECKPOINT, Recovered},
    stage,
    state::State,
    wal::{Wal, WalError},
};

/// Why a batch failed; every waiter gets a copy.
#[derive(Debug, Clone)]
pub(crate) enum Failure {
    /// Nothing of it stays.
    NotAppended(String),
    /// It may be in the write-ahead log.
    Unsettled(String),
}

impl From<Failure> for LedgerError {
    fn from(failure: Failure) -> Self {
        match failure {
            Failure::NotAppended(cause) => Self::NotAppended { cause },
            Failure::Unsettled(cause) => Self::Unsettled { cause },
        }
    }
}

/// The writer of a log; it holds the lock.
#[derive(Debug)]
pub(crate) struct Writer {
    disk: Arc<Disk>,
    key: SigningKey,
    wal: Wal,
    pruner: Pruner,
    state: State,
    /// What went wrong; nothing is written any more.
    broken: Option<String>,
    head: Arc<Head>,
    _lock: Lock,
}

impl Writer {
    /// Locks the folder, makes the log when there is none, and finishes what a crash interrupted.
    pub fn open(disk: Disk, origin: &str, key: SigningKey) -> Result<Self, LedgerError> {
        let lock = Lock::take(disk.dir())?;
        let Recovered { state, staged } = recovery::recover(&disk, origin, &key)?;
        let disk = Arc::new(disk);
        let mut writer = Self {
            wal: Wal::new(Arc::clone(&disk)),
            pruner: Pruner::new(Arc::clone(&disk)),
            key,
            broken: None,
            head: Arc::new(Head::new(state.snapshot())),
            state,
            disk,
            _lock: lock,
        };
        if !staged.is_empty() {
            writer.commit(&staged.into_iter().map(Leaf::from).collect::<Vec<_>>())?;
            writer.disk.remove_durably(Path::new(stage::PATH))?;
        }
        Ok(writer)
    }

    /// Where readers find what this writer published.
    pub fn head(&self) -> Arc<Head> {
        Arc::clone(&self.head)
    }

    /// Entries in the log.
    pub fn size(&self) -> u64 {
        self.state.head.size
    }

    /// Appends `entries`. On success all of them are durable and published. They are lent, so that their memory is
    /// given back when everybody has been answered.
    pub fn commit(&mut self, entries: &[Leaf<Vec<u8>>]) -> Result<Batch, Failure> {
        self.reclaim()?;
        let first = self.state.head.size;
        let (growth, head) = self.state.growth(entries);
        self.disk.has_room(growth.bytes()).map_err(|e| Failure::NotAppended(e.to_string()))?;
        let checkpoint: Arc<str> = head.sign(&self.key).into();
        let entries = entries.iter().map(Leaf::as_ref).collect();
        match self.wal.append(&self.state.head, &self.state.checkpoint, entries, head.root) {
            Ok(()) => {}
            Err(WalError::Refused(error)) => return Err(Failure::NotAppended(error.to_string())),
            Err(WalError::Uncertain(error)) => return Err(self.give_up(error.to_string())),
        }
        let placed = growth.resources.iter().try_for_each(|r| self.disk.place(&r.tile.path(), &r.bytes));
        placed
            .and_then(|()| self.disk.place(Path::new(CHECKPOINT), checkpoint.as_bytes()))
            .map_err(|error| self.give_up(error.to_string()))?;
        let batch =
            Batch { first, prover: growth.edge.clone().prover(), checkpoint: Arc::clone(&checkpoint) };
        self.state.adopt(growth, head, checkpoint);
        self.head.set(self.state.snapshot());
        self.pruner.prune(first, self.state.head.size, self.wal.bases());
        Ok(batch)
    }

    /// Notes which batches have become durable in their places.
    fn reclaim(&mut self) -> Result<(), Failure> {
        if let Some(cause) = &self.broken {
            let cause = format!(
                "an earlier write failed ({cause}), and only opening the ledger again (restart the platform) tells \
                 what it holds"
            );
            return Err(Failure::NotAppended(cause));
        }
        match self.wal.reclaim(false) {
            Ok(None) => {}
            Ok(Some(base)) => self.pruner.prune(base, self.state.head.size, self.wal.bases()),
            Err(error) => {
                let (Failure::NotAppended(cause) | Failure::Unsettled(cause)) =
                    self.give_up(error.to_string());
                return Err(Failure::NotAppended(cause));
            }
        }
        Ok(())
    }

    /// Writes nothing more.
    fn give_up(&mut self, cause: String) -> Failure {
        tracing::error!(dir = %self.disk.dir().display(), cause, "the ledger takes nothing until it is opened again");
        self.head.unsettle();
        self.broken = Some(cause.clone());
        Failure::Unsettled(cause)
    }

    /// Makes all that was published durable in its place, and empties the write-ahead log.
    pub fn close(&mut self) {
        if self.broken.is_some() {
            return;
        }
        match self.wal.close() {
            Ok(bases) => {
                for base in bases {
                    self.pruner.prune(base, self.state.head.size, Vec::new());
                }
            }
            Err(error) => {
                self.give_up(error.to_string());
            }
        }
        self.pruner.finish();
    }
}
