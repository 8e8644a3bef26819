//! The one writer of a log.
//!
//! Order of a batch, each step durable before the next: (1) the stage, (2) tiles and bundles, (3) the checkpoint,
//! (4) drop partial tiles that became full, and the stage. So a published checkpoint never outruns its tiles. A
//! crash leaves one of two pictures: no stage, or a stage from which the same bytes are written again, for tiles
//! and Ed25519 signatures are both deterministic. Without a stage, no file lies beyond the checkpoint.
//!
//! When a step fails while running, files and stage are taken back and the waiters hear that nothing was appended.
//! When even that fails, the stage stays and is finished before the next batch, or at the next start.

use std::{
    fs,
    path::{Path, PathBuf},
    sync::{Arc, PoisonError, RwLock},
};

use durable::{DurableError, Mode};
use ed25519_dalek::SigningKey;

use crate::{
    disk::{Disk, Lock},
    edge::{Edge, Growth},
    error::{LedgerError, RESTORE_FOLDER},
    fsck,
    hash::leaf_hash,
    note::{self, Checkpoint, MAX_NOTE_BYTES},
    reader,
    stage::{self, Stage},
    tile::{self, Kind, Tile, WIDTH},
};

/// The log as the latest checkpoint has it.
#[derive(Debug, Default)]
pub(crate) struct Snapshot {
    pub edge: Edge,
    pub checkpoint: String,
}

/// Where readers find the latest snapshot.
#[derive(Debug, Default)]
pub(crate) struct Head(RwLock<Arc<Snapshot>>);

impl Head {
    /// The latest snapshot.
    pub fn get(&self) -> Arc<Snapshot> {
        Arc::clone(&self.0.read().unwrap_or_else(PoisonError::into_inner))
    }

    fn set(&self, snapshot: Snapshot) {
        *self.0.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(snapshot);
    }
}

/// Why a batch failed; every waiter gets a copy.
#[derive(Debug, Clone)]
pub(crate) enum Failure {
    /// Nothing of it stays.
    NotAppended(String),
    /// It is staged.
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
    disk: Disk,
    origin: String,
    key: SigningKey,
    edge: Edge,
    /// The entries of the last, partial bundle.
    bundle: Vec<Vec<u8>>,
    checkpoint: String,
    /// The disk may hold a stage that is to be finished before anything else.
    unsettled: bool,
    head: Arc<Head>,
    _lock: Lock,
}

impl Writer {
    /// Locks the folder, makes the log when there is none, and finishes what a crash interrupted.
    pub fn open(disk: Disk, origin: &str, key: SigningKey) -> Result<Self, LedgerError> {
        durable::create_folder(disk.dir())?;
        let lock = disk.lock()?;
        let vkey = note::vkey_of(origin, &key.verifying_key());
        match disk.read(Path::new("log.vkey"), 1024)? {
            None => disk.put(Path::new("log.vkey"), format!("{vkey}\n").as_bytes(), Mode::Public)?,
            Some(found) if found.trim_ascii() == vkey.as_bytes() => {}
            Some(found) => {
                let found = String::from_utf8_lossy(&found).trim().to_owned();
                return Err(LedgerError::WrongKey { dir: disk.dir().to_owned(), found, expected: vkey });
            }
        }
        let mut writer = Self {
            disk,
            origin: origin.to_owned(),
            key,
            edge: Edge::default(),
            bundle: Vec::new(),
            checkpoint: String::new(),
            unsettled: false,
            head: Arc::default(),
            _lock: lock,
        };
        writer.recover()?;
        Ok(writer)
    }

    /// Where readers find what this writer published.
    pub fn head(&self) -> Arc<Head> {
        Arc::clone(&self.head)
    }

