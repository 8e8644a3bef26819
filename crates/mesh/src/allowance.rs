//! How much somebody may do: a bucket that fills at a steady rate up to a bound.

use echo_core::Timestamp;

/// An allowance in millionths of a unit, so that small steps of time count.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Allowance {
    left: u64,
    most: u64,
    a_second: u64,
    at: Timestamp,
}

const MICRO: u64 = 1_000_000;

impl Allowance {
    /// `most` units now, and `a_second` more each second.
    pub(crate) fn new(now: Timestamp, most: u64, a_second: u64) -> Self {
        let most = most.saturating_mul(MICRO);
        Self { left: most, most, a_second, at: now }
    }

    /// Takes `units`, when there are so many left.
    pub(crate) fn take(&mut self, now: Timestamp, units: u64) -> bool {
        let micros =
            u64::try_from(now.as_microsecond().saturating_sub(self.at.as_microsecond())).unwrap_or(0);
        self.left = self.left.saturating_add(micros.saturating_mul(self.a_second)).min(self.most);
        self.at = self.at.max(now);
        let units = units.saturating_mul(MICRO);
        let enough = units <= self.left;
        if enough {
            self.left -= units;
        }
        enough
    }
}

#[cfg(test)]
mod tests {
    use echo_core::clock::from_millis;

    use super::*;

    #[test]
    fn it_fills_with_time_and_never_above_its_bound() {
        let mut allowance = Allowance::new(from_millis(0), 3, 2);
        assert!(allowance.take(from_millis(0), 3));
        assert!(!allowance.take(from_millis(0), 1));
        assert!(!allowance.take(from_millis(499), 1));
        assert!(allowance.take(from_millis(500), 1));
        assert!(!allowance.take(from_millis(100_000), 4), "more than the bound");
        assert!(allowance.take(from_millis(100_000), 3));
    }

    #[test]
    fn a_clock_that_goes_back_gives_nothing() {
        let mut allowance = Allowance::new(from_millis(1_000), 1, 1);
        assert!(allowance.take(from_millis(1_000), 1));
        assert!(!allowance.take(from_millis(0), 1));
        assert!(!allowance.take(from_millis(1_500), 1));
        assert!(allowance.take(from_millis(2_000), 1));
    }
}
