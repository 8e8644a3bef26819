//! One copy of a home at a time: whoever copies it, or brings a copy back beside it, holds a lock.

use std::{
    fs::{self, File, OpenOptions, TryLockError},
    os::unix::fs::OpenOptionsExt as _,
    path::Path,
};

use crate::{BackupError, STAGING_PREFIX, error::io_error};

/// The lock's name in the home.
const LOCK: &str = "backup.lock";

/// The right to copy a home. It goes when it is dropped, and with its process.
#[derive(Debug)]
pub struct Turn(File);

impl Turn {
    /// Takes it, and removes what copies that were cut off left in the home.
    pub fn take(home: &Path) -> Result<Self, BackupError> {
        let path = home.join(LOCK);
        let file = OpenOptions::new()
            .write(true)
            .create(true)
            .truncate(false)
            .mode(0o600)
            .open(&path)
            .map_err(io_error("open", &path))?;
        match file.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => return Err(BackupError::Busy(home.to_owned())),
            Err(TryLockError::Error(error)) => return Err(io_error("lock", &path)(error)),
        }
        sweep(home)?;
        Ok(Self(file))
    }

    /// A new folder beside the files of the home, on the same disk; it goes when it is dropped.
    pub fn folder(&self, home: &Path) -> Result<tempfile::TempDir, BackupError> {
        tempfile::Builder::new()
            .prefix(STAGING_PREFIX)
            .tempdir_in(home)
            .map_err(io_error("make a folder in", home))
    }
}

impl Drop for Turn {
    fn drop(&mut self) {
        // Closing would not do: a child that is just being started shares the open file until it runs.
        let _ = self.0.unlock();
    }
}

/// Removes what copies that were cut off left in a home.
fn sweep(home: &Path) -> Result<(), BackupError> {
    for entry in fs::read_dir(home).map_err(io_error("list", home))? {
        let entry = entry.map_err(io_error("list", home))?;
        let path = entry.path();
        let ours = entry.file_name().to_str().is_some_and(|name| name.starts_with(STAGING_PREFIX));
        if ours && path.is_dir() {
            fs::remove_dir_all(&path).map_err(io_error("remove", &path))?;
        }
    }
    Ok(())
}
