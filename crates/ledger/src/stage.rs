//! The staged batch: the one file from which an interrupted batch is done again.
//!
//! Text lines `echo-ledger-stage v1`, base size, base root (hex), then the entries as in a bundle, then the SHA-256
//! of all that. Private to the writer, gone when the batch is published.

use sha2::{Digest as _, Sha256};

use crate::{
    hash::Hash,
    note::decimal,
    queue::{MAX_BATCH_BYTES, MAX_BATCH_ENTRIES},
    tile,
};

/// Where it lies, below the log's folder.
pub(crate) const PATH: &str = "stage/batch";
/// The largest stage, in bytes.
pub(crate) const MAX_STAGE_BYTES: u64 = (MAX_BATCH_BYTES + 2 * MAX_BATCH_ENTRIES + 1024) as u64;
const HEADER: &str = "echo-ledger-stage v1";

/// A batch and the tree that it was made for.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Stage {
    pub base: u64,
    pub root: Hash,
    pub entries: Vec<Vec<u8>>,
}

impl Stage {
    pub fn to_bytes(&self) -> Vec<u8> {
        let mut bytes = format!("{HEADER}\n{}\n{}\n", self.base, hex::encode(self.root)).into_bytes();
        bytes.extend(tile::bundle_to_bytes(&self.entries));
        let sum = Sha256::digest(&bytes);
        bytes.extend(sum);
        bytes
    }

    /// Reads a stage; nothing when it is not whole.
    pub fn from_bytes(bytes: &[u8]) -> Option<Self> {
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
        let entries = tile::bundle_from_bytes(parts.next()?)?;
        (!entries.is_empty()).then_some(Self { base, root, entries })
    }
}
