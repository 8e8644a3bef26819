//! The write-ahead log: batches become durable here, with one flush each, and reach their files behind it.
//!
//! Two files take turns. The one in use is filled in advance, so that a flush writes no metadata. A full one is
//! handed to a thread that makes all files of its batches durable and then blanks it; the writer goes on in the
//! other one, and waits when that is full too. So at most two segments are ever replayed.

use std::{
    fs::File,
    path::{Path, PathBuf},
    sync::Arc,
    thread::{self, JoinHandle},
};

use durable::DurableError;

use crate::{
    disk::{Disk, failed},
    frame::{BLOCK, Frame, Header},
    hash::Hash,
    note::Checkpoint,
};

/// The two segments, below the log's folder.
pub(crate) const NAMES: [&str; 2] = ["wal/0", "wal/1"];
/// The size at which a segment is full, in bytes. A frame that is larger has a segment of its own.
pub(crate) const SEGMENT_BYTES: u64 = 8 << 20;
/// How much of a new segment is filled in advance, in bytes; each time that it does not do, twice as much.
const FIRST_ROOM: u64 = 128 << 10;

/// Why a batch did not become durable.
#[derive(Debug)]
pub(crate) enum WalError {
    /// Nothing of it is in the log.
    Refused(DurableError),
    /// Whether it is in the log shows when that is read again; nothing may be written until then.
    Uncertain(DurableError),
}

/// One of the two files.
#[derive(Debug)]
struct Slot {
    path: PathBuf,
    file: File,
    /// Bytes that are filled in advance.
    room: u64,
}

impl Slot {
    /// Fills the file in advance for `bytes` bytes.
    fn make_room(&mut self, disk: &Disk, bytes: u64) -> Result<(), WalError> {
        if bytes <= self.room {
            return Ok(());
        }
        let target = bytes.max((2 * self.room).clamp(FIRST_ROOM, disk.segment_bytes.max(FIRST_ROOM)));
        let zeros = vec![0; usize::try_from(target - self.room).unwrap_or(BLOCK)];
        disk.write_at(&self.file, &self.path, self.room, &zeros).map_err(WalError::Refused)?;
        disk.sync(&self.file, &self.path).map_err(WalError::Uncertain)?;
        self.room = target;
        Ok(())
    }

    /// Makes what follows `at` unreadable as a frame or header.
    fn blank(&self, disk: &Disk, at: u64) -> Result<(), DurableError> {
        disk.write_at(&self.file, &self.path, at, &[0; BLOCK])?;
        disk.sync(&self.file, &self.path)
    }
}

/// The segment in use.
#[derive(Debug)]
struct Segment {
    slot: Slot,
    /// Entries in the log without it.
    base: u64,
    /// The sum of its header.
    sum: Hash,
    /// The header, which is written together with the first frame; empty afterwards.
    header: Vec<u8>,
    /// The sum of the last frame, or of the header.
    last: Hash,
    /// Where the next frame goes.
    end: u64,
}

/// A full segment, on its way to become empty.
#[derive(Debug)]
struct Full {
    base: u64,
    path: PathBuf,
    thread: JoinHandle<Result<Slot, DurableError>>,
}

/// The writer's side of the write-ahead log.
#[derive(Debug)]
pub(crate) struct Wal {
    disk: Arc<Disk>,
    current: Option<Segment>,
    full: Option<Full>,
    spare: Option<Slot>,
    /// The sum of the last frame written.
    last: Hash,
}

impl Wal {
    /// An empty one.
    pub fn new(disk: Arc<Disk>) -> Self {
        Self { disk, current: None, full: None, spare: None, last: [0; 32] }
    }

    /// Makes a batch durable that leads from `head`, whose signed note is `checkpoint`, to `root`.
    pub fn append<E: AsRef<[u8]>>(
        &mut self,
        head: &Checkpoint,
        checkpoint: &str,
        entries: Vec<E>,
        root: Hash,
    ) -> Result<(), WalError> {
        let (segment, before) = ([0; 32], [0; 32]);
        let mut frame = Frame { segment, before, base: head.size, base_root: head.root, root, entries };
        let length = frame.length() as u64;
        if self.current.as_ref().is_some_and(|s| s.end + length > self.disk.segment_bytes) {
            self.turn()?;
        }
        let mut segment = match self.current.take() {
            Some(segment) => segment,
            None => self.begin(head.size, checkpoint)?,
        };
        (frame.segment, frame.before) = (segment.sum, segment.last);
        let (bytes, sum) = frame.to_bytes();
        let written = segment.write(&self.disk, &bytes, sum);
        self.last = segment.last;
        self.current = Some(segment);
        written
    }

