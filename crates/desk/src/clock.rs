//! A wall clock that people set by hand, because there is no network that would.
//!
//! Times in a ledger never go back, but at one place: a `clock_set` entry of the genesis ledger, signed by the operator,
//! says from when to when the clock was set. Whoever writes an entry finds out by itself that the clock went back
//! ([`crate::work::Work::record_signed`]); that it went ahead shows beside a clock that nobody can set
//! ([`Desk::look_at_clock`]). A start with a clock that cannot be right is refused before anything is written, for
//! keys, papers and the trust registry are made by it.

use std::{
    path::Path,
    sync::{Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use access::{Action, Principal};
use dossier::{Kind, LogName};
use echo_core::{CustomerId, PageRequest, Timestamp};
use ledger::{Entry, Log};
use serde::{Deserialize, Serialize};
use store::{Filter, Record, Scope, Store};

use crate::{Desk, DeskError, DocumentRecord, Event, Work, work::Owner};

/// How far the clock may stray before it was set, in seconds.
pub const STRAY_SECONDS: i64 = 60;
/// How far before the newest known time a start may lie without a person's word, in seconds: a day covers any time zone.
pub const MAX_BACK_SECONDS: i64 = 24 * 3600;
/// How far after it, in seconds: 400 days. A machine that lay in a drawer for longer is started with a person's word.
pub const MAX_AHEAD_SECONDS: i64 = 400 * 24 * 3600;
/// Before this no Echo was made: 2026-01-01T00:00:00Z, in seconds since 1970.
const EARLIEST_SECOND: i64 = 1_767_225_600;
/// How often the time is kept as the last seen one, in seconds.
const KEEP_SECONDS: i64 = 60;
/// How many settings of the clock are shown.
const SHOWN: u32 = 20;

/// How it was found out.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Noticed {
    /// The platform started before a time that it has seen, or long after it.
    AtStart,
    /// The clock jumped beside one that nobody can set.
    Running,
    /// An entry was to be made before the one that its ledger ends with.
    Entering,
}

/// That the clock was set: the payload of [`Kind::ClockSet`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ClockSet {
    /// `clock-00000001` and so on.
    pub id: String,
    /// The time that the clock should have shown, as far as it was known.
    pub from: Timestamp,
    /// The time that it showed.
    pub to: Timestamp,
    /// How it was found out.
    pub noticed: Noticed,
    /// Whether a person gave their word that the new time is right (`--accept-clock`).
    pub accepted: bool,
}

impl Record for ClockSet {
    const KIND: &'static str = "clock set";

    fn id(&self) -> &str {
        &self.id
    }

    fn customer(&self) -> Option<&CustomerId> {
        None
    }
}

/// The last time that was seen.
#[derive(Debug, Clone, Serialize, Deserialize)]
struct Seen {
    id: String,
    at: Timestamp,
}

impl Record for Seen {
    const KIND: &'static str = "clock seen";

    fn id(&self) -> &str {
        &self.id
    }

    fn customer(&self) -> Option<&CustomerId> {
        None
    }
}

const SEEN: &str = "seen";

/// What is known of the clock while the platform runs.
#[derive(Debug)]
pub(crate) struct ClockRoom(Mutex<Known>);

#[derive(Debug)]
struct Known {
    /// Before this nothing is entered: the newest entry's time, of either ledger.
    floors: [Option<Timestamp>; 2],
    /// The newest time that was known at the start.
    newest: Option<Timestamp>,
    accepted: bool,
    /// The wall clock beside the one that nobody can set, at the last look.
    last: Option<(Timestamp, Duration)>,
    kept: Option<Timestamp>,
}

impl ClockRoom {
    /// Judges the clock of a start by what the home knows.
    pub(crate) async fn open(
        logs: [&Log; 2],
        store: &Store,
        now: Timestamp,
        accepted: bool,
    ) -> Result<Self, DeskError> {
        let mut tx = store.read().await?;
        let mut floors = logs.map(newest_entry);
        for owed in tx.owed().await? {
            let at = Entry::from_bytes(owed.entry.as_bytes()).ok().map(|entry| entry.at);
            if let Some(log) = LogName::ALL.into_iter().position(|log| log.as_str() == owed.log) {
                floors[log] = floors[log].max(at);
            }
        }
        let seen = tx.get::<Seen>(&Scope::All, SEEN).await?.map(|seen| seen.at);
        let newest = floors.into_iter().chain([seen]).max().flatten();
        if !accepted {
            doubt(now, newest).map_or(Ok(()), |why| Err(refused(&why)))?;
        }
        let known = Known { floors, newest, accepted, last: None, kept: seen };
        Ok(Self(Mutex::new(known)))
    }

