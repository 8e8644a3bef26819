//! How fast something goes.

use echo_core::Timestamp;

/// Bytes a second over the last seconds.
#[derive(Debug, Clone, Copy)]
pub(super) struct Meter {
    mark: (Timestamp, u64),
    rate: u64,
}

/// How long bytes are counted before they make a rate.
const OVER_MILLIS: u64 = 1_000;

impl Meter {
    pub(super) fn new(now: Timestamp, bytes: u64) -> Self {
        Self { mark: (now, bytes), rate: 0 }
    }

    /// So many bytes are done in all.
    pub(super) fn reached(&mut self, now: Timestamp, bytes: u64) {
        let millis = millis_between(self.mark.0, now);
        if millis >= OVER_MILLIS {
            self.rate = bytes.saturating_sub(self.mark.1).saturating_mul(1_000) / millis;
            self.mark = (now, bytes);
        }
    }

    /// Bytes a second; nothing when nothing was done lately.
    pub(super) fn rate(&self, now: Timestamp) -> u64 {
        if millis_between(self.mark.0, now) > 5 * OVER_MILLIS { 0 } else { self.rate }
    }
}

fn millis_between(then: Timestamp, now: Timestamp) -> u64 {
    u64::try_from(now.as_millisecond().saturating_sub(then.as_millisecond())).unwrap_or(0)
}
