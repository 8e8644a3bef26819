//! How fast one connection may speak: a bucket that fills by the second (a token bucket, RFC 2697 without colours).

use tokio::time::Instant;

use crate::Limits;

/// A bucket that is full when it is made.
#[derive(Debug)]
pub(crate) struct Bucket {
    rate: f64,
    most: f64,
    left: f64,
    at: Instant,
}

impl Bucket {
    pub(crate) fn new(a_second: u32, now: Instant) -> Self {
        let most = f64::from(a_second) * f64::from(Limits::BURST_SECONDS);
        Self { rate: f64::from(a_second), most, left: most, at: now }
    }

    /// Takes `amount` out, if there is so much.
    pub(crate) fn take(&mut self, amount: u32, now: Instant) -> bool {
        let gone = now.saturating_duration_since(self.at).as_secs_f64();
        self.left = (self.left + gone * self.rate).min(self.most);
        self.at = now;
        let enough = self.left >= f64::from(amount);
        if enough {
            self.left -= f64::from(amount);
        }
        enough
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn a_bucket_empties_and_fills_again_up_to_its_brim() {
        let start = Instant::now();
        let mut bucket = Bucket::new(10, start);
        assert!(bucket.take(20, start));
        assert!(!bucket.take(1, start));
        assert!(bucket.take(10, start + Duration::from_secs(1)));
        assert!(!bucket.take(1, start + Duration::from_secs(1)));
        assert!(!bucket.take(21, start + Duration::from_hours(1)));
        assert!(bucket.take(20, start + Duration::from_hours(1)));
    }

    #[test]
    fn time_that_goes_back_fills_nothing() {
        let start = Instant::now() + Duration::from_secs(10);
        let mut bucket = Bucket::new(10, start);
        assert!(bucket.take(20, start));
        assert!(!bucket.take(1, start - Duration::from_secs(5)));
    }
}
