//! Proofs in the tree: making them from complete subtrees, and checking them without any.

use crate::{
    hash::{Hash, empty_root, node_hash},
    proof::ProofError,
};

/// Where the hashes of complete subtrees come from.
pub(crate) trait Nodes {
    /// Why a hash cannot be had.
    type Error;
    /// The root over the entries `index << level .. (index + 1) << level`.
    fn node(&self, level: u32, index: u64) -> Result<Hash, Self::Error>;
    /// The root over the entries `lo..hi`; `lo` is a multiple of the power of two that covers the range.
    fn range(&self, lo: u64, hi: u64) -> Result<Hash, Self::Error>
    where
        Self: Sized,
    {
        range(self, lo, hi)
    }
}

/// The largest power of two that is smaller than `n`, for `n` of two or more.
fn split(n: u64) -> u64 {
    1 << (n - 1).ilog2()
}

/// The root over the entries `lo..hi`; `lo` is a multiple of the power of two that covers the range.
pub(crate) fn range<N: Nodes>(nodes: &N, lo: u64, hi: u64) -> Result<Hash, N::Error> {
    let count = hi - lo;
    if count.is_power_of_two() {
        let level = count.ilog2();
        return nodes.node(level, lo >> level);
    }
    let middle = lo + split(count);
    Ok(node_hash(&nodes.range(lo, middle)?, &nodes.range(middle, hi)?))
}

/// The audit path of `index` in the tree of `size` entries, leaf's sibling first (RFC 6962, section 2.1.1).
/// The caller has checked that `index < size`.
pub(crate) fn inclusion<N: Nodes>(nodes: &N, index: u64, size: u64) -> Result<Vec<Hash>, N::Error> {
    let height = size.checked_ilog2().unwrap_or(0) + 1;
    let (mut lo, mut hi, mut path) = (0, size, Vec::with_capacity(height as usize));
    while hi - lo > 1 {
        let middle = lo + split(hi - lo);
        if index < middle {
            path.push(nodes.range(middle, hi)?);
            hi = middle;
        } else {
            path.push(nodes.range(lo, middle)?);
            lo = middle;
        }
    }
    path.reverse();
    Ok(path)
}

/// The proof that the tree of `from` entries is a prefix of the tree of `to` (RFC 6962, section 2.1.2). It is
/// empty when there is nothing to prove. The caller has checked that `from <= to`.
pub(crate) fn consistency<N: Nodes>(nodes: &N, from: u64, to: u64) -> Result<Vec<Hash>, N::Error> {
    let (mut lo, mut hi, mut known, mut path) = (0, to, true, Vec::new());
    if from == 0 {
        return Ok(path);
    }
    while from != hi {
        let middle = lo + split(hi - lo);
        if from <= middle {
            path.push(nodes.range(middle, hi)?);
            hi = middle;
        } else {
            path.push(nodes.range(lo, middle)?);
            lo = middle;
            known = false;
        }
    }
    if !known {
        path.push(nodes.range(lo, hi)?);
    }
    path.reverse();
    Ok(path)
}

/// Whether `path` leads from `leaf` at `index` to `root` (RFC 9162, section 2.1.3.2).
pub(crate) fn verify_inclusion(leaf: Hash, index: u64, size: u64, path: &[Hash], root: &Hash) -> bool {
    if index >= size {
        return false;
    }
    let (mut at, mut last, mut hash) = (index, size - 1, leaf);
    for sibling in path {
        if last == 0 {
            return false;
        }
        if at & 1 == 1 || at == last {
            hash = node_hash(sibling, &hash);
            while at & 1 == 0 && at != 0 {
                at >>= 1;
                last >>= 1;
            }
        } else {
            hash = node_hash(&hash, sibling);
        }
        at >>= 1;
        last >>= 1;
    }
    last == 0 && hash == *root
}

/// Checks that the log of `from` entries and root `from_root` is a prefix of the log of `to` entries and root
/// `to_root` (RFC 9162, section 2.1.4.2). The proof from an empty log, or between equal sizes, is empty.
pub fn verify_consistency(
    from: u64,
    from_root: &[u8; 32],
    to: u64,
    to_root: &[u8; 32],
    proof: &[[u8; 32]],
) -> Result<(), ProofError> {
    let consistent = if from == to {
        proof.is_empty() && from_root == to_root
    } else if from == 0 {
        proof.is_empty() && *from_root == empty_root()
    } else {
        from < to && walk_consistency(from, from_root, to, to_root, proof)
    };
    if consistent { Ok(()) } else { Err(ProofError::Inconsistent { from, to }) }
}

fn walk_consistency(from: u64, from_root: &Hash, to: u64, to_root: &Hash, proof: &[Hash]) -> bool {
    let (mut at, mut last) = (from - 1, to - 1);
    while at & 1 == 1 {
        at >>= 1;
        last >>= 1;
    }
    let (start, rest) = if from.is_power_of_two() {
        (from_root, proof)
    } else if let Some((first, rest)) = proof.split_first() {
        (first, rest)
    } else {
        return false;
    };
    let (mut old, mut new) = (*start, *start);
    for hash in rest {
        if last == 0 {
            return false;
        }
        if at & 1 == 1 || at == last {
            old = node_hash(hash, &old);
            new = node_hash(hash, &new);
            while at & 1 == 0 && at != 0 {
                at >>= 1;
                last >>= 1;
            }
        } else {
            new = node_hash(&new, hash);
        }
        at >>= 1;
        last >>= 1;
    }
    last == 0 && old == *from_root && new == *to_root
}

#[cfg(test)]
mod tests {
    use std::convert::Infallible;

    use proptest::prelude::*;

    use super::*;
    use crate::hash::{leaf_hash, perfect};

