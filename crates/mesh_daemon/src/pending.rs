//! What waits for the program: the node goes on whatever the program does, so this alone is bounded.

use std::collections::VecDeque;

use mesh::witnessing::ForkProof;

use crate::Ask;

/// So much may wait. Beyond it nothing more is taken of what its sender brings again anyway: pulses, acknowledgements and
/// receipts. Calls are bounded by the node's book, and news of trust by what the operator signed.
pub(crate) const MAX_ASKS: usize = 256;

/// What the program has not taken yet, oldest first.
#[derive(Debug, Default)]
pub(crate) struct Pending {
    asks: VecDeque<Ask>,
    /// Whether something was left out since it was last empty.
    full: bool,
}

impl Pending {
    /// Forks that were proven before begin the list: the program may not have raised an incident then.
    pub(crate) fn with_forks(forks: Vec<ForkProof>) -> Self {
        let asks = forks.into_iter().map(|fork| Ask::Forked(Box::new(fork))).collect();
        Self { asks, full: false }
    }

    /// Puts it at the end, or leaves it out, which is logged once until the program has caught up.
    pub(crate) fn put(&mut self, ask: Ask) {
        let again = matches!(
            ask,
            Ask::Pulses { .. }
                | Ask::Acks { .. }
                | Ask::Settle { .. }
                | Ask::Prove { .. }
                | Ask::Cosigned { .. }
        );
        if again && self.asks.len() >= MAX_ASKS {
            if !std::mem::replace(&mut self.full, true) {
                tracing::warn!(
                    "{MAX_ASKS} things wait to be kept or settled: more of them is not taken, other nodes bring it again. \
                     Is the disk slow or full?"
                );
            }
            return;
        }
        // The newest says what the older ones did.
        match ask {
            Ask::PulsesKept(_) => self.asks.retain(|waiting| !matches!(waiting, Ask::PulsesKept(_))),
            Ask::Papers => self.asks.retain(|waiting| !matches!(waiting, Ask::Papers)),
            _ => {}
        }
        self.asks.push_back(ask);
    }

    /// Takes the oldest.
    pub(crate) fn take(&mut self) -> Option<Ask> {
        let ask = self.asks.pop_front();
        self.full &= !self.asks.is_empty();
        ask
    }

    /// Whether nothing waits.
    pub(crate) fn is_empty(&self) -> bool {
        self.asks.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use mesh::News;
    use trust::KeyPair;

    use super::*;

    fn settle() -> Ask {
        let from = mesh::NodeId::of(&KeyPair::from_secret(&[1; 32]).public());
        Ask::Settle { from, answers: Vec::new(), calls: Vec::new(), grants: Vec::new() }
    }

    #[test]
    fn a_program_that_stands_still_keeps_nothing_else_waiting() {
        let mut pending = Pending::default();
        for _ in 0..10 * MAX_ASKS {
            pending.put(settle());
        }
        pending.put(Ask::Trust(News::Registry(Vec::new())));
        (1..=9).for_each(|number| pending.put(Ask::PulsesKept(number)));
        let waiting: Vec<Ask> = std::iter::from_fn(|| pending.take()).collect();
        assert_eq!(waiting.len(), MAX_ASKS + 2);
        assert!(matches!(waiting[MAX_ASKS], Ask::Trust(_)));
        assert!(matches!(waiting[MAX_ASKS + 1], Ask::PulsesKept(9)));
        assert!(pending.is_empty());
        pending.put(settle());
        assert!(!pending.is_empty(), "there is room again");
    }
}