    /// Hands the full segment to a thread of its own, once the one before is done.
    fn turn(&mut self) -> Result<(), WalError> {
        self.reclaim(true).map_err(WalError::Uncertain)?;
        let Some(segment) = self.current.take() else { return Ok(()) };
        let (disk, placed) = (Arc::clone(&self.disk), self.disk.take_placed());
        let (base, path, slot) = (segment.base, segment.slot.path.clone(), segment.slot);
        let empty = move || {
            disk.flush(&placed)?;
            slot.blank(&disk, 0)?;
            Ok(slot)
        };
        let thread = thread::Builder::new().name("ledger-flush".to_owned()).spawn(empty);
        let thread = thread.map_err(|e| WalError::Uncertain(failed("start a thread to flush", &path, e)))?;
        self.full = Some(Full { base, path, thread });
        Ok(())
    }

    fn begin(&mut self, base: u64, checkpoint: &str) -> Result<Segment, WalError> {
        let slot = if let Some(slot) = self.spare.take() {
            slot
        } else {
            let taken = self.full.as_ref().map(|f| f.path.as_path());
            let free = NAMES.iter().map(Path::new).find(|name| Some(*name) != taken);
            let path = free.expect("there are two names, and one is taken").to_owned();
            let (file, _) = self.disk.file(&path).map_err(WalError::Refused)?;
            Slot { path, file, room: 0 }
        };
        let (header, sum) = Header { before: self.last, checkpoint: checkpoint.to_owned() }.to_bytes();
        let end = header.len() as u64;
        Ok(Segment { slot, base, sum, header, last: sum, end })
    }

    /// Takes back the full segment when it has become empty, or waits for that; answers its base.
    pub fn reclaim(&mut self, wait: bool) -> Result<Option<u64>, DurableError> {
        let Some(full) = self.full.take_if(|f| wait || f.thread.is_finished()) else { return Ok(None) };
        let died = || failed("flush", &full.path, std::io::Error::other("the thread that does it died"));
        self.spare = Some(full.thread.join().map_err(|_| died())??);
        Ok(Some(full.base))
    }

    /// The sizes from which a replay may have to start: partial files of these sizes must stay.
    pub fn bases(&self) -> Vec<u64> {
        let bases = [self.full.as_ref().map(|f| f.base), self.current.as_ref().map(|s| s.base)];
        bases.into_iter().flatten().collect()
    }

    /// Makes everything durable in its place, and removes the segments. Answers their bases.
    pub fn close(&mut self) -> Result<Vec<u64>, DurableError> {
        let bases = self.bases();
        self.reclaim(true)?;
        if let Some(segment) = self.current.take() {
            self.disk.flush(&self.disk.take_placed())?;
            self.disk.remove_durably(&segment.slot.path)?;
        }
        if let Some(slot) = self.spare.take() {
            self.disk.remove(&slot.path)?;
        }
        Ok(bases)
    }
}

impl Drop for Wal {
    fn drop(&mut self) {
        // Whoever opens the log next must not find a thread that still blanks a segment.
        if let Err(error) = self.reclaim(true) {
            tracing::error!(%error, "a segment of the write-ahead log stays until the ledger is opened again");
        }
    }
}

impl Segment {
    /// Writes a frame, with the header before the first, and makes it durable.
    fn write(&mut self, disk: &Disk, frame: &[u8], sum: Hash) -> Result<(), WalError> {
        let end = self.end + frame.len() as u64;
        self.slot.make_room(disk, end)?;
        let (file, path) = (&self.slot.file, &self.slot.path);
        let at = self.end - self.header.len() as u64;
        let written = if self.header.is_empty() {
            disk.write_at(file, path, at, frame)
        } else {
            disk.write_at(file, path, at, &[&self.header, frame].concat())
        };
        if let Err(error) = written {
            let blanked = self.slot.blank(disk, at);
            return Err(if blanked.is_ok() { WalError::Refused(error) } else { WalError::Uncertain(error) });
        }
        disk.sync(file, path).map_err(WalError::Uncertain)?;
        self.header.clear();
        (self.last, self.end) = (sum, end);
        Ok(())
    }
}