    /// The example tree of RFC 6962's reference implementation, with its root at each size.
    const EXAMPLE: [(&str, &str); 8] = [
        ("", "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d"),
        ("00", "fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125"),
        ("10", "aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77"),
        ("2021", "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7"),
        ("3031", "4e3bbb1f7b478dcfe71fb631631519a3bca12c9aefca1612bfce4c13a86264d4"),
        ("40414243", "76e67dadbcdf1e10e1b74ddc608abd2f98dfb16fbce75277b5232a127f2087ef"),
        ("5051525354555657", "ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c"),
        (
            "606162636465666768696a6b6c6d6e6f",
            "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328",
        ),
    ];

    struct Leaves(Vec<Hash>);

    impl Nodes for Leaves {
        type Error = Infallible;
        fn node(&self, level: u32, index: u64) -> Result<Hash, Infallible> {
            let first = usize::try_from(index << level).unwrap();
            Ok(perfect(&self.0[first..first + (1 << level)]).unwrap())
        }
    }

    fn leaves(count: u64) -> Leaves {
        Leaves((0..count).map(|i| leaf_hash(&i.to_be_bytes())).collect())
    }

    /// RFC 6962, section 2.1, word for word: the oracle for everything else.
    fn mth(leaves: &[Hash]) -> Hash {
        match leaves {
            [] => empty_root(),
            [one] => *one,
            many => {
                let k = many.len().next_power_of_two() / 2;
                node_hash(&mth(&many[..k]), &mth(&many[k..]))
            }
        }
    }

    #[test]
    fn the_published_tree_has_its_roots_and_paths() {
        let tree = Leaves(EXAMPLE.iter().map(|(l, _)| leaf_hash(&hex::decode(l).unwrap())).collect());
        for (size, (_, root)) in (1..).zip(EXAMPLE) {
            let Ok(found) = range(&tree, 0, size);
            assert_eq!(hex::encode(found), root, "size {size}");
        }
        // PATH(5, D[8]) of the same implementation.
        let Ok(path) = inclusion(&tree, 5, 8);
        let path: Vec<String> = path.iter().map(hex::encode).collect();
        assert_eq!(
            path,
            [
                "bc1a0643b12e4d2d7c77918f44e0f4f79a838b6cf9ec5b5c283e1f4d88599e6b",
                "ca854ea128ed050b41b35ffc1b87b8eb2bde461e9e3b5596ece6b9d5975a0ae0",
                "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
            ]
        );
    }

    #[test]
    fn every_prefix_of_every_small_tree_is_consistent() {
        let tree = leaves(40);
        for to in 0..=40u64 {
            let to_root = mth(&tree.0[..usize::try_from(to).unwrap()]);
            for from in 0..=to {
                let from_root = mth(&tree.0[..usize::try_from(from).unwrap()]);
                let Ok(proof) = consistency(&tree, from, to);
                assert_eq!(verify_consistency(from, &from_root, to, &to_root, &proof), Ok(()), "{from} {to}");
            }
        }
    }

    #[test]
    fn an_empty_log_has_one_root() {
        assert!(verify_consistency(0, &[1; 32], 5, &[2; 32], &[]).is_err());
        assert!(verify_consistency(5, &[1; 32], 3, &[2; 32], &[[3; 32]]).is_err());
        assert!(verify_consistency(3, &[1; 32], 5, &[2; 32], &[]).is_err());
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(24))]

        #[test]
        fn every_index_proves_and_verifies(size in 1u64..600) {
            let tree = leaves(size);
            let root = mth(&tree.0);
            for (index, leaf) in (0..).zip(&tree.0) {
                let Ok(path) = inclusion(&tree, index, size);
                prop_assert!(verify_inclusion(*leaf, index, size, &path, &root));
                prop_assert!(!verify_inclusion(*leaf, index + 1, size, &path, &root));
                let longer = [path.as_slice(), &[root]].concat();
                prop_assert!(!verify_inclusion(*leaf, index, size, &longer, &root));
                if let Some((_, shorter)) = path.split_last() {
                    prop_assert!(!verify_inclusion(*leaf, index, size, shorter, &root));
                }
            }
        }

        #[test]
        fn a_changed_consistency_proof_is_refused(
            (from, to) in (2u64..600).prop_flat_map(|to| (1..to, Just(to))), at in any::<prop::sample::Index>(), bit in 0u8..8
        ) {
            let tree = leaves(to);
            let (old, new) = (mth(&tree.0[..usize::try_from(from).unwrap()]), mth(&tree.0));
            let Ok(mut proof) = consistency(&tree, from, to);
            prop_assert_eq!(verify_consistency(from, &old, to, &new, &proof), Ok(()));
            prop_assert!(verify_consistency(from, &new, to, &new, &proof).is_err());
            prop_assert!(verify_consistency(from, &old, to, &old, &proof).is_err());
            let byte = at.index(proof.len() * 32);
            proof[byte / 32][byte % 32] ^= 1 << bit;
            prop_assert!(verify_consistency(from, &old, to, &new, &proof).is_err());
            proof[byte / 32][byte % 32] ^= 1 << bit;
            proof.push([0; 32]);
            prop_assert!(verify_consistency(from, &old, to, &new, &proof).is_err());
        }

        #[test]
        fn no_proof_makes_the_verifiers_panic(
            a in any::<u64>(), b in any::<u64>(), proof in prop::collection::vec(any::<[u8; 32]>(), 0..70)
        ) {
            let _ = verify_consistency(a, &[1; 32], b, &[2; 32], &proof);
            prop_assert!(!verify_inclusion([1; 32], a, b, &proof, &[2; 32]));
        }
    }
}
