//! A circuit breaker: a skill that keeps failing rests for a while instead of failing again.
//!
//! Closed lets calls through; [`THRESHOLD`] failures in a row open it; after [`COOL_DOWN_SECONDS`] one trial call
//! may pass (half-open), and its result closes or opens it again.

use echo_core::Timestamp;
use serde::{Deserialize, Serialize};

/// How many failures in a row open a breaker.
pub const THRESHOLD: u32 = 5;
/// How many seconds a breaker stays open, and how long a trial may take before it counts as lost.
pub const COOL_DOWN_SECONDS: i64 = 30;

/// What a breaker lets through.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "state", rename_all = "snake_case", deny_unknown_fields)]
pub enum BreakerState {
    /// Every call.
    Closed {
        /// How many calls failed since the last that did not.
        failures: u32,
    },
    /// No call.
    Open {
        /// Since when.
        since: Timestamp,
    },
    /// One trial call, which is under way.
    HalfOpen {
        /// When the trial was let through.
        since: Timestamp,
    },
}

/// The breaker of one skill. Keep one a skill, and store it to have it survive a restart.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Breaker {
    /// Counts the state changes, so that a late result of an earlier state is known as such.
    epoch: u64,
    state: BreakerState,
}

impl Default for Breaker {
    fn default() -> Self {
        Self { epoch: 0, state: BreakerState::Closed { failures: 0 } }
    }
}

impl Breaker {
    /// A closed breaker.
    pub fn new() -> Self {
        Self::default()
    }

    /// What it lets through, as of the last call.
    pub fn state(&self) -> BreakerState {
        self.state
    }

    /// Lets a call through and gives the epoch to report its result with; else the seconds to wait, at least 1.
    pub(crate) fn admit(&mut self, now: Timestamp) -> Result<u64, u64> {
        let (BreakerState::Open { since } | BreakerState::HalfOpen { since }) = &mut self.state else {
            return Ok(self.epoch);
        };
        // A clock that was set back must not keep the breaker open for as long as it was set back.
        *since = now.min(*since);
        let waited = now.duration_since(*since).as_secs();
        if waited < COOL_DOWN_SECONDS {
            return Err(u64::try_from(COOL_DOWN_SECONDS - waited).unwrap_or(1));
        }
        self.turn(BreakerState::HalfOpen { since: now });
        Ok(self.epoch)
    }

    /// Takes the result of a call that was let through in `epoch`; one of an earlier epoch counts no more.
    pub(crate) fn report(&mut self, epoch: u64, ok: bool, now: Timestamp) {
        if epoch != self.epoch {
            return;
        }
        match (&mut self.state, ok) {
            (BreakerState::Closed { failures }, true) => *failures = 0,
            (BreakerState::Closed { failures }, false) => {
                *failures = failures.saturating_add(1);
                if *failures >= THRESHOLD {
                    self.turn(BreakerState::Open { since: now });
                }
            }
            (BreakerState::HalfOpen { .. }, true) => self.turn(BreakerState::Closed { failures: 0 }),
            (BreakerState::HalfOpen { .. }, false) => self.turn(BreakerState::Open { since: now }),
            (BreakerState::Open { .. }, _) => {}
        }
    }

    fn turn(&mut self, state: BreakerState) {
        self.epoch = self.epoch.wrapping_add(1);
        self.state = state;
    }
}

#[cfg(test)]
mod tests {
    use echo_core::clock::from_millis;
    use proptest::prelude::*;

    use super::*;

    fn at(seconds: i64) -> Timestamp {
        from_millis(seconds * 1_000)
    }

    fn opened() -> Breaker {
        let mut breaker = Breaker::new();
        for _ in 0..THRESHOLD {
            let epoch = breaker.admit(at(0)).unwrap();
            breaker.report(epoch, false, at(0));
        }
        breaker
    }

    #[test]
    fn it_opens_at_the_threshold_and_says_how_long_to_wait() {
        let mut breaker = opened();
        assert_eq!(breaker.admit(at(10)), Err(20));
        assert_eq!(breaker.admit(at(29)), Err(1));
        assert!(breaker.admit(at(30)).is_ok());
    }

    #[test]
    fn a_success_between_failures_starts_the_count_again() {
        let mut breaker = Breaker::new();
        for round in 0..3 * THRESHOLD {
            let epoch = breaker.admit(at(0)).unwrap();
            breaker.report(epoch, round % THRESHOLD == THRESHOLD - 1, at(0));
        }
        assert_eq!(breaker.state(), BreakerState::Closed { failures: 0 });
    }

    #[test]
    fn half_open_lets_one_trial_through_whose_result_decides() {
        for (ok, open_after) in [(true, false), (false, true)] {
            let mut breaker = opened();
            let trial = breaker.admit(at(30)).unwrap();
            assert_eq!(breaker.admit(at(31)), Err(29), "a second trial");
            breaker.report(trial, ok, at(32));
            assert_eq!(breaker.admit(at(33)).is_err(), open_after);
        }
    }

    #[test]
    fn a_late_result_from_before_it_opened_does_not_close_it() {
        let mut breaker = Breaker::new();
        let slow = breaker.admit(at(0)).unwrap();
        for _ in 0..THRESHOLD {
            let epoch = breaker.admit(at(0)).unwrap();
            breaker.report(epoch, false, at(0));
        }
        let _trial = breaker.admit(at(30)).unwrap();
        breaker.report(slow, true, at(31));
        assert!(matches!(breaker.state(), BreakerState::HalfOpen { .. }));
    }

    #[test]
    fn a_lost_trial_does_not_keep_it_half_open_for_ever() {
        let mut breaker = opened();
        breaker.admit(at(30)).unwrap();
        assert!(breaker.admit(at(60)).is_ok());
    }

    #[test]
    fn a_clock_set_back_does_not_keep_it_open_for_ever() {
        let mut breaker = opened();
        assert_eq!(breaker.admit(at(-1_000_000)), Err(30));
        assert!(breaker.admit(at(-999_970)).is_ok());
    }

    #[test]
    fn it_survives_a_restart() {
        let breaker = opened();
        let json = serde_json::to_string(&breaker).unwrap();
        assert_eq!(serde_json::from_str::<Breaker>(&json).unwrap(), breaker);
    }

    proptest! {
        /// Checks each step against the rules, written down a second time over the history of results.
        #[test]
        fn the_state_machine_keeps_its_rules(steps in prop::collection::vec((0_i64..20, any::<bool>()), 1..200)) {
            let mut breaker = Breaker::new();
            let (mut now, mut failures, mut rests_until) = (0, 0, None);
            for (pause, ok) in steps {
                now += pause;
                let rests = rests_until.is_some_and(|until| now < until);
                let admitted = breaker.admit(at(now));
                prop_assert_eq!(admitted.is_err(), rests);
                match admitted {
                    Ok(epoch) => {
                        breaker.report(epoch, ok, at(now));
                        failures = if ok { 0 } else { failures + 1 };
                        let trips = !ok && (rests_until.is_some() || failures >= THRESHOLD);
                        rests_until = trips.then_some(now + COOL_DOWN_SECONDS);
                    }
                    Err(wait) => prop_assert_eq!(Some(now + i64::try_from(wait).unwrap()), rests_until),
                }
            }
        }
    }
}
