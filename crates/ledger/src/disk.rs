//! The log's folder: every change to it goes through here, so that tests can make any of them fail, and can cut the
//! power at any of them.

use std::{
    collections::BTreeSet,
    fs::{self, File, OpenOptions},
    io::{self, Write as _},
    os::unix::fs::{DirBuilderExt as _, FileExt as _, OpenOptionsExt as _},
    path::{Path, PathBuf},
    sync::{Mutex, PoisonError},
};

use durable::{DurableError, Mode};

use crate::wal::SEGMENT_BYTES;

/// Up to so many files are flushed one by one; more of them with all of their filesystem.
const FLUSH_SINGLY: usize = 64;
/// What a filesystem must have free besides a batch's files, in bytes: enough for folders and journals.
const SPARE_BYTES: u64 = 4 << 20;
/// The file that becomes the next one in its folder.
const NEW: &str = ".new";

/// The folder of one log. Paths are relative to it.
#[derive(Debug)]
pub(crate) struct Disk {
    dir: PathBuf,
    /// The folder itself. Open before anything is written, so that a flush of its filesystem hears of every failure.
    folder: File,
    /// What was placed and is not known to be durable.
    placed: Mutex<BTreeSet<PathBuf>>,
    /// The size at which a segment of the write-ahead log is full.
    pub segment_bytes: u64,
    #[cfg(test)]
    pub faults: std::sync::Arc<crate::power::Faults>,
}

impl Disk {
    /// Makes the folder when there is none.
    pub fn open(dir: &Path) -> Result<Self, DurableError> {
        durable::create_folder(dir)?;
        Ok(Self {
            dir: dir.to_owned(),
            folder: File::open(dir).map_err(|e| failed("open", dir, e))?,
            placed: Mutex::default(),
            segment_bytes: SEGMENT_BYTES,
            #[cfg(test)]
            faults: std::sync::Arc::default(),
        })
    }

    /// The folder.
    pub fn dir(&self) -> &Path {
        &self.dir
    }

    /// Reads a file of at most `limit` bytes; nothing when there is none.
    pub fn read(&self, path: &Path, limit: u64) -> Result<Option<Vec<u8>>, DurableError> {
        durable::read(&self.dir.join(path), limit)
    }

    /// Writes a file durably.
    pub fn put(&self, path: &Path, bytes: &[u8], mode: Mode) -> Result<(), DurableError> {
        self.step("write", path)?;
        durable::write(&self.dir.join(path), bytes, mode)?;
        #[cfg(test)]
        self.faults.power.put(path, bytes, true);
        Ok(())
    }

    /// Puts a public file into its place, making its folders: whoever reads sees all of it or nothing. A power cut
    /// may leave any part of it until [`Disk::flush`].
    pub fn place(&self, path: &Path, bytes: &[u8]) -> Result<(), DurableError> {
        self.step("write", path)?;
        let target = self.dir.join(path);
        // In the same folder: a rename from another one waits for all others in the filesystem.
        let new = target.with_file_name(NEW);
        let mut options = OpenOptions::new();
        options.write(true).create(true).truncate(true).mode(0o644);
        let opened = options.open(&new).or_else(|error| match (error.kind(), target.parent()) {
            (io::ErrorKind::NotFound, Some(folder)) => {
                fs::DirBuilder::new().recursive(true).mode(0o700).create(folder)?;
                options.open(&new)
            }
            _ => Err(error),
        });
        opened.and_then(|mut file| file.write_all(bytes)).map_err(|e| failed("write", &target, e))?;
        fs::rename(&new, &target).map_err(|e| failed("replace", &target, e))?;
        self.placed.lock().unwrap_or_else(PoisonError::into_inner).insert(path.to_owned());
        #[cfg(test)]
        self.faults.power.put(path, bytes, false);
        Ok(())
    }

