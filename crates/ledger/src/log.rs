//! A log on disk: one writer, any number of readers.

use std::{
    fmt,
    path::{Path, PathBuf},
    sync::{Arc, Mutex, PoisonError},
    thread::{self, JoinHandle},
    time::{Duration, Instant},
};

use ed25519_dalek::SigningKey;
use tokio::sync::{OwnedSemaphorePermit, TryAcquireError, oneshot};

use crate::{
    appended::Appended,
    disk::Disk,
    error::LedgerError,
    folder,
    hash::Leaf,
    head::{Head, Snapshot},
    note::{self, Checkpoint},
    queue::{self, ADMISSION_WAIT, MAX_BATCH_BYTES, MAX_BATCH_ENTRIES, Queue, Request},
    reader::Reader,
    tile::MAX_ENTRY_BYTES,
    tree,
    writer::Writer,
};

/// An append-only ledger. Clones are the same log; it closes when the last of them is dropped.
#[derive(Clone)]
pub struct Log(Arc<Shared>);

struct Shared {
    dir: PathBuf,
    origin: String,
    vkey: String,
    queue: Arc<Queue>,
    head: Arc<Head>,
    thread: Mutex<Option<JoinHandle<()>>>,
}

impl Drop for Shared {
    fn drop(&mut self) {
        self.close();
    }
}

impl Shared {
    fn close(&self) {
        self.queue.close();
        let thread = self.thread.lock().unwrap_or_else(PoisonError::into_inner).take();
        if thread.is_some_and(|t| t.join().is_err()) {
            tracing::error!(dir = %self.dir.display(), "the ledger's writer died; open the ledger again");
        }
    }
}

impl fmt::Debug for Log {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Log({}, {} entries)", self.0.origin, self.size())
    }
}

/// Closes the queue however the writer's thread ends, so that nobody waits for an answer that never comes.
struct CloseAtEnd(Arc<Queue>);

impl Drop for CloseAtEnd {
    fn drop(&mut self) {
        self.0.close();
        self.0.clear();
    }
}

/// How long a batch may wait for callers that were just answered, at most.
const MAX_PATIENCE: Duration = Duration::from_millis(2);

fn run(mut writer: Writer, queue: Arc<Queue>) {
    let queue = CloseAtEnd(queue);
    let (mut expected, mut patience) = (1, Duration::ZERO);
    while let Some(batch) = queue.0.take(writer.size(), expected, patience) {
        let began = Instant::now();
        let mut entries = Vec::with_capacity(batch.len());
        let mut waiters = Vec::with_capacity(batch.len());
        let mut room: Option<OwnedSemaphorePermit> = None;
        for request in batch {
            waiters.push((request.entries.len() as u64, request.answer));
            entries.extend(request.entries);
            match &mut room {
                Some(room) => room.merge(request.room),
                None => room = Some(request.room),
            }
        }
        drop(room);
        let committed = writer.commit(&entries).map(Arc::new);
        patience = (began.elapsed() / 2).min(MAX_PATIENCE);
        expected = queue.0.waiting() + waiters.len();
        let mut next = committed.as_ref().map_or(0, |batch| batch.first);
        for (count, answer) in waiters {
            let mine = next..next + count;
            next = mine.end;
            let mine = match &committed {
                Ok(batch) => Ok((Arc::clone(batch), mine)),
                Err(failure) => Err(failure.clone().into()),
            };
            // Whoever no longer waits does not need the answer.
            let _ = answer.send(mine);
        }
    }
    writer.close();
}

impl Log {
    /// Opens the log in `dir` for writing, making it when there is none. `origin` is its name for ever, such as
    /// `echo.local/genesis/1a2b3c4d`. A batch that a crash interrupted is finished first.
    pub fn open(dir: &Path, origin: &str, key: SigningKey) -> Result<Self, LedgerError> {
        if !note::is_name(origin) {
            return Err(LedgerError::Origin { origin: origin.to_owned() });
        }
        Self::open_on(Disk::open(dir)?, origin, key)
    }

    pub(crate) fn open_on(disk: Disk, origin: &str, key: SigningKey) -> Result<Self, LedgerError> {
        let vkey = note::vkey_of(origin, &key.verifying_key());
        let dir = disk.dir().to_owned();
        let writer = Writer::open(disk, origin, key)?;
        let (head, queue) = (writer.head(), Arc::new(Queue::new()));
        let theirs = Arc::clone(&queue);
        let thread = thread::Builder::new()
            .name("ledger-writer".to_owned())
            .spawn(move || run(writer, theirs))
            .map_err(|source| LedgerError::Thread { dir: dir.clone(), source })?;
        Ok(Self(Arc::new(Shared {
            dir,
            origin: origin.to_owned(),
            vkey,
            queue,
            head,
            thread: Mutex::new(Some(thread)),
        })))
    }

    /// Appends `entries` side by side and answers their numbers and proofs once they are durable and under a
    /// published checkpoint; all of them or none. Appends that wait together share one batch. When the queue has no room,
    /// this waits up to [`ADMISSION_WAIT`]. Needs a Tokio runtime with time. Dropping the future does not take
    /// back what was already queued.
    pub async fn append(&self, entries: Vec<Vec<u8>>) -> Result<Vec<Appended>, LedgerError> {
        if entries.is_empty() {
            return Ok(Vec::new());
        }
        check(&entries)?;
        let room = self.room(queue::cost(&entries)).await?;
        let entries = entries.into_iter().map(Leaf::from).collect();
        let (answer, answered) = oneshot::channel();
        if !self.0.queue.put(Request { entries, answer, room }) {
            return Err(self.closed());
        }
        let (batch, numbers) = answered.await.unwrap_or_else(|_| Err(self.closed()))?;
        Ok(batch.appended(numbers))
    }