    fn known(&self) -> MutexGuard<'_, Known> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Refuses to found a home by a clock that cannot be right, before anything is made. A home that is there knows more: see
/// [`ClockRoom::open`].
pub(crate) fn check_founding(home: &Path, now: Timestamp, accepted: bool) -> Result<(), DeskError> {
    if accepted || home.join(trust::keystore::KEYSTORE_FILE).exists() {
        return Ok(());
    }
    doubt(now, None).map_or(Ok(()), |why| Err(refused(&why)))
}

fn refused(why: &str) -> DeskError {
    DeskError::Home(format!(
        "{why}: nothing was touched; set the clock right (`date --set`) and start again, or, when it is right, start \
         once with --accept-clock"
    ))
}

/// Why a start at `now` is refused; nothing when the clock may be right.
fn doubt(now: Timestamp, newest: Option<Timestamp>) -> Option<String> {
    if now.as_second() < EARLIEST_SECOND {
        return Some(format!("the clock says {now}, and this program was not made before 2026"));
    }
    let newest = newest?;
    let ahead = now.as_second() - newest.as_second();
    if ahead < -MAX_BACK_SECONDS {
        return Some(format!(
            "the clock says {now}, {} days before {newest}, which this home has seen",
            days(-ahead)
        ));
    }
    (ahead > MAX_AHEAD_SECONDS).then(|| {
        format!("the clock says {now}, {} days after {newest}, when this home was last used", days(ahead))
    })
}

fn days(seconds: i64) -> i64 {
    seconds / (24 * 3600)
}

/// When the newest entry of a log was made.
pub(crate) fn newest_entry(log: &Log) -> Option<Timestamp> {
    let newest = log.size().checked_sub(1).and_then(|index| log.entry(index).ok())?;
    Entry::from_bytes(&newest).ok().map(|entry| entry.at)
}

/// How far the clock was set, in words.
impl std::fmt::Display for ClockSet {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let way = if self.to < self.from { "back" } else { "ahead" };
        write!(f, "the clock was set {way} from {} to {}", self.from, self.to)
    }
}

impl Desk {
    /// Enters that the clock was set before the start, when it was.
    pub(crate) async fn note_start(&self) -> Result<(), DeskError> {
        let (newest, accepted) = {
            let known = self.clock_room().known();
            (known.newest, known.accepted)
        };
        let Some(from) = newest else { return Ok(()) };
        let ahead = self.now().as_second() - from.as_second();
        if (-STRAY_SECONDS..=MAX_AHEAD_SECONDS).contains(&ahead) {
            return Ok(());
        }
        let mut work = self.work("Echo").await?;
        work.clock_set(from, Noticed::AtStart, accepted).await?;
        work.commit().await
    }

    /// Looks at the wall clock beside one that nobody can set, which says `elapsed` since some fixed moment and counts while
    /// the machine sleeps. To be called every few seconds: what the wall clock gains or loses in between, it was set.
    pub async fn look_at_clock(&self, elapsed: Duration) -> Result<(), DeskError> {
        let now = self.now();
        let (expected, keep) = {
            let mut known = self.clock_room().known();
            let expected = known.last.replace((now, elapsed)).map(|(wall, then)| {
                let passed = i64::try_from(elapsed.saturating_sub(then).as_millis()).unwrap_or(i64::MAX);
                echo_core::clock::from_millis(wall.as_millisecond().saturating_add(passed))
            });
            let keep =
                known.kept.is_none_or(|kept| (now.as_second() - kept.as_second()).abs() >= KEEP_SECONDS);
            (expected, keep)
        };
        let set = expected.filter(|from| (now.as_second() - from.as_second()).abs() > STRAY_SECONDS);
        if set.is_none() && !keep {
            return Ok(());
        }
        let mut work = self.work("Echo").await?;
        if let Some(from) = set {
            work.clock_set(from, Noticed::Running, false).await?;
        }
        work.see().await?;
        work.commit().await?;
        self.clock_room().known().kept = Some(now);
        Ok(())
    }

