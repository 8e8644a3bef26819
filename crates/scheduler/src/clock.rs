//! Two clocks side by side: the one on the wall, and the one that only goes forward.

use echo_core::Timestamp;
use serde::{Deserialize, Serialize};

/// How far the two clocks may drift apart between two looks before that counts as a jump, in milliseconds.
pub(crate) const DRIFT_MILLIS: i64 = 2_000;

/// One look at both clocks.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Instants {
    /// The wall clock, which people and time servers set.
    pub wall: Timestamp,
    /// Milliseconds since the machine started, those of its sleep included.
    pub monotonic: i64,
    /// Which start of the machine that is.
    pub boot: String,
}

/// A moment of the monotonic clock. A machine that started anew is past every one of before.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Deadline {
    /// Of which start of the machine.
    pub boot: String,
    /// In milliseconds since it.
    pub monotonic: i64,
}

impl Instants {
    /// The moment in `millis` from now.
    pub(crate) fn in_millis(&self, millis: i64) -> Deadline {
        Deadline { boot: self.boot.clone(), monotonic: self.monotonic.saturating_add(millis) }
    }

    /// How many milliseconds passed since `moment`; nothing when the machine was started anew since.
    pub(crate) fn since(&self, moment: &Deadline) -> Option<i64> {
        (moment.boot == self.boot).then(|| self.monotonic.saturating_sub(moment.monotonic).max(0))
    }
}

impl Deadline {
    pub(crate) fn is_past(&self, now: &Instants) -> bool {
        self.boot != now.boot || now.monotonic >= self.monotonic
    }

    /// How many milliseconds there are left.
    pub(crate) fn left(&self, now: &Instants) -> i64 {
        if self.is_past(now) { 0 } else { self.monotonic.saturating_sub(now.monotonic) }
    }
}

/// What both clocks showed at the last step.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Seen {
    pub(crate) wall: Timestamp,
    pub(crate) moment: Deadline,
}

impl Seen {
    pub(crate) fn of(now: &Instants) -> Self {
        Self { wall: now.wall, moment: now.in_millis(0) }
    }

    /// By how many milliseconds the wall clock was set since; nothing when it was not. Over a start of the machine only a
    /// clock that went back can be told.
    pub(crate) fn jump(&self, now: &Instants) -> Option<i64> {
        let walked = now.wall.as_millisecond().saturating_sub(self.wall.as_millisecond());
        match now.since(&self.moment) {
            Some(passed) => {
                Some(walked.saturating_sub(passed)).filter(|jump| jump.saturating_abs() > DRIFT_MILLIS)
            }
            None => Some(walked).filter(|walked| *walked < -DRIFT_MILLIS),
        }
    }
}
