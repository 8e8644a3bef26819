//! Time as a parameter.

use std::sync::atomic::{AtomicI64, Ordering};

use jiff::Timestamp;

/// Where the time comes from. Domain code takes a [`Timestamp`]; only shells hold a clock.
pub trait Clock: Send + Sync + std::fmt::Debug {
    /// The time now, cut to milliseconds (what the wire formats carry).
    fn now(&self) -> Timestamp;
}

/// The machine's wall clock.
#[derive(Debug, Clone, Copy, Default)]
pub struct SystemClock;

impl Clock for SystemClock {
    #[expect(clippy::disallowed_methods, reason = "the one place that reads the wall clock")]
    fn now(&self) -> Timestamp {
        from_millis(Timestamp::now().as_millisecond())
    }
}

/// A clock that stands still until a test moves it.
#[derive(Debug)]
pub struct ManualClock(AtomicI64);

impl ManualClock {
    /// A clock that stands at `at`.
    pub fn at(at: Timestamp) -> Self {
        Self(AtomicI64::new(at.as_millisecond()))
    }

    /// Moves the clock by `millis`, which may be negative.
    pub fn advance_millis(&self, millis: i64) {
        self.0.fetch_add(millis, Ordering::SeqCst);
    }
}

impl Clock for ManualClock {
    fn now(&self) -> Timestamp {
        from_millis(self.0.load(Ordering::SeqCst))
    }
}

/// A timestamp from milliseconds since the Unix epoch; values outside of jiff's range are clamped to it.
pub fn from_millis(millis: i64) -> Timestamp {
    let whole = |limit: Timestamp| limit.as_second() * 1000;
    let clamped = millis.clamp(whole(Timestamp::MIN), whole(Timestamp::MAX));
    Timestamp::from_millisecond(clamped).unwrap_or(Timestamp::UNIX_EPOCH)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_manual_clock_moves_only_when_told() {
        let clock = ManualClock::at(Timestamp::UNIX_EPOCH);
        assert_eq!(clock.now(), clock.now());
        clock.advance_millis(1_500);
        assert_eq!(clock.now().as_millisecond(), 1_500);
    }

    #[test]
    fn the_system_clock_has_millisecond_precision() {
        assert_eq!(SystemClock.now().as_nanosecond() % 1_000_000, 0);
    }

    #[test]
    fn extreme_milliseconds_are_clamped() {
        assert!(from_millis(i64::MAX) > from_millis(0));
        assert!(from_millis(i64::MIN) < from_millis(0));
    }
}
