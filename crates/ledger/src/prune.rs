//! Drops partial tiles and bundles whose full form is there (C2SP tlog-tiles, "Partial Tiles").

use std::{
    sync::{
        Arc,
        mpsc::{SyncSender, sync_channel},
    },
    thread::{self, JoinHandle},
};

use crate::{
    disk::Disk,
    tile::{self, WIDTH},
};

/// How many batches may wait to be pruned.
const WAITING: usize = 64;

/// Drops what was partial at `from` entries and is full at `to`, but for the forms at the sizes `keep`: a replay of
/// the write-ahead log starts from those. All of it is harmless when it stays or comes back.
pub(crate) fn prune(disk: &Disk, from: u64, to: u64, keep: &[u64]) {
    for tile in tile::completed(from, to) {
        let counts = keep.iter().map(|size| tile::count(*size, tile.level()));
        let keep: Vec<String> = counts
            .filter(|c| c / WIDTH == tile.index && c % WIDTH > 0)
            .map(|c| (c % WIDTH).to_string())
            .collect();
        if let Err(error) = disk.clear(&tile.partials(), &keep) {
            tracing::warn!(%error, "a partial tile stays beside its full one");
        }
    }
}

/// What [`prune`] is to do.
struct Job {
    from: u64,
    to: u64,
    keep: Vec<u64>,
}

/// A thread that prunes, so that no caller waits for it.
#[derive(Debug)]
pub(crate) struct Pruner {
    disk: Arc<Disk>,
    thread: Option<(SyncSender<Job>, JoinHandle<()>)>,
}

impl Pruner {
    /// Without memory for a thread, the caller prunes.
    pub fn new(disk: Arc<Disk>) -> Self {
        let (jobs, todo) = sync_channel::<Job>(WAITING);
        let theirs = Arc::clone(&disk);
        let work = move || todo.into_iter().for_each(|job| prune(&theirs, job.from, job.to, &job.keep));
        let thread = thread::Builder::new().name("ledger-pruner".to_owned()).spawn(work);
        Self { disk, thread: thread.ok().map(|thread| (jobs, thread)) }
    }

    /// Has [`prune`] done soon, if there is anything to do.
    pub fn prune(&self, from: u64, to: u64, keep: Vec<u64>) {
        if tile::completed(from, to).is_empty() {
            return;
        }
        let job = Job { from, to, keep };
        let left = match &self.thread {
            Some((jobs, _)) => jobs.send(job).err().map(|error| error.0),
            None => Some(job),
        };
        if let Some(job) = left {
            prune(&self.disk, job.from, job.to, &job.keep);
        }
    }

    /// Waits until all of it is done.
    pub fn finish(&mut self) {
        if let Some((jobs, thread)) = self.thread.take() {
            drop(jobs);
            if thread.join().is_err() {
                tracing::warn!("the ledger's pruner died; partial tiles stay beside full ones");
            }
        }
    }
}

impl Drop for Pruner {
    fn drop(&mut self) {
        self.finish();
    }
}