    /// When the clock was set, newest first, at most twenty.
    pub async fn clock_settings(&self, principal: &Principal) -> Result<Vec<ClockSet>, DeskError> {
        principal.require(Action::ReadMetrics)?;
        let newest = PageRequest { cursor: None, limit: Some(SHOWN) };
        Ok(self.store().read().await?.list(&Scope::All, &Filter::default(), &newest).await?.items)
    }

    /// Before this nothing is entered into a log.
    pub(crate) fn clock_floor(&self, log: LogName) -> Option<Timestamp> {
        self.clock_room().known().floors[place(log)]
    }
}

fn place(log: LogName) -> usize {
    LogName::ALL.into_iter().position(|one| one == log).unwrap_or_default()
}

impl Work<'_> {
    /// The time of an entry that is made now: never before the one that its log ends with. Where the clock was set back
    /// by more than it may stray, that is entered first.
    pub(crate) async fn entry_time(&mut self, log: LogName) -> Result<Timestamp, DeskError> {
        let floor = self.desk.clock_floor(log).unwrap_or(self.now);
        if !self.clock_set && floor.as_second() - self.now.as_second() > STRAY_SECONDS {
            self.clock_set(floor, Noticed::Entering, false).await?;
        }
        if self.clock_set {
            return Ok(self.now);
        }
        let at = floor.max(self.now);
        // The work's transaction is the only one that writes, so floors rise in the order of the entries.
        self.desk.clock_room().known().floors[place(log)] = Some(at);
        Ok(at)
    }

    /// Signs that the clock was set to this work's time. Once that is durable, both ledgers go on from there.
    async fn clock_set(
        &mut self,
        from: Timestamp,
        noticed: Noticed,
        accepted: bool,
    ) -> Result<(), DeskError> {
        let id = format!("clock-{:08}", self.tx.next("clock").await?);
        let set = ClockSet { id, from, to: self.now, noticed, accepted };
        tracing::warn!("{set}: the genesis ledger says so");
        self.tx.insert(&set).await?;
        let key = self.desk.signer(Kind::ClockSet.signer())?;
        let envelope = trust::Envelope::sign(Kind::ClockSet.payload_type(), &set, &[key])?;
        let document = DocumentRecord::new(Kind::ClockSet, &set.id, Owner::default(), envelope, self.now)?;
        self.tx.insert(&document).await?;
        self.tx.owe(Kind::ClockSet.log().as_str(), &document.leaf, &document.entry).await?;
        let what = set.to_string();
        self.clock_set = true;
        self.tell(None, &Event { topic: "clock".to_owned(), id: set.id, what, at: self.now }).await
    }

    /// What it signed of the clock is durable: both ledgers go on from its time.
    pub(crate) fn clock_is_set(desk: &Desk, now: Timestamp) {
        let mut known = desk.clock_room().known();
        known.floors = [Some(now); 2];
        known.last = None;
    }

    /// Keeps the time as the last seen one.
    async fn see(&mut self) -> Result<(), DeskError> {
        let seen = Seen { id: SEEN.to_owned(), at: self.now };
        match self.tx.get::<Seen>(&Scope::All, SEEN).await? {
            Some(_) => self.tx.update(&seen).await?,
            None => self.tx.insert(&seen).await?,
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(text: &str) -> Timestamp {
        text.parse().unwrap()
    }

    #[test]
    fn a_clock_that_cannot_be_right_is_doubted() {
        let newest = Some(at("2026-11-01T10:00:00Z"));
        for (now, newest, words) in [
            ("1970-01-01T00:00:00Z", None, "not made before"),
            ("1970-01-01T00:00:00Z", newest, "not made before"),
            ("2026-10-31T09:59:59Z", newest, "1 days before"),
            ("2099-01-01T00:00:00Z", newest, "after 2026-11-01"),
        ] {
            let why = doubt(at(now), newest).unwrap_or_default();
            assert!(why.contains(words), "{now}: {why}");
        }
        for (now, newest) in [
            ("2026-01-01T00:00:00Z", None),
            ("2099-01-01T00:00:00Z", None),
            ("2026-10-31T10:00:00Z", newest),
            ("2027-11-30T10:00:00Z", newest),
        ] {
            assert_eq!(doubt(at(now), newest), None, "{now}");
        }
    }
}
