//! How long to wait before trying again: doubling, bounded, never the same for two devices.

use std::time::Duration;

use echo_core::Mint;

/// The first wait.
const FIRST: Duration = Duration::from_secs(1);
/// The longest wait that is not asked for by the platform.
pub(crate) const LONGEST: Duration = Duration::from_mins(1);
/// The longest wait that the platform can ask for with `Retry-After`.
pub(crate) const LONGEST_ASKED: Duration = Duration::from_mins(5);

/// Counts failures in a row.
#[derive(Debug, Default)]
pub(crate) struct Backoff {
    failures: u32,
}

impl Backoff {
    /// It worked.
    pub(crate) fn reset(&mut self) {
        self.failures = 0;
    }

    /// It failed again: how long to wait. Half of it is random, so that a fleet does not come back as one.
    pub(crate) fn after_failure(&mut self, asked: Option<Duration>, mint: &Mint) -> Duration {
        let whole = FIRST.saturating_mul(1 << self.failures.min(16)).min(LONGEST);
        self.failures = self.failures.saturating_add(1);
        let random = f64::from(u16::from_be_bytes(mint.bytes())) / f64::from(u16::MAX);
        let wait = whole.mul_f64(0.5 + random / 2.0);
        asked.map_or(wait, |asked| wait.max(asked.min(LONGEST_ASKED)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_grow_to_a_bound_and_begin_anew() {
        let (mint, mut backoff) = (Mint::system(), Backoff::default());
        let first = backoff.after_failure(None, &mint);
        assert!(first <= FIRST && first >= FIRST / 2);
        let later: Vec<_> = (0..100).map(|_| backoff.after_failure(None, &mint)).collect();
        assert!(later.iter().all(|w| *w <= LONGEST) && later[99] >= LONGEST / 2);
        backoff.reset();
        assert!(backoff.after_failure(None, &mint) <= FIRST);
    }

    #[test]
    fn the_platform_may_ask_for_more_but_not_for_ever() {
        let (mint, mut backoff) = (Mint::system(), Backoff::default());
        assert_eq!(backoff.after_failure(Some(Duration::from_secs(90)), &mint).as_secs(), 90);
        assert_eq!(backoff.after_failure(Some(Duration::from_hours(2_500)), &mint), LONGEST_ASKED);
    }
}
