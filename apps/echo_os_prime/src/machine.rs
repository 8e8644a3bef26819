//! What happens on the machine that jobs may listen to: mains power is back, nobody wants anything.

use std::{
    path::{Path, PathBuf},
    time::{Duration, Instant},
};

use desk::Desk;
use scheduler::Event;
use tokio::sync::watch;

/// After how long without a change the platform is idle.
const IDLE: Duration = Duration::from_mins(10);
/// The most power supplies that are looked at.
const MAX_SUPPLIES: usize = 16;
/// The most bytes of a file of the kernel's.
const MAX_BYTES: u64 = 4096;
/// Where the kernel lists power supplies (Documentation/ABI/testing/sysfs-class-power).
const SUPPLIES: &str = "/sys/class/power_supply";

/// What was seen at the last look.
pub struct Machine {
    supplies: PathBuf,
    changes: watch::Receiver<u64>,
    changed: Instant,
    told_idle: bool,
    mains: Option<bool>,
}

impl Machine {
    pub fn new(desk: &Desk) -> Self {
        Self::with(PathBuf::from(SUPPLIES), desk.changes(), Instant::now())
    }

    fn with(supplies: PathBuf, changes: watch::Receiver<u64>, now: Instant) -> Self {
        let mains = mains(&supplies);
        Self { supplies, changes, changed: now, told_idle: false, mains }
    }

    /// What happened since the last look.
    pub fn happened(&mut self) -> Vec<Event> {
        self.look(Instant::now())
    }

    fn look(&mut self, at: Instant) -> Vec<Event> {
        let mut events = Vec::new();
        let now = mains(&self.supplies);
        if now == Some(true) && self.mains == Some(false) {
            events.push(Event::Power);
        }
        self.mains = now;
        if self.changes.has_changed().unwrap_or(false) {
            self.changes.mark_unchanged();
            (self.changed, self.told_idle) = (at, false);
        } else if !self.told_idle && at.duration_since(self.changed) >= IDLE {
            self.told_idle = true;
            events.push(Event::Idle);
        }
        events
    }
}

/// Whether a mains supply is on; nothing on a machine that has none to speak of.
fn mains(supplies: &Path) -> Option<bool> {
    let read = |path: PathBuf| {
        let bytes = durable::read(&path, MAX_BYTES).ok().flatten()?;
        Some(String::from_utf8_lossy(&bytes).trim().to_owned())
    };
    let listed = std::fs::read_dir(supplies).ok()?;
    listed
        .filter_map(Result::ok)
        .take(MAX_SUPPLIES)
        .filter(|supply| read(supply.path().join("type")).as_deref() == Some("Mains"))
        .filter_map(|supply| read(supply.path().join("online")).map(|online| online == "1"))
        .reduce(|one, other| one || other)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn plug(folder: &Path, online: &str) {
        let supply = folder.join("AC");
        std::fs::create_dir_all(&supply).unwrap();
        durable::write(&supply.join("type"), b"Mains\n", durable::Mode::Public).unwrap();
        durable::write(&supply.join("online"), online.as_bytes(), durable::Mode::Public).unwrap();
    }

    #[test]
    fn power_that_comes_back_is_told_once() {
        let folder = tempfile::tempdir().unwrap();
        plug(folder.path(), "0\n");
        let (_sender, changes) = watch::channel(0);
        let mut machine = Machine::with(folder.path().to_owned(), changes, Instant::now());
        assert_eq!(machine.happened(), []);
        plug(folder.path(), "1\n");
        assert_eq!((machine.happened(), machine.happened()), (vec![Event::Power], vec![]));
    }

    #[test]
    fn ten_quiet_minutes_are_told_once_until_something_changes() {
        let folder = tempfile::tempdir().unwrap();
        let (sender, changes) = watch::channel(0);
        let start = Instant::now();
        let mut machine = Machine::with(folder.path().to_owned(), changes, start);
        assert_eq!(machine.look(start + IDLE / 2), []);
        assert_eq!(machine.look(start + IDLE), [Event::Idle]);
        assert_eq!(machine.look(start + IDLE * 2), []);
        sender.send_replace(1);
        assert_eq!(machine.look(start + IDLE * 3), []);
        assert_eq!(machine.look(start + IDLE * 4), [Event::Idle]);
    }
}
