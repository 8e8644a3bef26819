//! The device's store-and-forward buffer: pulses wait on disk until the platform has them.
//!
//! Segments are append-only files of JSON Lines. `state.json` holds the floor: whatever is not newer is gone,
//! acknowledged or dropped. It is written before a file is deleted, so a crash in between repeats nothing.

use std::{
    collections::VecDeque,
    fs::{self, File, TryLockError},
    io,
    path::{Path, PathBuf},
};

use durable::{DurableError, Mode};
use serde::{Deserialize, Serialize};

use crate::{
    pulse::{MAX_PULSE_BYTES, MAX_SEQ, Pulse, PulseError},
    segment::{MAX_SEGMENT_BYTES, Segment},
    set_aside::SetAside,
};

/// The most pulses in one batch.
pub const MAX_BATCH: usize = 500;
/// The most bytes of pulses in one batch, as JSON; a batch holds one pulse at least.
pub const MAX_BATCH_BYTES: usize = 512 * 1024;
/// Into how many segments the bounds are divided: overflow drops the oldest one.
const SEGMENTS: usize = 16;
/// The most bytes of `state.json`.
const MAX_STATE_BYTES: u64 = 4 * 1024;

/// How much a buffer may hold.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Bounds {
    /// The most bytes on disk: 1 MiB to 64 MiB.
    pub max_bytes: u64,
    /// The most pulses: 16 to 200,000.
    pub max_pulses: usize,
}

impl Default for Bounds {
    /// 16 MiB and 20,000 pulses: about a week of a pulse each 30 s.
    fn default() -> Self {
        Self { max_bytes: 16 * 1024 * 1024, max_pulses: 20_000 }
    }
}

impl Bounds {
    fn clamped(self) -> Self {
        let segments = SEGMENTS as u64;
        Self {
            max_bytes: self.max_bytes.clamp(segments * MAX_PULSE_BYTES as u64, segments * MAX_SEGMENT_BYTES),
            max_pulses: self.max_pulses.clamp(SEGMENTS, 200_000),
        }
    }
}

