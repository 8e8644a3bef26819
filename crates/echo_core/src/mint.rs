//! Makes ids and times from a clock and a random source.

use std::sync::{Arc, Mutex, PoisonError};

use jiff::Timestamp;

use crate::{Clock, Entropy, Id, OsEntropy, SystemClock, entropy};

/// A clock and a random source, handed to whatever must make ids.
#[derive(Debug, Clone)]
pub struct Mint {
    clock: Arc<dyn Clock>,
    entropy: Arc<dyn Entropy>,
    last: Arc<Mutex<Last>>,
}

/// Where the last id stands in time, so that the next one stands after it.
#[derive(Debug, Default)]
struct Last {
    millis: u64,
    counter: u16,
}

/// The counter has the 12 bits of UUIDv7's `rand_a`.
const COUNTER_BITS: u16 = 0x0fff;
/// In a fresh millisecond the counter begins in its lower quarter, so that there is room to count.
const COUNTER_START: u16 = 0x03ff;

impl Mint {
    /// A mint over the given sources.
    pub fn new(clock: Arc<dyn Clock>, entropy: Arc<dyn Entropy>) -> Self {
        Self { clock, entropy, last: Arc::default() }
    }

    /// The machine's clock and random source.
    pub fn system() -> Self {
        Self::new(Arc::new(SystemClock), Arc::new(OsEntropy))
    }

    /// The time now, in whole milliseconds.
    pub fn now(&self) -> Timestamp {
        self.clock.now()
    }

    /// A fresh id: UUIDv7 (RFC 9562, section 5.7) with a counter (section 6.2, method 1), so an id made later sorts
    /// later, within a millisecond and after a clock was set back too.
    pub fn id<I: Id>(&self) -> I {
        let now = u64::try_from(self.now().as_millisecond()).unwrap_or(0);
        let mut random = self.bytes::<10>();
        let (millis, counter) = self.next_place(now, u16::from_be_bytes([random[0], random[1]]));
        random[..2].copy_from_slice(&counter.to_be_bytes());
        I::from_uuid(uuid::Builder::from_unix_timestamp_millis(millis, &random).into_uuid())
    }

    fn next_place(&self, now: u64, random: u16) -> (u64, u16) {
        let mut last = self.last.lock().unwrap_or_else(PoisonError::into_inner);
        if now > last.millis {
            *last = Last { millis: now, counter: random & COUNTER_START };
        } else if last.counter < COUNTER_BITS {
            last.counter += 1;
        } else {
            *last = Last { millis: last.millis + 1, counter: 0 };
        }
        (last.millis, last.counter)
    }

    /// `N` random bytes.
    pub fn bytes<const N: usize>(&self) -> [u8; N] {
        entropy::bytes(&*self.entropy)
    }

    /// 256 random bits in hexadecimal, for one-time tokens.
    pub fn secret(&self) -> String {
        hex::encode(self.bytes::<32>())
    }

    /// The random source.
    pub fn entropy(&self) -> &dyn Entropy {
        &*self.entropy
    }

    /// The clock.
    pub fn clock(&self) -> Arc<dyn Clock> {
        Arc::clone(&self.clock)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{CaseId, ManualClock, SeededEntropy};

    #[test]
    fn later_ids_sort_later() {
        let clock = Arc::new(ManualClock::at(Timestamp::UNIX_EPOCH));
        let mint = Mint::new(clock.clone(), Arc::new(SeededEntropy::new(1)));
        let first: CaseId = mint.id();
        clock.advance_millis(1);
        assert!(first < mint.id::<CaseId>());
    }

    #[test]
    fn ids_of_one_millisecond_sort_in_the_order_they_were_made() {
        let clock = Arc::new(ManualClock::at(Timestamp::UNIX_EPOCH));
        let mint = Mint::new(clock.clone(), Arc::new(SeededEntropy::new(1)));
        let mut ids: Vec<CaseId> = (0..10_000).map(|_| mint.clone().id()).collect();
        clock.advance_millis(-5);
        ids.push(mint.id());
        assert!(
            ids.is_sorted_by(|a, b| a < b),
            "10 000 ids overflow a millisecond's counter, and a clock set back"
        );
    }
}
