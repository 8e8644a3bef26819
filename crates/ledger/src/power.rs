//! A disk for tests: any change to it can fail, and at any change its power can be cut.

use std::{
    collections::{BTreeMap, BTreeSet},
    io::{self, Write as _},
    path::{Path, PathBuf},
    sync::{
        Mutex, MutexGuard,
        atomic::{AtomicI64, Ordering::SeqCst},
    },
};

/// Counts the changes to a folder, makes some of them fail, and knows which are durable.
#[derive(Debug)]
pub(crate) struct Faults {
    done: AtomicI64,
    first: AtomicI64,
    last: AtomicI64,
    pub power: Power,
}

impl Default for Faults {
    fn default() -> Self {
        let [done, first, last] = [0, i64::MAX, i64::MAX].map(AtomicI64::new);
        Self { done, first, last, power: Power::default() }
    }
}

impl Faults {
    /// From now on, the steps `first..last` fail (counted from 0).
    pub fn plan(&self, first: i64, last: i64) {
        self.done.store(0, SeqCst);
        self.first.store(first, SeqCst);
        self.last.store(last, SeqCst);
    }

    /// How many steps were tried since the plan.
    pub fn done(&self) -> i64 {
        self.done.load(SeqCst)
    }

    pub fn step(&self) -> io::Result<()> {
        let step = self.done.fetch_add(1, SeqCst);
        if (self.first.load(SeqCst)..self.last.load(SeqCst)).contains(&step) {
            return Err(io::ErrorKind::StorageFull.into());
        }
        Ok(())
    }
}

/// A stream of numbers that a seed repeats (`SplitMix64`).
#[derive(Debug, Clone)]
pub(crate) struct Dice(pub u64);

impl Dice {
    pub fn below(&mut self, bound: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let z = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (z ^ (z >> 31)) % bound
    }

    fn index(&mut self, bound: usize) -> usize {
        usize::try_from(self.below(bound as u64)).unwrap()
    }
}

/// What a change does to one file.
#[derive(Debug, Clone)]
enum Change {
    Put(Vec<u8>),
    Remove,
    /// Bytes at a place in it.
    Write(usize, Vec<u8>),
}

type Files = BTreeMap<PathBuf, Vec<u8>>;

#[derive(Debug, Default)]
struct Record {
    /// What survives whatever happens.
    durable: Files,
    /// Everything since, by the number of the change. Of changes to different files any may survive without others.
    pending: BTreeMap<usize, (PathBuf, Change)>,
    next: usize,
}

/// Which changes are durable, and what a power cut makes of the others.
#[derive(Debug, Default)]
pub(crate) struct Power(Mutex<Record>);

fn apply(files: &mut Files, path: &Path, change: Change) {
    match change {
        Change::Put(bytes) => {
            files.insert(path.to_owned(), bytes);
        }
        Change::Remove => {
            files.remove(path);
        }
        Change::Write(at, bytes) => {
            let file = files.entry(path.to_owned()).or_default();
            file.resize(file.len().max(at + bytes.len()), 0);
            file[at..at + bytes.len()].copy_from_slice(&bytes);
        }
    }
}

impl Power {
    fn lock(&self) -> MutexGuard<'_, Record> {
        self.0.lock().unwrap()
    }

    fn note(&self, path: &Path, change: Change) {
        let mut record = self.lock();
        let number = record.next;
        record.next += 1;
        record.pending.insert(number, (path.to_owned(), change));
    }

    /// A file was put into its place.
    pub fn put(&self, path: &Path, bytes: &[u8], durable: bool) {
        self.note(path, Change::Put(bytes.to_vec()));
        if durable {
            self.flushed(&BTreeSet::from([path.to_owned()]), usize::MAX);
        }
    }

    pub fn remove(&self, path: &Path) {
        self.note(path, Change::Remove);
    }

    /// A file is there, if only an empty one, and its folder is durable.
    pub fn made(&self, path: &Path) {
        self.folder_flushed(path.parent().unwrap());
        self.lock().durable.entry(path.to_owned()).or_default();
    }

    /// What was removed from a folder does not come back.
    pub fn folder_flushed(&self, folder: &Path) {
        let mut record = self.lock();
        let Record { durable, pending, .. } = &mut *record;
        let inside = |path: &Path| path.parent() == Some(folder);
        let gone: Vec<(usize, PathBuf)> = pending
            .iter()
            .filter(|(_, (path, change))| inside(path) && matches!(change, Change::Remove))
            .map(|(number, (path, _))| (*number, path.clone()))
            .collect();
        for (last, gone) in gone {
            pending.retain(|number, (path, _)| *number > last || *path != gone);
            durable.remove(&gone);
        }
    }

    pub fn wrote(&self, path: &Path, at: u64, bytes: &[u8]) {
        self.note(path, Change::Write(usize::try_from(at).unwrap(), bytes.to_vec()));
    }

    /// The number of the next change.
    pub fn mark(&self) -> usize {
        self.lock().next
    }

    /// The changes to `paths` that came before `mark` are durable.
    pub fn flushed(&self, paths: &BTreeSet<PathBuf>, mark: usize) {
        let mut record = self.lock();
        let Record { durable, pending, .. } = &mut *record;
        pending.retain(|number, (path, change)| {
            let flushed = *number < mark && paths.contains(path);
            if flushed {
                apply(durable, path, change.clone());
            }
            !flushed
        });
    }

    /// A folder as it may be when the power is back, written below `dir`.
    pub fn cut(&self, dice: &mut Dice, dir: &Path) {
        let record = self.lock();
        let mut files = record.durable.clone();
        for (path, change) in record.pending.values() {
            let survives = dice.below(3);
            match change {
                _ if survives == 0 => {}
                Change::Put(bytes) if survives == 1 => {
                    apply(&mut files, path, Change::Put(tear(dice, bytes)));
                }
                Change::Write(at, bytes) if survives == 1 => {
                    // Any of its sectors.
                    for (number, sector) in bytes.chunks(512).enumerate() {
                        if dice.below(2) == 0 {
                            apply(&mut files, path, Change::Write(at + 512 * number, sector.to_vec()));
                        }
                    }
                }
                change => apply(&mut files, path, change.clone()),
            }
        }
        for (path, bytes) in files {
            let path = dir.join(path);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::File::create(&path).unwrap().write_all(&bytes).unwrap();
        }
    }

    /// All that lies below `dir` is durable.
    pub fn begin(&self, dir: &Path) {
        let mut folders = vec![dir.to_owned()];
        while let Some(folder) = folders.pop() {
            for path in std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()) {
                if path.is_dir() {
                    folders.push(path);
                } else {
                    let name = path.strip_prefix(dir).unwrap().to_owned();
                    self.lock().durable.insert(name, std::fs::read(path).unwrap());
                }
            }
        }
    }
}

/// The beginning of a file, or nothing of it; some filesystems leave zeros for the rest.
fn tear(dice: &mut Dice, bytes: &[u8]) -> Vec<u8> {
    let mut torn = bytes[..dice.index(bytes.len() + 1)].to_vec();
    match dice.below(3) {
        0 => torn.clear(),
        1 => torn.resize(bytes.len(), 0),
        _ => {}
    }
    torn
}