    /// Appends `entries`; answers the number of the first. On success all of them are durable and published.
    pub fn commit(&mut self, entries: Vec<Vec<u8>>) -> Result<u64, Failure> {
        if self.unsettled {
            self.recover().map_err(|e| Failure::NotAppended(e.to_string()))?;
        }
        let first = self.edge.size();
        let growth = Growth::of(&self.edge, &self.bundle, &entries);
        let stage = Stage { base: first, root: self.edge.root(), entries };
        let note = self.sign(&growth.edge);
        let written = self
            .disk
            .put(Path::new(stage::PATH), &stage.to_bytes(), Mode::Private)
            .and_then(|()| self.publish(&growth, &note));
        match written {
            Ok(()) => {
                self.adopt(growth, note);
                self.tidy(first);
            }
            Err(error) => self.undo(growth, note, &error)?,
        }
        Ok(first)
    }

    fn sign(&self, edge: &Edge) -> String {
        let head = Checkpoint { origin: self.origin.clone(), size: edge.size(), root: edge.root() };
        head.sign(&self.key)
    }

    /// Writes the files of a staged batch, the checkpoint last.
    fn publish(&self, growth: &Growth, note: &str) -> Result<(), DurableError> {
        for resource in &growth.resources {
            self.disk.put(&resource.tile.path(), &resource.bytes, Mode::Public)?;
        }
        self.disk.put(Path::new("checkpoint"), note.as_bytes(), Mode::Public)
    }

    /// Makes a published batch the state of this writer and of all readers.
    fn adopt(&mut self, growth: Growth, note: String) {
        self.edge = growth.edge;
        self.bundle = growth.bundle;
        self.checkpoint = note;
        self.show();
    }

    fn show(&self) {
        self.head.set(Snapshot { edge: self.edge.clone(), checkpoint: self.checkpoint.clone() });
    }

    /// Drops what a published batch left: the partial forms of tiles that became full, and the stage. All of it is
    /// harmless when it stays or comes back.
    fn tidy(&self, base: u64) {
        let partials = tile::completed(base, self.edge.size());
        for path in partials.iter().map(Tile::partials) {
            if let Err(error) = self.disk.remove_partials(&path) {
                tracing::warn!(%error, "a partial tile stays beside its full one");
            }
        }
        if let Err(error) = self.disk.remove_lazily(Path::new(stage::PATH)) {
            tracing::warn!(%error, "the stage of a published batch stays");
        }
    }

    /// Decides what becomes of a batch that failed.
    fn undo(&mut self, growth: Growth, note: String, error: &DurableError) -> Result<(), Failure> {
        let cause = error.to_string();
        match self.disk.read(Path::new("checkpoint"), MAX_NOTE_BYTES as u64) {
            // Readers may have seen it: there is no way back. Its stage makes it durable until the folder is.
            Ok(Some(found)) if found == note.as_bytes() => {
                self.unsettled = true;
                self.adopt(growth, note);
                Ok(())
            }
            Ok(Some(found)) if found == self.checkpoint.as_bytes() && self.take_back(&growth).is_ok() => {
                Err(Failure::NotAppended(cause))
            }
            _ => {
                self.unsettled = true;
                Err(Failure::Unsettled(cause))
            }
        }
    }

    /// Removes the files of an unpublished batch, its stage last: all of them are new with it.
    fn take_back(&self, growth: &Growth) -> Result<(), DurableError> {
        for resource in &growth.resources {
            self.disk.remove(&resource.tile.path())?;
        }
        self.disk.remove(Path::new(stage::PATH))
    }

    /// Reads the state from the disk and finishes a staged batch.
    fn recover(&mut self) -> Result<(), LedgerError> {
        self.load()?;
        let staged = self.disk.read(Path::new(stage::PATH), stage::MAX_STAGE_BYTES)?;
        let Some(bytes) = staged else {
            self.refuse_what_lies_beyond()?;
            return self.settled();
        };
        let path = self.disk.dir().join(stage::PATH);
        let stage = Stage::from_bytes(&bytes).ok_or_else(|| {
            let recover = "no entry in it was acknowledged: move it aside and open the ledger again";
            LedgerError::damaged(path.clone(), "the staged batch is not whole", recover)
        })?;
        let base = stage.base;
        if base == self.edge.size() && stage.root == self.edge.root() {
            let growth = Growth::of(&self.edge, &self.bundle, &stage.entries);
            let note = self.sign(&growth.edge);
            self.publish(&growth, &note)?;
            self.adopt(growth, note);
        } else if base.saturating_add(stage.entries.len() as u64) > self.edge.size() {
            return Err(LedgerError::damaged(
                path,
                format!(
                    "the staged batch continues {base} entries, but the checkpoint has {}",
                    self.edge.size()
                ),
                RESTORE_FOLDER,
            ));
        }
        self.disk.sync()?;
        self.tidy(base);
        self.settled()
    }

