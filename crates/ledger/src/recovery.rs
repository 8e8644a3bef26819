//! Opens a log: reads its state from the disk, and writes again what a crash may have kept from its place.

use std::{
    fs,
    path::{Path, PathBuf},
};

use durable::Mode;
use ed25519_dalek::SigningKey;

use crate::{
    disk::Disk,
    error::{LedgerError, RESTORE_FOLDER},
    note::{self, Checkpoint, MAX_NOTE_BYTES, Vkey},
    replay, segment,
    stage::{self, Stage},
    state::State,
    tile::{Kind, Tile, WIDTH},
    wal::NAMES,
};

/// Where the signed head lies, below the log's folder.
pub(crate) const CHECKPOINT: &str = "checkpoint";

/// What lies on the disk.
pub(crate) struct Recovered {
    /// The state of the log, all of whose files are durable.
    pub state: State,
    /// The batch that an Echo without a write-ahead log has left to be entered; mostly empty.
    pub staged: Vec<Vec<u8>>,
}

/// Reads the log, and finishes what a crash interrupted.
pub(crate) fn recover(disk: &Disk, origin: &str, key: &SigningKey) -> Result<Recovered, LedgerError> {
    let vkey = Vkey::new(origin, key.verifying_key());
    claim(disk, &vkey)?;
    let segments = segment::read(disk.dir(), &vkey)?;
    for name in NAMES.map(Path::new) {
        // It was blanked, but perhaps not durably: it must not come back beside newer segments, or none.
        if !segments.iter().any(|s| s.path == name) && disk.dir().join(name).exists() {
            disk.remove_durably(name)?;
        }
    }
    let Some(oldest) = segments.first() else { return rest(disk, key, &vkey) };
    let base = State::load(disk.dir(), oldest.base.clone(), &oldest.checkpoint, &oldest.path)?;
    let state = replay::replay(disk, base, &segments, key, &vkey)?;
    Ok(Recovered { state, staged: Vec::new() })
}

/// Writes whose log this is, or refuses when it is another's.
fn claim(disk: &Disk, vkey: &Vkey) -> Result<(), LedgerError> {
    let (path, vkey) = (Path::new("log.vkey"), vkey.text());
    match disk.read(path, 1024)? {
        None => Ok(disk.put(path, format!("{vkey}\n").as_bytes(), Mode::Public)?),
        Some(found) if found.trim_ascii() == vkey.as_bytes() => Ok(()),
        Some(found) => {
            let found = String::from_utf8_lossy(&found).trim().to_owned();
            Err(LedgerError::WrongKey { dir: disk.dir().to_owned(), found, expected: vkey })
        }
    }
}

/// The state of a log that was closed: all of it is under its checkpoint.
fn rest(disk: &Disk, key: &SigningKey, vkey: &Vkey) -> Result<Recovered, LedgerError> {
    let dir = disk.dir();
    let path = dir.join(CHECKPOINT);
    let Some(bytes) = disk.read(Path::new(CHECKPOINT), MAX_NOTE_BYTES as u64)? else {
        return Ok(Recovered { state: begin(disk, path, key, &vkey.name)?, staged: Vec::new() });
    };
    let broken = |what: String| LedgerError::damaged(path.clone(), what, RESTORE_FOLDER);
    let text = String::from_utf8(bytes).map_err(|_| broken("it is not text".to_owned()))?;
    let head = note::open(&text, vkey).map_err(|e| broken(e.to_string()))?;
    let state = State::load(dir, head, &text, Path::new(CHECKPOINT))?;
    if let Some(stage) = stage::read(disk)? {
        let staged = still_to_enter(dir, &state.head, stage)?;
        if !staged.is_empty() {
            return Ok(Recovered { state, staged });
        }
        disk.remove(Path::new(stage::PATH))?;
    }
    refuse_what_lies_beyond(dir, state.head.size)?;
    Ok(Recovered { state, staged: Vec::new() })
}

/// What is to be entered of a staged batch; nothing when it has been.
fn still_to_enter(dir: &Path, head: &Checkpoint, stage: Stage) -> Result<Vec<Vec<u8>>, LedgerError> {
    if stage.base == head.size && stage.root == head.root {
        return Ok(stage.entries);
    }
    if stage.base.saturating_add(stage.entries.len() as u64) <= head.size {
        return Ok(Vec::new());
    }
    let what = format!("it continues {} entries, but the checkpoint has {}", stage.base, head.size);
    Err(LedgerError::damaged(dir.join(stage::PATH), what, RESTORE_FOLDER))
}

/// Signs the first, empty checkpoint; not over the remains of a log that had another.
fn begin(disk: &Disk, path: PathBuf, key: &SigningKey, origin: &str) -> Result<State, LedgerError> {
    if [stage::PATH, "tile"].iter().any(|p| disk.dir().join(p).exists()) {
        return Err(LedgerError::damaged(path, "it is missing, but the ledger has entries", RESTORE_FOLDER));
    }
    let state = State::empty(origin, key);
    disk.put(Path::new(CHECKPOINT), state.checkpoint.as_bytes(), Mode::Public)?;
    Ok(state)
}

/// Refuses to go on from `size` entries when files show that there were more: that would sign a second history. Every
/// longer form of the log has a longer bundle where the last one of this size is.
pub(crate) fn refuse_what_lies_beyond(dir: &Path, size: u64) -> Result<(), LedgerError> {
    let (index, width) = (size / WIDTH, size % WIDTH);
    let name = Tile { kind: Kind::Entries, index, width: WIDTH };
    let mut beyond = Some(dir.join(name.path())).filter(|p| p.exists());
    if let Ok(partials) = fs::read_dir(dir.join(name.partials())) {
        let wider = |name: &str| note::decimal(name).is_some_and(|w| w > width);
        let mut files = partials.flatten().filter(|f| f.file_name().to_str().is_some_and(wider));
        beyond = beyond.or_else(|| files.next().map(|f| f.path()));
    }
    beyond.map_or(Ok(()), |path| {
        let what = format!(
            "it holds entries beyond the {size} of the checkpoint: an old checkpoint was put back, and going on from \
             it would sign a second history"
        );
        Err(LedgerError::damaged(path, what, RESTORE_FOLDER))
    })
}
