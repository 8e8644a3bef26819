//! Sees to it that a platform stays stopped while its home is changed.

use std::{
    fs::{self, File, OpenOptions, TryLockError},
    io::{self, Read as _, Write as _},
    os::unix::fs::{MetadataExt as _, OpenOptionsExt as _},
    path::Path,
};

use trust::keystore::KEYSTORE_FILE;

use crate::{Failure, passphrase::no_home};

/// The lock that a running platform holds: that of the first ledger it opens.
const LOCK: &str = "genesis_ledger/.lock";
/// The most bytes of the name of whoever holds the lock.
const MAX_HOLDER: u64 = 64;

/// A home whose platform is stopped, and cannot start until this is dropped.
#[derive(Debug)]
pub struct Stopped(
    /// Nothing when the home has no ledger yet, so that no platform ever came to run in it.
    Option<File>,
);

impl Stopped {
    /// Refuses while the platform of `home` runs, and where somebody else owns its keystore.
    pub fn hold(home: &Path) -> Result<Self, Failure> {
        owned(home)?;
        let path = home.join(LOCK);
        let opened =
            OpenOptions::new().read(true).write(true).create(true).truncate(false).mode(0o600).open(&path);
        let failed =
            |error: io::Error| Failure::failed(format!("cannot take the lock {}: {error}", path.display()));
        let mut file = match opened {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Self(None)),
            opened => opened.map_err(failed)?,
        };
        match file.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => return Err(running(home, &mut file)),
            Err(TryLockError::Error(error)) => return Err(failed(error)),
        }
        // A platform that is refused meanwhile names us; without the name it is refused all the same.
        let _ = file.set_len(0).and_then(|()| writeln!(file, "{}", std::process::id()));
        Ok(Self(Some(file)))
    }
}

impl Drop for Stopped {
    fn drop(&mut self) {
        // Should it fail, the lock goes with this process, which is about to end.
        let _ = self.0.as_ref().map(File::unlock);
    }
}

/// Refuses where there is no home, and where somebody else owns its keystore.
pub fn owned(home: &Path) -> Result<(), Failure> {
    let keystore = fs::metadata(home.join(KEYSTORE_FILE)).map_err(|_| no_home(home))?;
    // What is written belongs to whoever writes it: the platform could not read its own keys any more.
    if keystore.uid() != rustix::process::geteuid().as_raw() {
        return Err(Failure::failed(format!(
            "the keystore in {} belongs to the user with the number {}",
            home.display(),
            keystore.uid()
        ))
        .hint("run this as the user that the platform runs as, such as by `sudo -u`"));
    }
    Ok(())
}

fn running(home: &Path, lock: &mut File) -> Failure {
    let mut holder = String::new();
    let _ = lock.take(MAX_HOLDER).read_to_string(&mut holder);
    let holder = match holder.trim() {
        "" => "another process".to_owned(),
        pid => format!("process {pid}"),
    };
    Failure::failed(format!("the platform of {} is running ({holder})", home.display()))
        .hint("stop it, then try again: it would go on with the keys that it has read")
}
