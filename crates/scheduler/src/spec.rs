//! One job: when it runs, and what holds when something comes in between.

use echo_core::Timestamp;
use jiff::SignedDuration;
use serde::{Deserialize, Serialize};

use crate::{Event, ScheduleError, Trigger};

/// The most missed runs that are made up for.
pub const MAX_CATCH_UP: u32 = 24;
/// The most lines of a job's history.
pub const MAX_HISTORY: usize = 200;
/// The most triggers of a job.
const MAX_TRIGGERS: usize = 16;
/// The most jobs that a job waits for.
const MAX_AFTER: usize = 8;
/// The most retries.
const MAX_RETRIES: u32 = 10;
/// The longest jitter, grace, backoff and timeout, in seconds: a day.
const LONGEST_SECONDS: i64 = 24 * 3600;
/// How many occurrences in a row are looked at for the shortest gap between two.
const LOOKED_AT: usize = 400;

/// What becomes of runs that were due while nobody could start them.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Missed {
    /// They are left out.
    Skip,
    /// One run stands for all of them, with the key of the latest.
    #[default]
    Once,
    /// Each of them is made up for, the latest so many, oldest first.
    All(u32),
}

/// What becomes of a run that is due while the one before is not over.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Overlap {
    /// It is left out.
    #[default]
    Skip,
    /// One of them waits; more are left out.
    Queue,
    /// The one under way is stopped.
    Replace,
}

/// How often a failed run is tried again, under the same key.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Retries {
    /// How often.
    pub max: u32,
    /// How long until the first; each further one waits twice as long, at most a day.
    pub backoff: SignedDuration,
}

impl Default for Retries {
    fn default() -> Self {
        Self { max: 2, backoff: SignedDuration::from_mins(1) }
    }
}

/// The most that a job may take on one day of UTC. A run that would be over it is left out.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Budget {
    /// How many runs, retries among them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub runs: Option<u32>,
    /// How many seconds of running; a run that has begun may go over it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub seconds: Option<u32>,
}

/// One job of a schedule.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct JobSpec {
    /// Its name: small letters, digits and underscores.
    pub name: String,
    /// What makes it run: any of these.
    pub when: Vec<Trigger>,
    /// By how long a run may be put off, so that not all homes do everything at once. Always the same for one run.
    #[serde(default)]
    pub jitter: SignedDuration,
    /// How late a run may start without counting as missed.
    #[serde(default = "one_minute")]
    pub grace: SignedDuration,
    /// What becomes of missed runs.
    #[serde(default)]
    pub missed: Missed,
    /// What becomes of a run that meets the one before.
    #[serde(default)]
    pub overlap: Overlap,
    /// The jobs that must not be due or under way when it starts, and must not have failed last.
    #[serde(default)]
    pub after: Vec<String>,
    /// What becomes of a failed run. One that a loss of power cut off counts as failed, and is tried again at once.
    #[serde(default)]
    pub retries: Retries,
    /// How long a run may take before it is stopped and counts as failed.
    #[serde(default = "one_hour")]
    pub timeout: SignedDuration,
    /// The most that it may take on one day.
    #[serde(default)]
    pub budget: Budget,
    /// How many lines of history are kept.
    #[serde(default = "twenty")]
    pub history: usize,
}

fn one_minute() -> SignedDuration {
    SignedDuration::from_mins(1)
}

fn one_hour() -> SignedDuration {
    SignedDuration::from_hours(1)
}

fn twenty() -> usize {
    20
}

impl JobSpec {
    /// The first scheduled time after `after`, without its jitter.
    pub fn next(&self, after: Timestamp) -> Option<Timestamp> {
        self.when.iter().filter_map(|trigger| trigger.next(after)).min()
    }

    /// Whether that event makes it run.
    pub fn listens_to(&self, event: Event) -> bool {
        self.when.contains(&Trigger::On(event))
    }

    /// The shortest time between two runs in the first occurrences after `from`, in seconds; nothing when fewer than two
    /// are ever due.
    pub fn shortest_gap(&self, from: Timestamp) -> Option<i64> {
        let mut at = self.next(from)?;
        let mut shortest = None;
        for _ in 0..LOOKED_AT {
            let Some(next) = self.next(at) else { break };
            let gap = next.as_second() - at.as_second();
            shortest = Some(shortest.map_or(gap, |least: i64| least.min(gap)));
            at = next;
        }
        shortest
    }

    /// Refuses what cannot be meant.
    pub(crate) fn check(&self, from: Timestamp) -> Result<(), ScheduleError> {
        let refused = |reason: &str| Err(ScheduleError::job(&self.name, reason));
        let good = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'_';
        if self.name.is_empty() || self.name.len() > 40 || !self.name.bytes().all(good) {
            return refused("a name has 1 to 40 small letters, digits and underscores");
        }
        if self.when.is_empty() || self.when.len() > MAX_TRIGGERS {
            return refused("write 1 to 16 triggers under `when`");
        }
        if self.after.len() > MAX_AFTER {
            return refused("it may wait for at most 8 jobs under `after`");
        }
        for (what, span) in [
            ("jitter", self.jitter),
            ("grace", self.grace),
            ("timeout", self.timeout),
            ("backoff", self.retries.backoff),
        ] {
            if span.is_negative() || span.as_secs() > LONGEST_SECONDS {
                return refused(&format!("`{what}` is from 0 s to 24 h"));
            }
        }
        if self.timeout.as_secs() < 1 {
            return refused("`timeout` is at least 1 s");
        }
        if self.retries.max > MAX_RETRIES {
            return refused("`retries` has a `max` of at most 10");
        }
        if self.history == 0 || self.history > MAX_HISTORY {
            return refused("`history` is 1 to 200 lines");
        }
        if matches!(self.missed, Missed::All(n) if n == 0 || n > MAX_CATCH_UP) {
            return refused("`missed: {all: N}` makes up for 1 to 24 runs");
        }
        self.check_times(from)
    }

    fn check_times(&self, from: Timestamp) -> Result<(), ScheduleError> {
        for trigger in &self.when {
            if let Trigger::Cron(cron, zone) = trigger
                && cron.next(zone, from).is_none()
            {
                return Err(ScheduleError::job(
                    &self.name,
                    format!(
                        "`{cron}` never comes: no day of the calendar fits it in the next {} years; look at its day, month \
                         and weekday",
                        crate::HORIZON_YEARS
                    ),
                ));
            }
        }
        // Each run must begin before the next one is due, or their order would be a matter of luck.
        match self.shortest_gap(from) {
            Some(gap) if self.jitter.as_secs() >= gap => Err(ScheduleError::job(
                &self.name,
                format!("its runs are {gap} s apart, and `jitter` must be shorter than that"),
            )),
            _ => Ok(()),
        }
    }
}
