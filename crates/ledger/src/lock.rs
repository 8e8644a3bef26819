//! One writer a log: a lock on a file in its folder.

use std::{
    fs::{File, OpenOptions, TryLockError},
    io::{Read as _, Write as _},
    os::unix::fs::OpenOptionsExt as _,
    path::Path,
};

use crate::{disk::failed, error::LedgerError};

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

impl Lock {
    /// Takes the lock of the log in `dir`, and writes this process's number into it.
    pub fn take(dir: &Path) -> Result<Self, LedgerError> {
        let path = dir.join(".lock");
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
                return Err(LedgerError::Locked { dir: dir.to_owned(), holder });
            }
            Err(TryLockError::Error(source)) => return Err(failed("lock", &path, source).into()),
        }
        // On a full disk the lock has no name, and still holds.
        let _ = file.set_len(0).and_then(|()| writeln!(file, "{}", std::process::id()));
        Ok(Self(file))
    }
}
