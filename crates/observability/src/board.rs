//! The platform's view: the current state of each node, and a bounded history.

use std::{
    collections::{BTreeMap, VecDeque},
    path::{Path, PathBuf},
};

use durable::{DurableError, Mode};
use echo_core::DeviceId;
use jiff::Timestamp;
use serde::{Deserialize, Serialize, de::DeserializeOwned};

use crate::{
    history::{self, COLUMNS, MAX_POINTS, Point, Row},
    pulse::{PULSE_EVERY_SECONDS, Pulse, PulseError},
    set_aside::SetAside,
};

/// The most nodes on the board; the one that was silent longest goes first.
pub const MAX_NODES: usize = 1000;
/// How long after a pulse a node counts as online, in seconds: it may miss two.
pub const ONLINE_FOR_SECONDS: u64 = 3 * PULSE_EVERY_SECONDS;
/// The most bytes of `pulse.json`: [`MAX_NODES`] of the largest pulses, with room to spare.
const MAX_CURRENT_BYTES: u64 = 80 * 1024 * 1024;
/// The most bytes of `pulse_history.json`: every point of every node with the longest numbers.
const MAX_HISTORY_BYTES: u64 = 64 * 1024 * 1024;
/// The form of both files.
const VERSION: u32 = 1;

/// What became of a pulse.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Accepted {
    /// It is the node's current state now.
    Fresh,
    /// It was known, or older than what is known: nothing changed.
    Duplicate,
    /// It is out of bounds: nothing changed.
    Refused(PulseError),
}

/// Whether a node is there.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Presence {
    /// Heard within [`ONLINE_FOR_SECONDS`].
    Online,
    /// Heard, but not lately.
    Stale,
    /// Not heard at all.
    Never,
}