    #[expect(clippy::unnecessary_wraps, reason = "the end of `recover`, which can fail")]
    fn settled(&mut self) -> Result<(), LedgerError> {
        self.unsettled = false;
        self.show();
        Ok(())
    }

    /// Reads the checkpoint and the right edge, and checks them against one another.
    fn load(&mut self) -> Result<(), LedgerError> {
        let path = self.disk.dir().join("checkpoint");
        let Some(bytes) = self.disk.read(Path::new("checkpoint"), MAX_NOTE_BYTES as u64)? else {
            return self.begin(path);
        };
        let broken = |what: String| LedgerError::damaged(path.clone(), what, RESTORE_FOLDER);
        let text = String::from_utf8(bytes).map_err(|_| broken("it is not text".to_owned()))?;
        let vkey = note::vkey_of(&self.origin, &self.key.verifying_key());
        let head = note::verify_checkpoint(&text, &vkey).map_err(|e| broken(e.to_string()))?;
        let dir = self.disk.dir();
        let edge = Edge::load(head.size, |tile| reader::hashes(dir, tile))?;
        if edge.root() != head.root {
            // Slow, but it names the file.
            fsck::fsck(dir, &vkey)?;
            return Err(broken("it does not belong to the tiles".to_owned()));
        }
        let (index, width) = (head.size / WIDTH, head.size % WIDTH);
        let bundle = if width == 0 { Vec::new() } else { reader::bundle(dir, index, width)? };
        if !bundle.iter().map(|e| leaf_hash(e)).eq(edge.level(0).iter().copied()) {
            let name = Tile { kind: Kind::Entries, index, width };
            return Err(reader::wrong(dir, name, "its entries are not the ones that were entered"));
        }
        self.edge = edge;
        self.bundle = bundle;
        self.checkpoint = text;
        Ok(())
    }

    /// Signs the first, empty checkpoint; not over the remains of a log that had another.
    fn begin(&mut self, path: PathBuf) -> Result<(), LedgerError> {
        if [stage::PATH, "tile"].iter().any(|p| self.disk.dir().join(p).exists()) {
            return Err(LedgerError::damaged(
                path,
                "it is missing, but the ledger has entries",
                RESTORE_FOLDER,
            ));
        }
        self.checkpoint = self.sign(&self.edge);
        self.disk.put(Path::new("checkpoint"), self.checkpoint.as_bytes(), Mode::Public)?;
        Ok(())
    }

    /// Refuses to go on from an old checkpoint over newer entries: that would sign a second history. Every longer
    /// form of the log has a longer bundle where the checkpoint's last one is.
    fn refuse_what_lies_beyond(&self) -> Result<(), LedgerError> {
        let (index, width) = (self.edge.size() / WIDTH, self.edge.size() % WIDTH);
        let name = Tile { kind: Kind::Entries, index, width: WIDTH };
        let dir = self.disk.dir();
        let mut beyond = Some(dir.join(name.path())).filter(|p| p.exists());
        if let Ok(partials) = fs::read_dir(dir.join(name.partials())) {
            let wider = |name: &str| note::decimal(name).is_some_and(|w| w > width);
            let mut files = partials.flatten().filter(|f| f.file_name().to_str().is_some_and(wider));
            beyond = beyond.or_else(|| files.next().map(|f| f.path()));
        }
        beyond.map_or(Ok(()), |path| {
            let what = format!(
                "it holds entries beyond the {} of the checkpoint: an old checkpoint was put back, and going on \
                 from it would sign a second history",
                self.edge.size()
            );
            Err(LedgerError::damaged(path, what, RESTORE_FOLDER))
        })
    }
}
