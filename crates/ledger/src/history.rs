//! The roots that a log had on its way, from its entries alone.

use crate::hash::{Hash, empty_root, node_hash};

/// A tree that grows by one leaf at a time and holds no more than the roots of its complete subtrees.
#[derive(Debug, Clone, Default)]
pub struct History {
    size: u64,
    /// Largest first; one for each one bit of the size.
    peaks: Vec<Hash>,
}

impl History {
    /// How many leaves there are.
    pub fn size(&self) -> u64 {
        self.size
    }

    /// Adds the hash of the next entry (see [`leaf_hash`](crate::leaf_hash)).
    pub fn push(&mut self, leaf: [u8; 32]) {
        let mut hash = leaf;
        for _ in 0..self.size.trailing_ones() {
            let left = self.peaks.pop().expect("a complete subtree stands for each one bit of the size");
            hash = node_hash(&left, &hash);
        }
        self.peaks.push(hash);
        self.size += 1;
    }

    /// The root over all leaves so far (RFC 6962, section 2.1).
    pub fn root(&self) -> [u8; 32] {
        let mut right_to_left = self.peaks.iter().rev();
        let Some(last) = right_to_left.next() else { return empty_root() };
        right_to_left.fold(*last, |right, left| node_hash(left, &right))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::leaf_hash;

    /// RFC 6962, section 2.1, word for word.
    fn mth(leaves: &[Hash]) -> Hash {
        match leaves {
            [] => empty_root(),
            [one] => *one,
            many => {
                let (left, right) = many.split_at(many.len().next_power_of_two() / 2);
                node_hash(&mth(left), &mth(right))
            }
        }
    }

    #[test]
    fn the_published_tree_has_its_roots() {
        // The example tree of RFC 6962's reference implementation.
        let leaves = ["", "00", "10", "2021", "3031"].map(|leaf| leaf_hash(&hex::decode(leaf).unwrap()));
        let mut history = History::default();
        assert_eq!(
            hex::encode(history.root()),
            "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
        );
        for leaf in leaves {
            history.push(leaf);
        }
        assert_eq!(
            hex::encode(history.root()),
            "4e3bbb1f7b478dcfe71fb631631519a3bca12c9aefca1612bfce4c13a86264d4"
        );
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(48))]

        #[test]
        fn every_size_has_the_root_of_the_definition(leaves in prop::collection::vec(any::<Hash>(), 0..300)) {
            let mut history = History::default();
            for size in 0..=leaves.len() {
                prop_assert_eq!((history.size(), history.root()), (size as u64, mth(&leaves[..size])));
                if let Some(leaf) = leaves.get(size) {
                    history.push(*leaf);
                }
            }
        }
    }
}
