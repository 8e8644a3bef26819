//! Small steps on files that both boxes take.

use std::{
    fs::Metadata,
    io::{self, Read},
    os::unix::fs::MetadataExt as _,
};

use echo_core::{Digest, Timestamp};
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

/// How much is read at once to take a digest.
const AT_ONCE: usize = 256 * 1024;

/// What a file was when it was looked at: whoever changes it changes this.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Stamp {
    /// Its bytes.
    pub(super) size: u64,
    seconds: i64,
    nanos: i64,
    inode: u64,
}

impl Stamp {
    pub(super) fn of(meta: &Metadata) -> Self {
        Self { size: meta.size(), seconds: meta.mtime(), nanos: meta.mtime_nsec(), inode: meta.ino() }
    }
}

/// Feeds the rest of `file` to `hasher`. How many bytes that were.
pub(super) fn hash(file: &mut impl Read, hasher: &mut Sha256) -> io::Result<u64> {
    let mut buffer = vec![0; AT_ONCE];
    let mut all = 0;
    loop {
        match file.read(&mut buffer) {
            Ok(0) => return Ok(all),
            Ok(bytes) => {
                hasher.update(&buffer[..bytes]);
                all += u64::try_from(bytes).unwrap_or(0);
            }
            Err(why) if why.kind() == io::ErrorKind::Interrupted => {}
            Err(why) => return Err(why),
        }
    }
}

/// What the system said, where it was the system.
pub(super) fn plain(error: durable::DurableError) -> io::Error {
    match error {
        durable::DurableError::Io { source, .. } => source,
        other @ durable::DurableError::TooLarge { .. } => io::Error::other(other),
    }
}

pub(super) fn digest(hasher: Sha256) -> Digest {
    Digest(hasher.finalize().into())
}

/// Whether it was last written more than so many days before `now`.
pub(super) fn is_old(meta: &Metadata, now: Timestamp, days: i64) -> bool {
    now.as_second().saturating_sub(meta.mtime()) > days * 24 * 3_600
}
