//! The vault's folder: every change to it goes through here, so that tests can make any of them fail.

use std::{
    fs::{self, File, OpenOptions, TryLockError},
    io::{self, Write as _},
    os::unix::fs::OpenOptionsExt as _,
    path::{Path, PathBuf},
};

use durable::{DurableError, Mode};

use crate::VaultError;

/// The folder of the vault in the home directory.
pub const VAULT_FOLDER: &str = "vault_v1";
/// The vault's description.
pub const DESCRIPTION: &str = "vault.json";
/// The vault's identity, wrapped.
pub const IDENTITY: &str = "identity.age";
/// The index of what is there.
pub const INDEX: &str = "index.json";
/// Who had what.
pub const AUDIT: &str = "audit.jsonl";
/// The lock of whoever works with the vault.
const LOCK: &str = ".lock";
/// The end of a file's name that is not in force yet.
const NEXT: &str = ".next";
/// How long a process waits for another to finish: 100 tries of 50 ms.
const LOCK_TRIES: u32 = 100;
const LOCK_PAUSE: std::time::Duration = std::time::Duration::from_millis(50);
/// The deepest folder below the vault.
const MAX_DEPTH: usize = 4;

/// The lock; released when dropped, and by the system when the process dies.
#[derive(Debug)]
pub(crate) struct Lock(File);

impl Drop for Lock {
    fn drop(&mut self) {
        // Should it fail, the lock goes when the process ends.
        let _ = self.0.unlock();
    }
}

/// The folder of one vault. Paths are relative to it.
#[derive(Debug, Clone)]
pub(crate) struct Disk {
    dir: PathBuf,
    #[cfg(test)]
    pub faults: std::sync::Arc<faults::Faults>,
}

impl Disk {
    pub fn of_home(home: &Path) -> Self {
        Self {
            dir: home.join(VAULT_FOLDER),
            #[cfg(test)]
            faults: std::sync::Arc::default(),
        }
    }

    pub fn dir(&self) -> &Path {
        &self.dir
    }

    pub fn path(&self, path: &str) -> PathBuf {
        self.dir.join(path)
    }

    /// Takes the lock, waiting a few seconds for whoever holds it.
    pub fn lock(&self) -> Result<Lock, VaultError> {
        let path = self.dir.join(LOCK);
        let file = OpenOptions::new()
            .read(true)
            .write(true)
            .create(true)
            .truncate(false)
            .mode(0o600)
            .open(&path)
            .map_err(failed("open", &path))?;
        for _ in 0..LOCK_TRIES {
            match file.try_lock() {
                Ok(()) => return Ok(Lock(file)),
                Err(TryLockError::WouldBlock) => std::thread::sleep(LOCK_PAUSE),
                Err(TryLockError::Error(source)) => return Err(failed("lock", &path)(source).into()),
            }
        }
        Err(VaultError::Locked(self.dir.clone()))
    }

    pub fn is_there(&self, path: &str) -> bool {
        self.path(path).symlink_metadata().is_ok()
    }

    /// Reads a file of at most `limit` bytes; nothing when there is none.
    pub fn read(&self, path: &str, limit: u64) -> Result<Option<Vec<u8>>, DurableError> {
        durable::read(&self.path(path), limit)
    }

    /// Writes a file durably, making its folder when there is none.
    pub fn put(&self, path: &str, bytes: &[u8]) -> Result<(), DurableError> {
        let path = self.path(path);
        self.step("write", &path)?;
        if let Some(folder) = path.parent() {
            durable::create_folder(folder)?;
        }
        durable::write(&path, bytes, Mode::Private)?;
        self.step("flush", &path)
    }

    /// Writes what shall stand at `path` beside it, not yet in force.
    pub fn stage(&self, path: &str, bytes: &[u8]) -> Result<(), DurableError> {
        self.put(&next(path), bytes)
    }

    /// What is staged for `path`.
    pub fn staged(&self, path: &str, limit: u64) -> Result<Option<Vec<u8>>, DurableError> {
        self.read(&next(path), limit)
    }

    /// Puts what is staged for `path` in force, durably.
    pub fn enforce(&self, path: &str) -> Result<(), DurableError> {
        let (from, to) = (self.path(&next(path)), self.path(path));
        self.step("replace", &to)?;
        fs::rename(&from, &to).map_err(failed("replace", &to))?;
        self.sync_above(&to)?;
        self.step("flush", &to)
    }

    /// Removes a file durably; it need not be there.
    pub fn remove(&self, path: &str) -> Result<(), DurableError> {
        let path = self.path(path);
        self.step("remove", &path)?;
        match fs::remove_file(&path) {
            Err(source) if source.kind() == io::ErrorKind::NotFound => return Ok(()),
            Err(source) => return Err(failed("remove", &path)(source)),
            Ok(()) => {}
        }
        self.sync_above(&path)?;
        self.step("flush", &path)
    }

    /// Gives a file another name in its folder, durably.
    pub fn rename(&self, from: &str, to: &str) -> Result<(), DurableError> {
        let (from, to) = (self.path(from), self.path(to));
        self.step("rename", &to)?;
        fs::rename(&from, &to).map_err(failed("rename", &to))?;
        self.sync_above(&to)
    }