/// Why the buffer refuses.
#[derive(Debug, thiserror::Error)]
pub enum BufferError {
    /// A file or the folder refused.
    #[error("pulses cannot be kept: {0}")]
    Durable(#[from] DurableError),
    /// The operating system refused to add to a segment, or to list the folder.
    #[error("pulses cannot be kept: cannot {action} {}: {source}", path.display())]
    Io {
        /// What was tried.
        action: &'static str,
        /// On what.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// Another program has the buffer open.
    #[error("{} is in use by another program: stop it, or choose another folder", .0.display())]
    InUse(PathBuf),
    /// The pulse's number was given before.
    #[error("pulse {given} comes too late: the next number is {next} (Buffer::next_seq)")]
    OutOfOrder {
        /// Its number.
        given: u64,
        /// The lowest number that is taken.
        next: u64,
    },
    /// The pulse is out of bounds: the platform would refuse it, and all behind it would wait for ever.
    #[error(transparent)]
    Pulse(#[from] PulseError),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct State {
    /// Pulses up to this number are gone.
    floor: u64,
    /// The lowest number that was never given when this was written.
    next_seq: u64,
    /// How many pulses were dropped before the platform had them.
    dropped: u64,
}

/// Pulses that wait for the platform, in a folder of their own; survives restarts, kills and power cuts.
#[derive(Debug)]
pub struct Buffer {
    folder: PathBuf,
    bounds: Bounds,
    state: State,
    segments: VecDeque<Segment>,
    /// The last segment, open for the next pulse.
    active: Option<File>,
    set_aside: Vec<SetAside>,
    /// Holds the lock on the folder for as long as the buffer lives.
    _lock: File,
}

impl Buffer {
    /// Opens the buffer in `folder`, which is made when there is none. Bounds are clamped to what is possible.
    /// A damaged file is set aside ([`Buffer::set_aside`]) and what is good in it is kept.
    pub fn open(folder: &Path, bounds: Bounds) -> Result<Self, BufferError> {
        durable::create_folder(folder)?;
        let lock = File::open(folder).map_err(failed("open", folder))?;
        match lock.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => return Err(BufferError::InUse(folder.to_owned())),
            Err(TryLockError::Error(error)) => return Err(failed("lock", folder)(error)),
        }
        let mut set_aside = Vec::new();
        let mut buffer = Self {
            folder: folder.to_owned(),
            bounds: bounds.clamped(),
            state: load_state(&folder.join("state.json"), &mut set_aside),
            segments: VecDeque::new(),
            active: None,
            set_aside,
            _lock: lock,
        };
        buffer.load_segments()?;
        buffer.discard_old();
        buffer.make_room(0, 0)?;
        Ok(buffer)
    }

    /// Keeps a pulse. When this returns, it survives a power cut. When the bounds are reached, the oldest
    /// sixteenth goes first and is counted ([`Buffer::dropped`]).
    pub fn push(&mut self, pulse: &Pulse) -> Result<(), BufferError> {
        pulse.validate()?;
        let next = self.next_seq();
        if pulse.seq < next {
            return Err(BufferError::OutOfOrder { given: pulse.seq, next });
        }
        let mut line =
            serde_json::to_vec(pulse).expect("a valid pulse has finite numbers and is always JSON");
        line.push(b'\n');
        self.make_room(line.len() as u64, 1)?;
        let mut file = match self.active.take().filter(|_| !self.last_is_full(line.len() as u64)) {
            Some(file) => file,
            None => self.open_active(pulse.seq, line.len() as u64)?,
        };
        let segment = self.segments.back_mut().expect("opening the active file makes a segment");
        segment.append(&mut file, pulse.seq, &line).map_err(failed("add to", &segment.path))?;
        self.active = Some(file);
        Ok(())
    }

    /// The oldest pulses that wait, in order: at most `max`, [`MAX_BATCH`] and [`MAX_BATCH_BYTES`]. It may be
    /// empty although [`Buffer::len`] is not 0, when files were damaged or removed while the buffer was open.
    pub fn batch(&self, max: usize) -> Result<Vec<Pulse>, BufferError> {
        let max = max.min(MAX_BATCH);
        let mut batch = Vec::new();
        let (mut bytes, mut last) = (0, self.state.floor);
        for segment in &self.segments {
            if batch.len() >= max {
                break;
            }
            if segment.newer_than(self.state.floor) == 0 {
                continue;
            }
            let more = segment.each(last, |pulse, length| {
                bytes += length;
                if batch.len() >= max || (bytes > MAX_BATCH_BYTES && !batch.is_empty()) {
                    return false;
                }
                last = pulse.seq;
                batch.push(pulse);
                true
            })?;
            if !more {
                break;
            }
        }
        Ok(batch)
    }

    /// Forgets all pulses up to and including `up_to_seq`: the platform has them. A number that was never given
    /// forgets no more than what is there.
    pub fn acknowledge(&mut self, up_to_seq: u64) -> Result<(), BufferError> {
        let floor = up_to_seq.min(self.next_seq() - 1);
        if floor <= self.state.floor {
            return Ok(());
        }
        self.set_floor(floor, 0)
    }

    /// Makes the next number at least `seq`: after a device lost its folder, the platform knows higher numbers
    /// than the buffer, and would take new pulses for old ones. Call it with the platform's highest plus one.
    pub fn skip_to(&mut self, seq: u64) -> Result<(), BufferError> {
        if seq <= self.next_seq() {
            return Ok(());
        }
        self.save_state(State { next_seq: seq.min(MAX_SEQ), ..self.state })
    }

    /// How many pulses wait.
    pub fn len(&self) -> usize {
        self.segments.iter().map(|segment| segment.newer_than(self.state.floor)).sum()
    }

    /// Whether none waits.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// How many pulses were dropped before the platform had them, since the folder was made.
    pub fn dropped(&self) -> u64 {
        self.state.dropped
    }

    /// The number for the next pulse; never one that was given before, also after a restart.
    pub fn next_seq(&self) -> u64 {
        let last = self.segments.iter().rev().find_map(Segment::last).unwrap_or(0);
        self.state.next_seq.max(self.state.floor + 1).max(last + 1)
    }

    /// How many bytes the pulses take on disk.
    pub fn bytes(&self) -> u64 {
        self.segments.iter().map(|segment| segment.bytes).sum()
    }

    /// The files that could not be used as they were when the buffer was opened.
    pub fn set_aside(&self) -> &[SetAside] {
        &self.set_aside
    }

    fn load_segments(&mut self) -> Result<(), BufferError> {
        let mut names = Vec::new();
        for entry in fs::read_dir(&self.folder).map_err(failed("list", &self.folder))? {
            let entry = entry.map_err(failed("list", &self.folder))?;
            let name = entry.file_name().to_string_lossy().into_owned();
            if name.starts_with(".echo-") {
                // A temporary file of a write that was killed; the lock says that nobody else writes here.
                let _ = fs::remove_file(entry.path());
            } else if Segment::is_name(&name) {
                names.push(name);
            }
        }
        names.sort_unstable();
        let mut last = 0;
        for name in names {
            let path = self.folder.join(&name);
            let (segment, notice) = Segment::open(&path, last)?;
            self.set_aside.extend(notice);
            match segment.last() {
                Some(seq) => {
                    last = seq;
                    self.segments.push_back(segment);
                }
                // Nothing good is left in it.
                None => remove(&path),
            }
        }
        Ok(())
    }

    fn last_is_full(&self, incoming: u64) -> bool {
        let segment_bytes = self.bounds.max_bytes / SEGMENTS as u64;
        let segment_pulses = self.bounds.max_pulses / SEGMENTS;
        self.segments
            .back()
            .is_none_or(|last| last.bytes + incoming > segment_bytes || last.seqs.len() >= segment_pulses)
    }

    /// Opens the last segment; begins a new one with `seq` when there is no room in it.
    fn open_active(&mut self, seq: u64, incoming: u64) -> Result<File, BufferError> {
        if self.last_is_full(incoming) {
            let segment = Segment::new(&self.folder, seq);
            let file = segment.open_to_append().map_err(failed("create", &segment.path))?;
            self.segments.push_back(segment);
            durable::sync_folder(&self.folder)?;
            self.discard_old();
            return Ok(file);
        }
        let segment = self.segments.back().expect("no segment counts as full");
        segment.open_to_append().map_err(failed("open", &segment.path))
    }

    /// Drops the oldest segments until `bytes` and `pulses` more fit.
    fn make_room(&mut self, bytes: u64, pulses: usize) -> Result<(), BufferError> {
        while self.bytes() + bytes > self.bounds.max_bytes || self.len() + pulses > self.bounds.max_pulses {
            let Some((floor, waiting)) = self.segments.front().and_then(|oldest| {
                let newest_in_it = oldest.last()?;
                Some((newest_in_it, oldest.newer_than(self.state.floor)))
            }) else {
                break;
            };
            tracing::warn!(dropped = waiting, "the pulse buffer is full: the oldest pulses are dropped");
            self.set_floor(floor.max(self.state.floor), waiting as u64)?;
            // The last segment is not discarded with the others: it is here only after the bounds were lowered.
            if let Some(oldest) = self.segments.pop_front_if(|oldest| oldest.last() == Some(floor)) {
                self.active = None;
                remove(&oldest.path);
            }
        }
        Ok(())
    }

    fn set_floor(&mut self, floor: u64, lost: u64) -> Result<(), BufferError> {
        self.save_state(State {
            floor,
            next_seq: self.next_seq(),
            dropped: self.state.dropped.saturating_add(lost),
        })?;
        self.discard_old();
        Ok(())
    }

    /// Deletes segments that hold nothing newer than the floor; the last one stays, to be added to.
    fn discard_old(&mut self) {
        while self.segments.len() > 1 && self.segments[0].newer_than(self.state.floor) == 0 {
            if let Some(old) = self.segments.pop_front() {
                remove(&old.path);
            }
        }
    }

    fn save_state(&mut self, state: State) -> Result<(), BufferError> {
        let bytes = serde_json::to_vec(&state).expect("three integers are always JSON");
        durable::write(&self.folder.join("state.json"), &bytes, Mode::Private)?;
        self.state = state;
        Ok(())
    }
}

/// The state on disk; a new one when there is none, or when it is damaged: then pulses that the platform has may be
/// sent again, which it recognises by their numbers.
fn load_state(path: &Path, set_aside: &mut Vec<SetAside>) -> State {
    let fresh = State { floor: 0, next_seq: 1, dropped: 0 };
    let reason = match durable::read(path, MAX_STATE_BYTES) {
        Ok(None) => return fresh,
        Ok(Some(bytes)) => match serde_json::from_slice::<State>(&bytes) {
            Ok(state) if state.floor.max(state.next_seq) <= MAX_SEQ => return state,
            Ok(_) => "its numbers are out of range".to_owned(),
            Err(error) => format!("it is not the JSON that Echo wrote: {error}"),
        },
        Err(error) => error.to_string(),
    };
    set_aside.push(SetAside::new(path, &path.with_extension("json.set-aside"), reason));
    fresh
}

/// Deletes a segment. One that stays is ignored, since the floor is above it, and tried again at the next opening.
fn remove(path: &Path) {
    if let Err(error) = fs::remove_file(path)
        && error.kind() != io::ErrorKind::NotFound
    {
        tracing::warn!(file = %path.display(), %error, "a spent segment could not be removed");
    }
}

fn failed(action: &'static str, path: &Path) -> impl FnOnce(io::Error) -> BufferError {
    let path = path.to_owned();
    move |source| BufferError::Io { action, path, source }
}
