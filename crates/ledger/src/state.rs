//! The log as its writer has it in memory.

use std::{path::Path, sync::Arc};

use ed25519_dalek::SigningKey;

use crate::{
    edge::Edge,
    error::{LedgerError, RESTORE_FOLDER},
    fsck,
    growth::Growth,
    hash::{Leaf, empty_root, leaf_hash},
    head::Snapshot,
    note::Checkpoint,
    reader,
    tile::{self, Kind, Tile, WIDTH},
};

/// The log as its writer has it in memory.
#[derive(Debug, Clone)]
pub(crate) struct State {
    /// The trimmed right edge of the tree.
    pub edge: Arc<Edge>,
    /// The bytes of the last, partial bundle.
    pub bundle: Vec<u8>,
    pub head: Checkpoint,
    /// The signed note of the head.
    pub checkpoint: Arc<str>,
}

impl State {
    /// The log without entries.
    pub fn empty(origin: &str, key: &SigningKey) -> Self {
        let head = Checkpoint { origin: origin.to_owned(), size: 0, root: empty_root() };
        let checkpoint = head.sign(key).into();
        Self { edge: Arc::default(), bundle: Vec::new(), head, checkpoint }
    }

    /// Reads the right edge of the log as it was at `head`, which stands in the file `whence` below `dir`, and checks
    /// it against the head.
    pub fn load(dir: &Path, head: Checkpoint, checkpoint: &str, whence: &Path) -> Result<Self, LedgerError> {
        let edge = Edge::load(head.size, |tile| reader::hashes(dir, tile))?;
        if edge.root() != head.root {
            // Slow, but it names the file.
            fsck::check(dir, &head, &dir.join(whence))?;
            let what = "it does not belong to the tiles";
            return Err(LedgerError::damaged(dir.join(whence), what, RESTORE_FOLDER));
        }
        let (index, width) = (head.size / WIDTH, head.size % WIDTH);
        let bundle = if width == 0 { Vec::new() } else { reader::bundle(dir, index, width)? };
        let entries = tile::bundle_from_bytes(&bundle).unwrap_or_default();
        if !entries.iter().map(|e| leaf_hash(e)).eq(edge.level(0).iter().copied()) {
            let name = Tile { kind: Kind::Entries, index, width };
            return Err(reader::wrong(dir, name, "its entries are not the ones that were entered"));
        }
        Ok(Self { edge: Arc::new(edge), bundle, head, checkpoint: checkpoint.into() })
    }

    /// What a batch makes of the log, before anybody sees it, and the head of that.
    pub fn growth<E: AsRef<[u8]>>(&self, entries: &[Leaf<E>]) -> (Growth, Checkpoint) {
        let growth = Growth::of(&self.edge, &self.bundle, entries);
        let (origin, size, root) = (self.head.origin.clone(), growth.edge.size(), growth.edge.root());
        (growth, Checkpoint { origin, size, root })
    }

    /// Makes a batch part of the log.
    pub fn adopt(&mut self, growth: Growth, head: Checkpoint, checkpoint: Arc<str>) {
        let mut edge = growth.edge;
        edge.trim();
        *self = Self { edge: Arc::new(edge), bundle: growth.bundle, head, checkpoint };
    }

    /// What readers are to see of it.
    pub fn snapshot(&self) -> Snapshot {
        Snapshot {
            edge: Arc::clone(&self.edge),
            head: self.head.clone(),
            checkpoint: Arc::clone(&self.checkpoint),
        }
    }
}
