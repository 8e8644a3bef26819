//! RFC 6962 hashing (section 2.1): a leaf and a node can never be mistaken for one another.

use sha2::{Digest as _, Sha256};

/// A SHA-256 hash in the tree, 32 bytes.
pub(crate) type Hash = [u8; 32];

/// The hash of an entry as a leaf: SHA-256 of 0x00 and the entry (RFC 6962, section 2.1).
pub fn leaf_hash(entry: &[u8]) -> [u8; 32] {
    Sha256::new().chain_update([0]).chain_update(entry).finalize().into()
}

/// An entry with its hash: whoever appends it hashes it, so that the one writer need not.
#[derive(Debug, Clone)]
pub(crate) struct Leaf<E> {
    pub entry: E,
    pub hash: Hash,
}

impl<E: AsRef<[u8]>> From<E> for Leaf<E> {
    fn from(entry: E) -> Self {
        Self { hash: leaf_hash(entry.as_ref()), entry }
    }
}

impl<E: AsRef<[u8]>> AsRef<[u8]> for Leaf<E> {
    fn as_ref(&self) -> &[u8] {
        self.entry.as_ref()
    }
}

/// The hash of two subtrees: SHA-256 of 0x01 and both (RFC 6962, section 2.1).
pub(crate) fn node_hash(left: &Hash, right: &Hash) -> Hash {
    let mut bytes = [1; 65];
    bytes[1..33].copy_from_slice(left);
    bytes[33..].copy_from_slice(right);
    Sha256::digest(bytes).into()
}

/// The root of the empty tree: SHA-256 of nothing.
pub(crate) fn empty_root() -> Hash {
    Sha256::digest([]).into()
}

/// The root over a power of two of hashes; nothing for any other number.
pub(crate) fn perfect(hashes: &[Hash]) -> Option<Hash> {
    if !hashes.len().is_power_of_two() {
        return None;
    }
    let mut row = hashes.to_vec();
    while row.len() > 1 {
        row = row.chunks_exact(2).map(|pair| node_hash(&pair[0], &pair[1])).collect();
    }
    row.first().copied()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The example tree of RFC 6962's reference implementation (certificate-transparency, `merkle_tree_test`).
    const LEAVES: [&str; 8] =
        ["", "00", "10", "2021", "3031", "40414243", "5051525354555657", "606162636465666768696a6b6c6d6e6f"];

    #[test]
    fn leaf_node_and_empty_hashes_are_the_published_ones() {
        assert_eq!(
            hex::encode(empty_root()),
            "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
        );
        assert_eq!(
            hex::encode(leaf_hash(b"")),
            "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d"
        );
        let leaves: Vec<Hash> = LEAVES.iter().map(|l| leaf_hash(&hex::decode(l).unwrap())).collect();
        assert_eq!(
            hex::encode(perfect(&leaves).unwrap()),
            "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328"
        );
        assert_eq!(perfect(&leaves[..3]), None);
    }
}
