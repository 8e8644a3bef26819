//! The roots that a log had on its way, from its entries alone.

use sha2::{Digest as _, Sha256};

/// A tree that grows by one leaf at a time and holds no more than the roots of its complete subtrees.
#[derive(Debug, Clone, Default)]
pub struct History {
    size: u64,
    peaks: Vec<[u8; 32]>,
}

impl History {
    /// How many leaves there are.
    pub fn size(&self) -> u64 {
        self.size
    }

    /// Adds the hash of the next entry (see [`ledger::leaf_hash`]).
    pub fn push(&mut self, leaf: [u8; 32]) {
        let mut hash = leaf;
        let mut size = self.size;
        while size & 1 == 1
            && let Some(left) = self.peaks.pop()
        {
            hash = node(&left, &hash);
            size >>= 1;
        }
        self.peaks.push(hash);
        self.size += 1;
    }

    /// The root over all leaves so far (RFC 6962, section 2.1).
    pub fn root(&self) -> [u8; 32] {
        let mut peaks = self.peaks.iter().rev();
        let Some(last) = peaks.next() else { return Sha256::digest([]).into() };
        peaks.fold(*last, |right, left| node(left, &right))
    }
}

fn node(left: &[u8; 32], right: &[u8; 32]) -> [u8; 32] {
    Sha256::new().chain_update([1]).chain_update(left).chain_update(right).finalize().into()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::test_log::TestLog;

    #[test]
    fn every_size_has_the_root_that_the_standard_gives_it() {
        let log = TestLog::of(70);
        let mut history = History::default();
        for size in 0..=70u64 {
            assert_eq!((history.size(), history.root()), (size, log.root(size)), "{size}");
            history.push(ledger::leaf_hash(&size.to_be_bytes()));
        }
    }
}
