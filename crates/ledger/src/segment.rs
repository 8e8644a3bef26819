//! Reads the write-ahead log: the segments that hold batches whose files may not be durable, and their frames.

use std::path::{Path, PathBuf};

use crate::{
    error::{LedgerError, RESTORE_FOLDER},
    frame::{BLOCK, Frame, Header, MAX_FRAME_BYTES},
    hash::Hash,
    note::{self, Checkpoint, Vkey},
    wal::{NAMES, SEGMENT_BYTES},
};

/// The largest segment, in bytes.
const MAX_BYTES: u64 = SEGMENT_BYTES + MAX_FRAME_BYTES as u64;

/// A segment as it lies on the disk.
#[derive(Debug)]
pub(crate) struct Found {
    /// Where, below the log's folder.
    pub path: PathBuf,
    /// The head under which everything is durable without it, and its signed note.
    pub base: Checkpoint,
    pub checkpoint: String,
    /// What of the file is meant: the header and the whole frames.
    pub bytes: Vec<u8>,
    /// The sum that the segment follows.
    before: Hash,
    /// The sum of the last frame, or of the header.
    last: Hash,
    /// Entries in the log with its last frame.
    pub end: u64,
}

impl Found {
    /// The frames, in order.
    pub fn frames(&self) -> impl Iterator<Item = Frame<&[u8]>> {
        let mut rest = &self.bytes[BLOCK..];
        std::iter::from_fn(move || {
            let (frame, _, length) = Frame::from_bytes(rest)?;
            rest = rest.get(length..).unwrap_or_default();
            Some(frame)
        })
    }
}

/// The segments below `dir`, the older first. A frame that is torn ends its segment; anything else that is wrong is
/// an error.
pub(crate) fn read(dir: &Path, vkey: &Vkey) -> Result<Vec<Found>, LedgerError> {
    let mut found = Vec::new();
    for name in NAMES {
        if let Some(bytes) = durable::read(&dir.join(name), MAX_BYTES)? {
            found.extend(segment(dir, name, bytes, vkey)?);
        }
    }
    found.sort_by_key(|f| f.base.size);
    if let [older, newer] = found.as_slice()
        && (newer.before != older.last || newer.base.size != older.end)
    {
        let what = format!("it does not follow {}, or batches are missing from that", older.path.display());
        return Err(LedgerError::damaged(dir.join(&newer.path), what, RESTORE_FOLDER));
    }
    Ok(found)
}

/// One segment; nothing when no batch was ever acknowledged in it.
fn segment(dir: &Path, name: &str, mut bytes: Vec<u8>, vkey: &Vkey) -> Result<Option<Found>, LedgerError> {
    let damaged = |what: String| LedgerError::damaged(dir.join(name), what, RESTORE_FOLDER);
    let Some((header, sum)) = Header::from_bytes(&bytes) else { return Ok(None) };
    let base = note::open(&header.checkpoint, vkey).map_err(|e| damaged(e.to_string()))?;
    let (mut at, mut last, mut end) = (BLOCK, sum, base.size);
    while let Some((frame, frame_sum, length)) = bytes.get(at..).and_then(Frame::from_bytes) {
        if frame.segment != sum {
            break;
        }
        if frame.before != last || frame.base != end {
            return Err(damaged(format!("the batch upon {end} entries does not follow the one before")));
        }
        (at, last, end) = (at + length, frame_sum, frame.end());
    }
    // Each batch is durable before the next is written: behind a torn one there is none.
    let rest = bytes.get(at..).unwrap_or_default();
    let later = (BLOCK..rest.len()).step_by(BLOCK).filter_map(|at| Frame::from_bytes(&rest[at..]));
    if later.into_iter().any(|(frame, ..)| frame.segment == sum) {
        return Err(damaged(format!("the batch upon {end} entries is not whole, but later ones are")));
    }
    bytes.truncate(at);
    let (path, checkpoint, before) = (PathBuf::from(name), header.checkpoint, header.before);
    Ok(Some(Found { path, base, checkpoint, bytes, before, last, end }))
}
