//! The log's folder: every change to it goes through here, so that tests can make any of them fail.

use std::{
    fs::{self, File, OpenOptions, TryLockError},
    io::{self, Read as _, Write as _},
    os::unix::fs::OpenOptionsExt as _,
    path::{Path, PathBuf},
};

use durable::{DurableError, Mode};

use crate::error::LedgerError;

/// The writer's lock; released when dropped, and by the system when the process dies.
#[derive(Debug)]
pub(crate) struct Lock(File);

impl Drop for Lock {
    fn drop(&mut self) {
        // Closing would not do: a child process that is just being started shares the open file until it runs.
        if let Err(error) = self.0.unlock() {
            tracing::warn!(%error, "cannot release the lock of a ledger; it goes when this process ends");
        }
    }
}

/// The folder of one log. Paths are relative to it.
#[derive(Debug)]
pub(crate) struct Disk {
    dir: PathBuf,
    #[cfg(test)]
    pub faults: std::sync::Arc<faults::Faults>,
}

impl Disk {
    pub fn new(dir: &Path) -> Self {
        Self {
            dir: dir.to_owned(),
            #[cfg(test)]
            faults: std::sync::Arc::default(),
        }
    }

    /// The folder.
    pub fn dir(&self) -> &Path {
        &self.dir
    }

    /// Writes a file durably, making its folder when there is none.
    pub fn put(&self, path: &Path, bytes: &[u8], mode: Mode) -> Result<(), DurableError> {
        let path = self.dir.join(path);
        self.step("write", &path)?;
        if let Some(folder) = path.parent() {
            durable::create_folder(folder)?;
        }
        durable::write(&path, bytes, mode)?;
        self.step("flush", &path)
    }

    /// Removes a file durably; it need not be there.
    pub fn remove(&self, path: &Path) -> Result<(), DurableError> {
        self.remove_lazily(path)?;
        // The folder may be missing too, and then so is the file.
        match self.dir.join(path).parent() {
            Some(folder) if folder.is_dir() => durable::sync_folder(folder),
            _ => Ok(()),
        }
    }

    /// Removes a file; it need not be there, and may come back after a power cut.
    pub fn remove_lazily(&self, path: &Path) -> Result<(), DurableError> {
        let path = self.dir.join(path);
        self.step("remove", &path)?;
        match fs::remove_file(&path) {
            Err(source) if source.kind() != io::ErrorKind::NotFound => Err(failed("remove", &path, source)),
            _ => Ok(()),
        }
    }

    /// Removes a folder of partial tiles. Not durable: one that comes back does no harm.
    pub fn remove_partials(&self, path: &Path) -> Result<(), DurableError> {
        let path = self.dir.join(path);
        self.step("remove", &path)?;
        match fs::remove_dir_all(&path) {
            Err(source) if source.kind() != io::ErrorKind::NotFound => Err(failed("remove", &path, source)),
            _ => Ok(()),
        }
    }

    /// Makes what was renamed in the log's own folder durable.
    pub fn sync(&self) -> Result<(), DurableError> {
        self.step("flush", &self.dir)?;
        durable::sync_folder(&self.dir)
    }

    /// Reads a file of at most `limit` bytes; nothing when there is none.
    pub fn read(&self, path: &Path, limit: u64) -> Result<Option<Vec<u8>>, DurableError> {
        durable::read(&self.dir.join(path), limit)
    }

    /// Takes the writer's lock.
    pub fn lock(&self) -> Result<Lock, LedgerError> {
        let path = self.dir.join(".lock");
        let mut file = OpenOptions::new()
            .read(true)
            .write(true)
            .create(true)
            .truncate(false)
            .mode(0o600)
            .open(&path)
            .map_err(|e| failed("open", &path, e))?;
        match file.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => {
                let mut holder = String::new();
                // The name is for people; without it the refusal stands.
                let _ = file.take(64).read_to_string(&mut holder);
                let holder = match holder.trim() {
                    "" => "another process".to_owned(),
                    pid => format!("process {pid}"),
                };
                return Err(LedgerError::Locked { dir: self.dir.clone(), holder });
            }
            Err(TryLockError::Error(source)) => return Err(failed("lock", &path, source).into()),
        }
        // On a full disk the lock has no name, and still holds.
        let _ = file.set_len(0).and_then(|()| writeln!(file, "{}", std::process::id()));
        Ok(Lock(file))
    }

    #[cfg(not(test))]
    #[expect(clippy::unused_self, clippy::unnecessary_wraps, reason = "tests make steps fail here")]
    fn step(&self, _: &'static str, _: &Path) -> Result<(), DurableError> {
        Ok(())
    }

    #[cfg(test)]
    fn step(&self, action: &'static str, path: &Path) -> Result<(), DurableError> {
        self.faults.step().map_err(|source| failed(action, path, source))
    }
}

pub(crate) fn failed(action: &'static str, path: &Path, source: io::Error) -> DurableError {
    DurableError::Io { action, path: path.to_owned(), source }
}

/// Injected failures.
#[cfg(test)]
pub(crate) mod faults {
    use std::{
        io,
        sync::atomic::{AtomicI64, Ordering::SeqCst},
    };

    /// Counts the changes to a folder, and makes some of them fail.
    #[derive(Debug)]
    pub(crate) struct Faults {
        done: AtomicI64,
        first: AtomicI64,
        last: AtomicI64,
    }

    impl Default for Faults {
        fn default() -> Self {
            Self { done: AtomicI64::new(0), first: AtomicI64::new(i64::MAX), last: AtomicI64::new(i64::MAX) }
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
}
