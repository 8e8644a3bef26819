//! Makes ids and times from a clock and a random source.

use std::sync::Arc;

use jiff::Timestamp;

use crate::{Clock, Entropy, Id, OsEntropy, SystemClock, entropy};

/// A clock and a random source, handed to whatever must make ids.
#[derive(Debug, Clone)]
pub struct Mint {
    clock: Arc<dyn Clock>,
    entropy: Arc<dyn Entropy>,
}

impl Mint {
    /// A mint over the given sources.
    pub fn new(clock: Arc<dyn Clock>, entropy: Arc<dyn Entropy>) -> Self {
        Self { clock, entropy }
    }

    /// The machine's clock and random source.
    pub fn system() -> Self {
        Self::new(Arc::new(SystemClock), Arc::new(OsEntropy))
    }

    /// The time now, in whole milliseconds.
    pub fn now(&self) -> Timestamp {
        self.clock.now()
    }

    /// A fresh id: UUIDv7 (RFC 9562, section 5.7), so ids made later sort later.
    pub fn id<I: Id>(&self) -> I {
        let millis = u64::try_from(self.now().as_millisecond()).unwrap_or(0);
        I::from_uuid(uuid::Builder::from_unix_timestamp_millis(millis, &self.bytes::<10>()).into_uuid())
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
}