    /// Room in the queue, mostly at once.
    async fn room(&self, cost: u32) -> Result<OwnedSemaphorePermit, LedgerError> {
        let room = || Arc::clone(&self.0.queue.room);
        match room().try_acquire_many_owned(cost) {
            Err(TryAcquireError::NoPermits) => {}
            found => return found.map_err(|_| self.closed()),
        }
        let room = tokio::time::timeout(ADMISSION_WAIT, room().acquire_many_owned(cost)).await;
        room.map_err(|_| LedgerError::Busy)?.map_err(|_| self.closed())
    }

    fn closed(&self) -> LedgerError {
        LedgerError::Closed { dir: self.0.dir.clone() }
    }

    /// Entries under the latest checkpoint.
    pub fn size(&self) -> u64 {
        self.head().size
    }

    /// The latest checkpoint, a signed note.
    pub fn checkpoint(&self) -> String {
        self.0.head.get().checkpoint.to_string()
    }

    /// What the latest checkpoint says, and the signed note itself.
    pub fn signed_head(&self) -> (Checkpoint, String) {
        let Snapshot { head, checkpoint, .. } = self.0.head.get();
        (head, checkpoint.to_string())
    }

    /// What the latest checkpoint says.
    pub fn head(&self) -> Checkpoint {
        self.0.head.get().head
    }

    /// The root that the log had at `size` entries, derived from the signed root of today.
    pub fn root_at(&self, size: u64) -> Result<[u8; 32], LedgerError> {
        let Snapshot { edge, head, .. } = self.0.head.get();
        if size > head.size {
            return Err(LedgerError::NoSuchSize { from: size, to: size, size: head.size });
        }
        Reader::new(&self.0.dir, &edge).root_at(size)
    }

    /// False after a failure that only opening the log anew can heal: nothing more is appended until then, and
    /// what was appended last may or may not be in it.
    pub fn settled(&self) -> bool {
        self.0.head.settled()
    }

    /// Entry number `index`, checked against the signed root.
    pub fn entry(&self, index: u64) -> Result<Vec<u8>, LedgerError> {
        let Snapshot { edge, head, .. } = self.0.head.get();
        let missing = LedgerError::NoSuchEntry { index, size: head.size };
        if index >= head.size {
            return Err(missing);
        }
        let found = Reader::new(&self.0.dir, &edge).entries(index, index + 1)?;
        found.into_iter().next().ok_or(missing)
    }

    /// Entries from number `from` on, checked against the signed root: up to `max` of them, and never more than
    /// [`crate::MAX_READ_ENTRIES`] or [`crate::MAX_READ_BYTES`] at once. None beyond the end.
    pub fn entries(&self, from: u64, max: usize) -> Result<Vec<Vec<u8>>, LedgerError> {
        let edge = self.0.head.get().edge;
        Reader::new(&self.0.dir, &edge).page(from, max)
    }

    /// The inclusion proof of entry `index` under the latest checkpoint, as C2SP tlog-proof text.
    pub fn tlog_proof(&self, index: u64) -> Result<String, LedgerError> {
        let Snapshot { edge, head, checkpoint } = self.0.head.get();
        folder::inclusion(&Reader::new(&self.0.dir, &edge), index, head.size, &checkpoint)
    }

    /// The proof that the log of `from` entries is the beginning of the log of `to` (RFC 6962, section 2.1.2), for
    /// [`crate::verify_consistency`]. Empty when `from` is 0 or equals `to`.
    pub fn consistency(&self, from: u64, to: u64) -> Result<Vec<[u8; 32]>, LedgerError> {
        let Snapshot { edge, head, .. } = self.0.head.get();
        let size = head.size;
        if from > to || to > size {
            return Err(LedgerError::NoSuchSize { from, to, size });
        }
        tree::consistency(&Reader::new(&self.0.dir, &edge), from, to)
    }

    /// The verifier key, as in `log.vkey`: `name+hash+base64`.
    pub fn vkey(&self) -> &str {
        &self.0.vkey
    }

    /// The folder.
    pub fn dir(&self) -> &Path {
        &self.0.dir
    }

    /// The name.
    pub fn origin(&self) -> &str {
        &self.0.origin
    }

    /// Finishes what was queued, makes every file durable in its place, stops the writer and releases the lock.
    /// Reading goes on. Blocks until done.
    pub fn close(&self) {
        self.0.close();
    }
}

fn check(entries: &[Vec<u8>]) -> Result<(), LedgerError> {
    if let Some(entry) = entries.iter().find(|e| e.len() > MAX_ENTRY_BYTES) {
        return Err(LedgerError::EntryTooLong { bytes: entry.len() });
    }
    let bytes = entries.iter().map(Vec::len).sum();
    if entries.len() > MAX_BATCH_ENTRIES || bytes > MAX_BATCH_BYTES {
        return Err(LedgerError::BatchTooLarge { entries: entries.len(), bytes });
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_full_queue_pushes_back_and_the_log_stays_usable() {
        let home = tempfile::tempdir().unwrap();
        let log = Log::open(home.path(), "echo.local/test/1", SigningKey::from_bytes(&[1; 32])).unwrap();
        let all = u32::try_from(queue::QUEUE_BYTES).unwrap();
        let full = Arc::clone(&log.0.queue.room).try_acquire_many_owned(all).unwrap();
        assert!(matches!(log.append(vec![vec![1]]).await, Err(LedgerError::Busy)));
        drop(full);
        assert_eq!(log.append(vec![vec![1]]).await.unwrap()[0].index, 0);
    }
}
