//! Trust from the outside: rotations on simulated time, and files with one byte changed.

#![expect(clippy::unwrap_used, reason = "all of this is test code, not only its test functions")]

mod mutation;
mod rotation;

use std::sync::Arc;

use echo_core::{ManualClock, Mint, SeededEntropy, Timestamp};

/// Milliseconds of a day.
const DAY: i64 = 24 * 60 * 60 * 1000;

/// A mint on a clock that the test moves, from 2027 on.
fn simulated(seed: u64) -> (Arc<ManualClock>, Mint) {
    let clock = Arc::new(ManualClock::at("2027-01-01T00:00:00.125Z".parse().unwrap()));
    let mint = Mint::new(clock.clone(), Arc::new(SeededEntropy::new(seed)));
    (clock, mint)
}

fn days_after(at: Timestamp, days: i64) -> Timestamp {
    echo_core::clock::from_millis(at.as_millisecond() + days * DAY)
}