    /// Takes the names of all files that were placed since this was last asked.
    pub fn take_placed(&self) -> BTreeSet<PathBuf> {
        std::mem::take(&mut *self.placed.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// Makes files that were placed durable, as far as they are still there.
    pub fn flush(&self, placed: &BTreeSet<PathBuf>) -> Result<(), DurableError> {
        self.step("flush", Path::new(""))?;
        #[cfg(test)]
        let mark = self.faults.power.mark();
        if placed.len() <= FLUSH_SINGLY || !self.flush_filesystem()? {
            self.flush_singly(placed)?;
        }
        #[cfg(test)]
        self.faults.power.flushed(placed, mark);
        Ok(())
    }

    /// Flushes the whole filesystem, where the system can and says whether it worked (Linux from 5.8 on).
    #[cfg(target_os = "linux")]
    fn flush_filesystem(&self) -> Result<bool, DurableError> {
        rustix::fs::syncfs(&self.folder).map_err(|e| failed("flush", &self.dir, e.into()))?;
        Ok(true)
    }

    #[cfg(not(target_os = "linux"))]
    fn flush_filesystem(&self) -> Result<bool, DurableError> {
        Ok(false)
    }

    /// Flushes each file, and each folder above it.
    fn flush_singly(&self, placed: &BTreeSet<PathBuf>) -> Result<(), DurableError> {
        let folders: BTreeSet<&Path> = placed.iter().flat_map(|path| path.ancestors().skip(1)).collect();
        for path in placed.iter().map(PathBuf::as_path).chain(folders.into_iter().rev()) {
            let path = self.dir.join(path);
            match File::open(&path) {
                Ok(file) => file.sync_all().map_err(|e| failed("flush", &path, e))?,
                // A partial tile that was dropped meanwhile.
                Err(error) if error.kind() == io::ErrorKind::NotFound => {}
                Err(error) => return Err(failed("flush", &path, error)),
            }
        }
        Ok(())
    }

    /// Refuses when the filesystem may not have room for files of `bytes` bytes: better now than when there is no
    /// way back.
    pub fn has_room(&self, bytes: u64) -> Result<(), DurableError> {
        self.step("write", Path::new(""))?;
        let found = rustix::fs::fstatvfs(&self.folder).map_err(|e| failed("look at", &self.dir, e.into()))?;
        let free = found.f_bavail.saturating_mul(found.f_frsize);
        // Some filesystems do not say.
        if found.f_blocks > 0 && free < bytes.saturating_mul(2).saturating_add(SPARE_BYTES) {
            return Err(failed("write to", &self.dir, io::ErrorKind::StorageFull.into()));
        }
        Ok(())
    }

    /// Removes a file; it need not be there, and may come back after a power cut.
    pub fn remove(&self, path: &Path) -> Result<(), DurableError> {
        self.step("remove", path)?;
        let full = self.dir.join(path);
        match fs::remove_file(&full) {
            Err(source) if source.kind() != io::ErrorKind::NotFound => {
                return Err(failed("remove", &full, source));
            }
            _ => {}
        }
        #[cfg(test)]
        self.faults.power.remove(path);
        Ok(())
    }

    /// Removes a file durably; it need not be there.
    pub fn remove_durably(&self, path: &Path) -> Result<(), DurableError> {
        self.remove(path)?;
        self.step("flush", path)?;
        match self.dir.join(path).parent() {
            Some(folder) if folder.is_dir() => durable::sync_folder(folder)?,
            _ => {}
        }
        #[cfg(test)]
        self.faults.power.folder_flushed(path.parent().unwrap_or(path));
        Ok(())
    }

    /// Removes the files in `folder` but those called one of `keep`, and the folder when nothing stays.
    pub fn clear(&self, folder: &Path, keep: &[String]) -> Result<(), DurableError> {
        let full = self.dir.join(folder);
        let Ok(files) = fs::read_dir(&full) else { return Ok(()) };
        for name in files.flatten().filter_map(|file| file.file_name().into_string().ok()) {
            if !keep.contains(&name) {
                self.remove(&folder.join(name))?;
            }
        }
        if keep.is_empty() {
            // Whether the folder itself goes does not matter to anybody.
            let _ = fs::remove_dir(&full);
        }
        Ok(())
    }

    /// Opens a file to be written in place, durably made when there is none, and its length.
    pub fn file(&self, path: &Path) -> Result<(File, u64), DurableError> {
        self.step("open", path)?;
        let full = self.dir.join(path);
        let folder = full.parent().unwrap_or(&self.dir);
        durable::create_folder(folder)?;
        let mut options = OpenOptions::new();
        options.read(true).write(true).create(true).truncate(false).mode(0o600);
        let file = options.open(&full).map_err(|e| failed("open", &full, e))?;
        let length = file.metadata().map_err(|e| failed("open", &full, e))?.len();
        durable::sync_folder(folder)?;
        #[cfg(test)]
        self.faults.power.made(path);
        Ok((file, length))
    }

    /// Writes into an open file. Not durable before [`Disk::sync`].
    pub fn write_at(&self, file: &File, path: &Path, at: u64, bytes: &[u8]) -> Result<(), DurableError> {
        self.step("write", path)?;
        file.write_all_at(bytes, at).map_err(|e| failed("write", &self.dir.join(path), e))?;
        #[cfg(test)]
        self.faults.power.wrote(path, at, bytes);
        Ok(())
    }

    /// Makes an open file's content durable.
    pub fn sync(&self, file: &File, path: &Path) -> Result<(), DurableError> {
        self.step("flush", path)?;
        file.sync_data().map_err(|e| failed("flush", &self.dir.join(path), e))?;
        #[cfg(test)]
        self.faults.power.flushed(&BTreeSet::from([path.to_owned()]), usize::MAX);
        Ok(())
    }

    #[cfg(not(test))]
    #[expect(clippy::unused_self, clippy::unnecessary_wraps, reason = "tests make steps fail here")]
    fn step(&self, _: &'static str, _: &Path) -> Result<(), DurableError> {
        Ok(())
    }

    #[cfg(test)]
    fn step(&self, action: &'static str, path: &Path) -> Result<(), DurableError> {
        self.faults.step().map_err(|source| failed(action, &self.dir.join(path), source))
    }
}

pub(crate) fn failed(action: &'static str, path: &Path, source: io::Error) -> DurableError {
    DurableError::Io { action, path: path.to_owned(), source }
}
