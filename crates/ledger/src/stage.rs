//! The staged batch of a log that was written by an Echo without a write-ahead log: read, never written.
//!
//! Text lines `echo-ledger-stage v1`, base size, base root (hex), then the entries as in a bundle, then the SHA-256
//! of all that.

use std::path::Path;

use sha2::{Digest as _, Sha256};

use crate::{
    disk::Disk,
    error::LedgerError,
    hash::Hash,
    note::decimal,
    queue::{MAX_BATCH_BYTES, MAX_BATCH_ENTRIES},
    tile,
};

/// Where it lies, below the log's folder.
pub(crate) const PATH: &str = "stage/batch";
/// The largest stage, in bytes.
const MAX_STAGE_BYTES: u64 = (MAX_BATCH_BYTES + 2 * MAX_BATCH_ENTRIES + 1024) as u64;
const HEADER: &str = "echo-ledger-stage v1";

/// A batch and the tree that it was made for.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Stage {
    pub base: u64,
    pub root: Hash,
    pub entries: Vec<Vec<u8>>,
}

/// The staged batch, if there is one.
pub(crate) fn read(disk: &Disk) -> Result<Option<Stage>, LedgerError> {
    let Some(bytes) = disk.read(Path::new(PATH), MAX_STAGE_BYTES)? else { return Ok(None) };
    let damaged = || {
        let recover = "no entry in it was acknowledged: move it aside and open the ledger again";
        LedgerError::damaged(disk.dir().join(PATH), "the staged batch is not whole", recover)
    };
    parse(&bytes).ok_or_else(damaged).map(Some)
}

fn parse(bytes: &[u8]) -> Option<Stage> {
    let (body, sum) = bytes.split_last_chunk::<32>()?;
    if Sha256::digest(body).as_slice() != sum {
        return None;
    }
    let mut parts = body.splitn(4, |b| *b == b'\n');
    let mut line = || parts.next().and_then(|l| std::str::from_utf8(l).ok());
    if line()? != HEADER {
        return None;
    }
    let base = decimal(line()?)?;
    let mut root = [0; 32];
    hex::decode_to_slice(line()?, &mut root).ok()?;
    let entries: Vec<Vec<u8>> =
        tile::bundle_from_bytes(parts.next()?)?.into_iter().map(<[u8]>::to_vec).collect();
    (!entries.is_empty()).then_some(Stage { base, root, entries })
}