    /// Gives a file a second name. One that has that name goes.
    pub fn link(&self, path: &str, name: &str) -> Result<(), DurableError> {
        self.remove(name)?;
        let (path, name) = (self.path(path), self.path(name));
        self.step("link", &name)?;
        fs::hard_link(&path, &name).map_err(failed("link", &name))?;
        self.sync_above(&name)
    }

    /// Removes everything that was staged and never came in force, and what a program that died left of a file that
    /// it was writing.
    pub fn drop_staged(&self) -> Result<(), DurableError> {
        let mut all = Vec::new();
        self.walk(Path::new(""), 0, &mut all)?;
        // The staged index goes last: it is the mark that there may be others.
        all.retain(|path| (path.ends_with(NEXT) || is_torn(path)) && *path != next(INDEX));
        for path in all {
            self.remove(&path)?;
        }
        self.remove(&next(INDEX))
    }

    /// Every file below `folder`, sorted.
    pub fn files(&self, folder: &str) -> Result<Vec<String>, DurableError> {
        let mut all = Vec::new();
        self.walk(Path::new(folder), 0, &mut all)?;
        all.sort();
        Ok(all)
    }

    fn walk(&self, folder: &Path, depth: usize, all: &mut Vec<String>) -> Result<(), DurableError> {
        let path = self.dir.join(folder);
        let listed = match fs::read_dir(&path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
            listed => listed.map_err(failed("list", &path))?,
        };
        for entry in listed {
            let entry = entry.map_err(failed("list", &path))?;
            let below = folder.join(entry.file_name());
            if entry.file_type().map_err(failed("list", &path))?.is_dir() {
                if depth < MAX_DEPTH {
                    self.walk(&below, depth + 1, all)?;
                }
            } else {
                all.push(below.to_string_lossy().into_owned());
            }
        }
        Ok(())
    }

    /// Appends to a file of `length` bytes and makes it durable. What stands beyond `length` is cut off first, and a
    /// part that was written before a failure again.
    pub fn append(&self, path: &str, length: u64, bytes: &[u8]) -> Result<(), DurableError> {
        let path = self.path(path);
        self.step("write", &path)?;
        let fresh = !path.exists();
        let mut file = OpenOptions::new()
            .create(true)
            .append(true)
            .mode(0o600)
            .open(&path)
            .map_err(failed("open", &path))?;
        file.set_len(length).map_err(failed("cut", &path))?;
        let written = file.write_all(bytes).and_then(|()| file.sync_all());
        if let Err(source) = written {
            // What cannot be cut off now is a torn line, which the next one cuts off.
            let _ = file.set_len(length).and_then(|()| file.sync_all());
            return Err(failed("append to", &path)(source));
        }
        if fresh {
            self.sync_above(&path)?;
        }
        self.step("flush", &path)
    }

    #[expect(clippy::unused_self, reason = "changes go through the folder")]
    fn sync_above(&self, path: &Path) -> Result<(), DurableError> {
        path.parent().map_or(Ok(()), durable::sync_folder)
    }

    #[cfg(not(test))]
    #[expect(clippy::unused_self, clippy::unnecessary_wraps, reason = "tests make steps fail here")]
    fn step(&self, _: &'static str, _: &Path) -> Result<(), DurableError> {
        Ok(())
    }

    #[cfg(test)]
    fn step(&self, action: &'static str, path: &Path) -> Result<(), DurableError> {
        self.faults.step().map_err(failed(action, path))
    }
}

/// Whether it is a temporary file of [`durable::write`].
fn is_torn(path: &str) -> bool {
    Path::new(path).file_name().is_some_and(|name| name.to_string_lossy().starts_with(".echo-"))
}

fn next(path: &str) -> String {
    format!("{path}{NEXT}")
}

pub(crate) fn failed(action: &'static str, path: &Path) -> impl FnOnce(io::Error) -> DurableError {
    let path = path.to_owned();
    move |source| DurableError::Io { action, path, source }
}

/// Injected failures: from a planned step on, every change to the folder fails, as after a crash.
#[cfg(test)]
pub(crate) mod faults {
    use std::{
        io,
        sync::atomic::{AtomicI64, Ordering::SeqCst},
    };

    /// Counts the changes to a folder, and makes them fail from one on.
    #[derive(Debug)]
    pub(crate) struct Faults {
        done: AtomicI64,
        first: AtomicI64,
    }

    impl Default for Faults {
        fn default() -> Self {
            Self { done: AtomicI64::new(0), first: AtomicI64::new(i64::MAX) }
        }
    }

    impl Faults {
        /// From now on, the steps from `first` on fail (counted from 0).
        pub fn plan(&self, first: i64) {
            self.done.store(0, SeqCst);
            self.first.store(first, SeqCst);
        }

        /// How many steps were tried since the plan.
        pub fn done(&self) -> i64 {
            self.done.load(SeqCst)
        }

        pub fn step(&self) -> io::Result<()> {
            if self.done.fetch_add(1, SeqCst) >= self.first.load(SeqCst) {
                return Err(io::ErrorKind::StorageFull.into());
            }
            Ok(())
        }
    }
}