/// Why the board cannot be opened or saved.
#[derive(Debug, thiserror::Error)]
pub enum BoardError {
    /// A file or the folder refused.
    #[error("telemetry cannot be kept: {0}")]
    Durable(#[from] DurableError),
}

/// The last pulse of each node and its history, in memory, kept in `pulse.json` and `pulse_history.json`.
#[derive(Debug)]
pub struct PulseBoard {
    home: PathBuf,
    nodes: BTreeMap<DeviceId, Node>,
    history: BTreeMap<DeviceId, VecDeque<Point>>,
    dirty: bool,
    set_aside: Vec<SetAside>,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Node {
    /// When the platform heard it.
    heard: Timestamp,
    pulse: Pulse,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct CurrentFile<N> {
    version: u32,
    nodes: N,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct HistoryFile {
    version: u32,
    columns: Vec<String>,
    nodes: BTreeMap<DeviceId, Vec<Row>>,
}

impl PulseBoard {
    /// Opens the board of `home`. A file that cannot be used is set aside ([`PulseBoard::set_aside`]) and the
    /// board starts without it; only a home that cannot be made is an error.
    pub fn open(home: &Path) -> Result<Self, BoardError> {
        durable::create_folder(home)?;
        let mut set_aside = Vec::new();
        let mut board = Self {
            home: home.to_owned(),
            nodes: BTreeMap::new(),
            history: BTreeMap::new(),
            dirty: false,
            set_aside: Vec::new(),
        };
        let current: Option<CurrentFile<BTreeMap<DeviceId, Node>>> =
            load(&board.current_path(), MAX_CURRENT_BYTES, &mut set_aside);
        for (device, node) in current.map(|file| file.nodes).unwrap_or_default() {
            // A line that somebody edited into nonsense counts as never heard.
            if device == node.pulse.device && node.pulse.validate().is_ok() && board.nodes.len() < MAX_NODES {
                board.nodes.insert(device, node);
            }
        }
        let history: Option<HistoryFile> = load(&board.history_path(), MAX_HISTORY_BYTES, &mut set_aside);
        for (device, rows) in history.map(|file| file.nodes).unwrap_or_default().into_iter().take(MAX_NODES) {
            let newest = rows.len().saturating_sub(MAX_POINTS);
            board.history.insert(device, rows.into_iter().skip(newest).map(Point::from).collect());
        }
        board.set_aside = set_aside;
        Ok(board)
    }

    /// Takes a pulse whose own time counts as the time it was heard: for imports and simulations. A server
    /// uses [`PulseBoard::accept_at`], because a device's clock may be wrong.
    pub fn accept(&mut self, pulse: Pulse) -> Accepted {
        let heard = pulse.at;
        self.accept_at(pulse, heard)
    }

    /// Takes a pulse that was heard at `heard`. The caller has made sure that it comes from its device.
    pub fn accept_at(&mut self, pulse: Pulse, heard: Timestamp) -> Accepted {
        if let Err(error) = pulse.validate() {
            return Accepted::Refused(error);
        }
        let known = self.nodes.get(&pulse.device);
        if known.is_some_and(|node| pulse.seq <= node.pulse.seq) {
            return Accepted::Duplicate;
        }
        // Facts are sent when they change: until then the last ones hold.
        let last_facts = known.and_then(|node| node.pulse.facts.clone());
        let pulse = Pulse { facts: pulse.facts.clone().or(last_facts), ..pulse };
        let device = pulse.device.clone();
        history::add(self.history.entry(device.clone()).or_default(), Point::of(&pulse));
        self.nodes.insert(device.clone(), Node { heard, pulse });
        self.make_room(&device);
        self.dirty = true;
        Accepted::Fresh
    }

    /// The last pulse of a node, with the last facts it sent.
    pub fn current(&self, device: &DeviceId) -> Option<&Pulse> {
        self.nodes.get(device).map(|node| &node.pulse)
    }

    /// The last pulse of each node, by device.
    pub fn all(&self) -> impl Iterator<Item = &Pulse> {
        self.nodes.values().map(|node| &node.pulse)
    }

    /// The history of a node, oldest first; at most [`MAX_POINTS`].
    pub fn history(&self, device: &DeviceId) -> Vec<Point> {
        self.history.get(device).map(|points| points.iter().copied().collect()).unwrap_or_default()
    }

    /// When a node was last heard.
    pub fn last_heard(&self, device: &DeviceId) -> Option<Timestamp> {
        self.nodes.get(device).map(|node| node.heard)
    }

    /// Whether a node is there. A time that is as far in the future says as little as one in the past.
    pub fn presence(&self, device: &DeviceId, now: Timestamp) -> Presence {
        match self.last_heard(device) {
            None => Presence::Never,
            Some(heard) if now.duration_since(heard).abs().as_secs().unsigned_abs() <= ONLINE_FOR_SECONDS => {
                Presence::Online
            }
            Some(_) => Presence::Stale,
        }
    }

    /// The highest sequence number taken from a node; 0 when there is none.
    pub fn highest_seq(&self, device: &DeviceId) -> u64 {
        self.current(device).map_or(0, |pulse| pulse.seq)
    }

    /// Whether there is something to save.
    pub fn is_dirty(&self) -> bool {
        self.dirty
    }

    /// The files that could not be used when the board was opened.
    pub fn set_aside(&self) -> &[SetAside] {
        &self.set_aside
    }

    /// Forgets a node, for a device that was removed.
    pub fn forget(&mut self, device: &DeviceId) {
        let known = self.nodes.remove(device).is_some();
        self.dirty |= self.history.remove(device).is_some() || known;
    }

    /// Writes both files when something changed. Writing takes time with the number of nodes (1000 nodes with
    /// full histories are 21 MB, written in a fifth of a second): call it every few seconds and at the end.
    pub fn save(&mut self) -> Result<(), BoardError> {
        if !self.dirty {
            return Ok(());
        }
        // The sequence numbers first: after a crash in between, a point is missing rather than there twice.
        write(&self.current_path(), &CurrentFile { version: VERSION, nodes: &self.nodes })?;
        let rows = |points: &VecDeque<Point>| points.iter().map(Row::from).collect();
        let history = HistoryFile {
            version: VERSION,
            columns: COLUMNS.map(str::to_owned).to_vec(),
            nodes: self.history.iter().map(|(device, points)| (device.clone(), rows(points))).collect(),
        };
        write(&self.history_path(), &history)?;
        self.dirty = false;
        Ok(())
    }

    /// Drops the nodes that were silent longest, never `newcomer`, until the bound holds.
    fn make_room(&mut self, newcomer: &DeviceId) {
        while self.nodes.len() > MAX_NODES {
            let others = self.nodes.iter().filter(|(device, _)| *device != newcomer);
            let Some(silent) = others.min_by_key(|(_, node)| node.heard).map(|(device, _)| device.clone())
            else {
                break;
            };
            tracing::warn!(device = %silent, limit = MAX_NODES, "more nodes than the board holds: one was dropped");
            self.nodes.remove(&silent);
            self.history.remove(&silent);
        }
        if self.history.len() > MAX_NODES {
            self.history.retain(|device, _| self.nodes.contains_key(device));
        }
    }

    fn current_path(&self) -> PathBuf {
        self.home.join("pulse.json")
    }

    fn history_path(&self) -> PathBuf {
        self.home.join("pulse_history.json")
    }
}

trait Versioned: DeserializeOwned {
    /// Why this form cannot be read.
    fn foreign(&self) -> Option<String>;
}

impl Versioned for CurrentFile<BTreeMap<DeviceId, Node>> {
    fn foreign(&self) -> Option<String> {
        (self.version != VERSION).then(|| format!("it has version {}, and {VERSION} is known", self.version))
    }
}

impl Versioned for HistoryFile {
    fn foreign(&self) -> Option<String> {
        let known = self.version == VERSION && self.columns == COLUMNS;
        (!known).then(|| format!("it has version {} or other columns than {COLUMNS:?}", self.version))
    }
}

fn load<T: Versioned>(path: &Path, limit: u64, set_aside: &mut Vec<SetAside>) -> Option<T> {
    let reason = match durable::read(path, limit) {
        Ok(None) => return None,
        Ok(Some(bytes)) => match serde_json::from_slice::<T>(&bytes) {
            Ok(file) => match file.foreign() {
                None => return Some(file),
                Some(reason) => reason,
            },
            Err(error) => format!("it is not the JSON that Echo wrote: {error}"),
        },
        Err(error) => error.to_string(),
    };
    set_aside.push(SetAside::new(path, &path.with_extension("json.set-aside"), reason));
    None
}

fn write(path: &Path, value: &impl Serialize) -> Result<(), BoardError> {
    let bytes = serde_json::to_vec(value).expect("ids as keys and finite numbers are always JSON");
    Ok(durable::write(path, &bytes, Mode::Private)?)
}
