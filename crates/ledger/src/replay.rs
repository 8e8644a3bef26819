//! Writes again what a crash may have kept from its place: the files of every batch in the write-ahead log.

use std::{path::Path, sync::Arc};

use ed25519_dalek::SigningKey;

use crate::{
    disk::Disk,
    error::{LedgerError, RESTORE_FOLDER},
    growth::Growth,
    hash::{Hash, Leaf},
    note::{self, Checkpoint, MAX_NOTE_BYTES, Vkey},
    prune::prune,
    reader::Reader,
    recovery::{CHECKPOINT, refuse_what_lies_beyond},
    segment::Found,
    state::State,
    tile::{self, Tile, WIDTH},
};

/// Brings the log from `base`, of which every file is durable, to the end of the `segments`, and removes them.
/// Nothing is written before all of it is known to be right.
pub(crate) fn replay(
    disk: &Disk,
    base: State,
    segments: &[Found],
    key: &SigningKey,
    vkey: &Vkey,
) -> Result<State, LedgerError> {
    let dir = disk.dir();
    let from = base.head.size;
    let mut heads = vec![(from, base.head.root)];
    let mut end = each_batch(dir, base.clone(), segments, |_, head| {
        heads.push((head.size, head.root));
        Ok(())
    })?;
    refuse_another_head(dir, &base, &heads, vkey)?;
    refuse_what_lies_beyond(dir, end.head.size)?;
    end.checkpoint = end.head.sign(key).into();
    for segment in segments {
        // What was read may not have reached the disk, and nobody may see it before it has.
        let (file, _) = disk.file(&segment.path)?;
        disk.write_at(&file, &segment.path, 0, &segment.bytes)?;
        disk.sync(&file, &segment.path)?;
    }
    each_batch(dir, base, segments, |growth, _| {
        for resource in growth.resources.iter().filter(|r| !outgrown(&r.tile, end.head.size)) {
            disk.place(&resource.tile.path(), &resource.bytes)?;
        }
        Ok(())
    })?;
    disk.place(Path::new(CHECKPOINT), end.checkpoint.as_bytes())?;
    disk.flush(&disk.take_placed())?;
    for segment in segments {
        disk.remove_durably(&segment.path)?;
    }
    prune(disk, from, end.head.size, &[]);
    Ok(end)
}

/// Grows the log by each batch, and tells of it.
fn each_batch(
    dir: &Path,
    mut state: State,
    segments: &[Found],
    mut tell: impl FnMut(&Growth, &Checkpoint) -> Result<(), LedgerError>,
) -> Result<State, LedgerError> {
    for segment in segments {
        for frame in segment.frames() {
            let entries: Vec<_> = frame.entries.iter().copied().map(Leaf::from).collect();
            let (growth, head) = state.growth(&entries);
            if frame.base_root != state.head.root || frame.root != head.root {
                let what =
                    format!("the batch upon {} entries does not lead to the root that it names", frame.base);
                return Err(LedgerError::damaged(dir.join(&segment.path), what, RESTORE_FOLDER));
            }
            tell(&growth, &head)?;
            let unsigned = Arc::clone(&state.checkpoint);
            state.adopt(growth, head, unsigned);
        }
    }
    Ok(state)
}

/// Whether a partial tile has become full in a log of `size` entries.
fn outgrown(tile: &Tile, size: u64) -> bool {
    tile.width < WIDTH && tile::count(size, tile.level()) / WIDTH > tile.index
}

/// Refuses when the signed head on the disk is not one of the log's own: the write-ahead log is then older than the
/// rest, or of another history. A head that is torn or missing proves nothing; nor does it say anything new.
fn refuse_another_head(
    dir: &Path,
    base: &State,
    heads: &[(u64, Hash)],
    vkey: &Vkey,
) -> Result<(), LedgerError> {
    let path = dir.join(CHECKPOINT);
    let bytes = durable::read(&path, MAX_NOTE_BYTES as u64)?.unwrap_or_default();
    let head = String::from_utf8(bytes).ok().and_then(|text| note::open(&text, vkey).ok());
    let Some(head) = head else { return Ok(()) };
    let known = if head.size < base.head.size {
        Reader::new(dir, &base.edge).root_at(head.size)? == head.root
    } else {
        heads.contains(&(head.size, head.root))
    };
    if known {
        return Ok(());
    }
    let what = format!(
        "the write-ahead log does not lead to its {} entries: files of different times, or of different histories, \
         were put together",
        head.size
    );
    Err(LedgerError::damaged(path, what, RESTORE_FOLDER))
}
