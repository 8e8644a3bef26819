//! The bounded queue between those who append and the one thread that writes.

use std::{
    collections::VecDeque,
    ops::Range,
    sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

use tokio::sync::{OwnedSemaphorePermit, Semaphore, oneshot};

use crate::{appended::Batch, error::LedgerError, hash::Leaf, tile::WIDTH};

/// The most entries in one append, and in one batch.
pub const MAX_BATCH_ENTRIES: usize = 1024;
/// The most bytes of entries in one append, and in one batch.
pub const MAX_BATCH_BYTES: usize = 4 << 20;
/// What may wait in memory, in bytes of entries (each counts 64 more for its keeping).
pub const QUEUE_BYTES: usize = 16 << 20;
/// How long an append waits for room in the queue before it is told that the ledger is busy.
pub const ADMISSION_WAIT: Duration = Duration::from_millis(if cfg!(test) { 50 } else { 10_000 });
/// What an entry costs in memory besides its bytes.
const ENTRY_OVERHEAD: usize = 64;

/// The batch that holds the entries, and their numbers.
pub(crate) type Answer = Result<(Arc<Batch>, Range<u64>), LedgerError>;

/// One append that waits.
pub(crate) struct Request {
    pub entries: Vec<Leaf<Vec<u8>>>,
    pub answer: oneshot::Sender<Answer>,
    /// Its room in the queue; given back when the writer takes the request.
    pub room: OwnedSemaphorePermit,
}

impl Request {
    fn bytes(&self) -> usize {
        self.entries.iter().map(|leaf| leaf.entry.len()).sum()
    }
}

/// What `entries` take of the queue's room.
pub(crate) fn cost(entries: &[Vec<u8>]) -> u32 {
    let cost = entries.iter().map(|e| e.len() + ENTRY_OVERHEAD).sum::<usize>();
    u32::try_from(cost.min(QUEUE_BYTES)).expect("the queue's room is counted in 32 bits")
}

#[derive(Default)]
struct Waiting {
    requests: VecDeque<Request>,
    /// At so many requests the writer is woken; none when it does not wait.
    wanted: usize,
    closed: bool,
}

impl Waiting {
    /// How many requests make the next batch of a log of `size` entries: what fits. With enough for whole tiles, it
    /// ends where a tile ends, for then it leaves no partial ones, which are most of its files.
    fn batch(&self, size: u64) -> usize {
        let (mut all, mut whole, mut entries, mut bytes) = (0, 0, 0, 0);
        for request in &self.requests {
            entries += request.entries.len();
            bytes += request.bytes();
            if all > 0 && (entries > MAX_BATCH_ENTRIES || bytes > MAX_BATCH_BYTES) {
                break;
            }
            all += 1;
            if (size + entries as u64).is_multiple_of(WIDTH) {
                whole = all;
            }
        }
        if whole > 0 && entries as u64 >= WIDTH { whole } else { all }
    }
}

/// The queue.
pub(crate) struct Queue {
    waiting: Mutex<Waiting>,
    wake: Condvar,
    pub room: Arc<Semaphore>,
}

impl Queue {
    pub fn new() -> Self {
        Self { waiting: Mutex::default(), wake: Condvar::new(), room: Arc::new(Semaphore::new(QUEUE_BYTES)) }
    }

    fn lock(&self) -> MutexGuard<'_, Waiting> {
        // Nothing panics while it holds the lock half-way through a change.
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Puts a request at the end; answers whether the queue is still open.
    pub fn put(&self, request: Request) -> bool {
        let mut waiting = self.lock();
        if waiting.closed {
            return false;
        }
        waiting.requests.push_back(request);
        let enough = waiting.requests.len() == waiting.wanted;
        drop(waiting);
        if enough {
            self.wake.notify_one();
        }
        true
    }

    /// How many requests wait.
    pub fn waiting(&self) -> usize {
        self.lock().requests.len()
    }

    /// The next batch of a log of `size` entries. Blocks; nothing when the queue is closed and drained. For
    /// up to `patience` it waits until `expected` requests are there: callers that were just answered mostly come
    /// again at once, and one flush for all of them is worth more than two for half of them each.
    pub fn take(&self, size: u64, expected: usize, patience: Duration) -> Option<Vec<Request>> {
        let began = Instant::now();
        let mut waiting = self.lock();
        loop {
            let left = patience.saturating_sub(began.elapsed());
            waiting.wanted = if left.is_zero() { 1 } else { expected.clamp(1, MAX_BATCH_ENTRIES) };
            if waiting.closed || waiting.requests.len() >= waiting.wanted {
                break;
            }
            waiting = if left.is_zero() || waiting.wanted == 1 {
                self.wake.wait(waiting).unwrap_or_else(PoisonError::into_inner)
            } else {
                self.wake.wait_timeout(waiting, left).unwrap_or_else(PoisonError::into_inner).0
            };
        }
        waiting.wanted = 0;
        let count = waiting.batch(size);
        (count > 0).then(|| waiting.requests.drain(..count).collect())
    }

    /// Refuses new requests; those that wait are still taken.
    pub fn close(&self) {
        self.lock().closed = true;
        self.room.close();
        self.wake.notify_all();
    }

    /// Drops what waits; whoever waits for an answer is told that the log is closed.
    pub fn clear(&self) {
        self.lock().requests.clear();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn put(queue: &Queue, entries: usize, bytes: usize) -> bool {
        let entries = vec![vec![0; bytes]; entries];
        let room = Arc::clone(&queue.room).try_acquire_many_owned(cost(&entries)).unwrap();
        let entries = entries.into_iter().map(Leaf::from).collect();
        queue.put(Request { entries, answer: oneshot::channel().0, room })
    }

    fn taken(queue: &Queue) -> Vec<usize> {
        queue.take(0, 1, Duration::ZERO).unwrap().iter().map(|r| r.entries.len()).collect()
    }

    #[test]
    fn a_batch_takes_what_waits_up_to_its_bounds_and_splits_no_append() {
        let queue = Queue::new();
        for entries in [1000, 24, 1, 1024] {
            assert!(put(&queue, entries, 1));
        }
        assert!(put(&queue, 3, MAX_BATCH_BYTES / 4) && put(&queue, 2, MAX_BATCH_BYTES / 4));
        let batches: Vec<_> = (0..5).map(|_| taken(&queue)).collect();
        assert_eq!(batches, [vec![1000, 24], vec![1], vec![1024], vec![3], vec![2]]);
        assert_eq!(queue.room.available_permits(), QUEUE_BYTES);
    }

    #[test]
    fn a_closed_queue_is_drained_and_takes_nothing_new() {
        let queue = Queue::new();
        let room = Arc::clone(&queue.room).try_acquire_many_owned(1).unwrap();
        assert!(put(&queue, 2, 1));
        queue.close();
        let late = Request { entries: Vec::new(), answer: oneshot::channel().0, room };
        assert!(!queue.put(late));
        assert_eq!(taken(&queue), [2]);
        assert!(queue.take(0, 1, Duration::ZERO).is_none());
    }

    #[test]
    fn a_batch_ends_with_a_tile_when_there_is_enough_for_one() {
        let queue = Queue::new();
        let take = |size, waiting| {
            for _ in 0..waiting {
                assert!(put(&queue, 1, 1));
            }
            queue.take(size, 1, Duration::ZERO).unwrap().len()
        };
        assert_eq!(take(200, 255), 255);
        assert_eq!(take(199, 256), 57);
        assert_eq!(take(256, 400), 512, "199 were left");
        assert_eq!(take(768, 0), 87);
    }

    #[test]
    fn a_batch_waits_for_those_who_are_expected_but_not_for_long() {
        let queue = Arc::new(Queue::new());
        assert!(put(&queue, 1, 1));
        assert_eq!(queue.take(0, 2, Duration::from_millis(1)).unwrap().len(), 1);
        let theirs = Arc::clone(&queue);
        let patient = std::thread::spawn(move || theirs.take(0, 3, Duration::from_mins(10)).unwrap().len());
        for _ in 0..3 {
            assert!(put(&queue, 1, 1));
        }
        assert_eq!(patient.join().unwrap(), 3);
        let theirs = Arc::clone(&queue);
        let patient = std::thread::spawn(move || theirs.take(0, 3, Duration::from_mins(10)).is_none());
        queue.close();
        assert!(patient.join().unwrap());
    }
}
