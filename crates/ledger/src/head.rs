//! Where readers find the latest state of a log.

use std::sync::{
    Arc, PoisonError, RwLock,
    atomic::{AtomicBool, Ordering::SeqCst},
};

use crate::{edge::Edge, note::Checkpoint};

/// The log as the latest checkpoint has it.
#[derive(Debug, Clone)]
pub(crate) struct Snapshot {
    /// The trimmed right edge of the tree.
    pub edge: Arc<Edge>,
    pub head: Checkpoint,
    /// The signed note of the head.
    pub checkpoint: Arc<str>,
}

/// Where readers find the latest snapshot.
#[derive(Debug)]
pub(crate) struct Head {
    snapshot: RwLock<Snapshot>,
    settled: AtomicBool,
}

impl Head {
    pub fn new(snapshot: Snapshot) -> Self {
        Self { snapshot: RwLock::new(snapshot), settled: AtomicBool::new(true) }
    }

    /// The latest snapshot.
    pub fn get(&self) -> Snapshot {
        self.snapshot.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    pub fn set(&self, snapshot: Snapshot) {
        *self.snapshot.write().unwrap_or_else(PoisonError::into_inner) = snapshot;
    }

    /// Whether all that is durable is also published, and more may be written.
    pub fn settled(&self) -> bool {
        self.settled.load(SeqCst)
    }

    /// Notes that only opening the log anew tells what it holds.
    pub fn unsettle(&self) {
        self.settled.store(false, SeqCst);
    }
}
