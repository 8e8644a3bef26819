//! The right edge of the tree: all that is needed to append, to know the root, and to prove what was just appended.

use std::convert::Infallible;

use crate::{
    hash::{Hash, empty_root, node_hash},
    tile::{self, Kind, Tile, WIDTH},
    tree::{self, Nodes},
};

/// Levels of the tree: a log counts its entries in 64 bits.
const LEVELS: usize = 64;
/// Levels of the tree in one level of tiles.
const TILE_LEVELS: usize = 8;
/// Levels of tiles.
pub(crate) const TILE_HEIGHTS: u8 = 8;

/// A file of the log: its name and its bytes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Resource {
    pub tile: Tile,
    pub bytes: Vec<u8>,
}

/// The hashes of the complete subtrees of one size, from number `start` on.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
struct Row {
    start: u64,
    hashes: Vec<Hash>,
}

impl Row {
    fn get(&self, index: u64) -> Option<&Hash> {
        self.hashes.get(usize::try_from(index.checked_sub(self.start)?).ok()?)
    }

    fn drop_before(&mut self, index: u64) {
        let gone = usize::try_from(index.saturating_sub(self.start)).unwrap_or(usize::MAX);
        self.hashes.drain(..gone.min(self.hashes.len()));
        self.start = self.start.max(index);
    }
}

/// The hashes in the partial tile of each level, with all complete subtrees in it: at most 8 levels of 510 hashes,
/// 128 KiB. Until [`Edge::trim`], also those of every tile that became full meanwhile.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Edge {
    size: u64,
    /// By the binary logarithm of the subtrees' size; as many rows as the size has bits.
    rows: Vec<Row>,
}

impl Edge {
    /// The edge of a tree of `size` entries whose partial tile of each level `read` answers.
    pub fn load<E>(size: u64, read: impl Fn(Tile) -> Result<Vec<Hash>, E>) -> Result<Self, E> {
        let mut rows = Vec::<Row>::new();
        for level in 0..LEVELS {
            let height = u8::try_from(level / TILE_LEVELS).expect("there are 64 levels");
            let inner = level % TILE_LEVELS;
            if size >> level == 0 {
                break;
            }
            let count = tile::count(size, height);
            let (index, width) = (count / WIDTH, count % WIDTH);
            let start = (index * WIDTH) >> inner;
            let hashes = match rows.last() {
                Some(below) if inner > 0 => pairs(&below.hashes),
                _ if width == 0 => Vec::new(),
                _ => read(Tile { kind: Kind::Level(height), index, width })?,
            };
            rows.push(Row { start, hashes });
        }
        Ok(Self { size, rows })
    }

    /// Entries in the tree.
    pub fn size(&self) -> u64 {
        self.size
    }

    /// The hashes of the partial tile of `level` of a trimmed edge; empty when there is none.
    pub fn level(&self, level: u8) -> &[Hash] {
        self.rows.get(usize::from(level) * TILE_LEVELS).map_or(&[], |row| row.hashes.as_slice())
    }

    /// The root over the entries `index << level .. (index + 1) << level`, if it is kept here.
    pub fn node(&self, level: u32, index: u64) -> Option<Hash> {
        self.rows.get(level as usize)?.get(index).copied()
    }

    /// Adds a leaf.
    pub fn push(&mut self, leaf: Hash) {
        let (mut index, mut hash) = (self.size, leaf);
        self.size += 1;
        for level in 0.. {
            if self.rows.len() == level {
                self.rows.push(Row::default());
            }
            let row = &mut self.rows[level];
            row.hashes.push(hash);
            if index & 1 == 0 {
                return;
            }
            let [.., left, right] = row.hashes.as_slice() else {
                unreachable!("a subtree with an odd number has its left sibling in the same tile");
            };
            hash = node_hash(left, right);
            index >>= 1;
        }
    }

    /// The tiles of `height` that the tree has and did not have at `from` entries, the partial one last. The edge
    /// was trimmed at `from` entries, or before.
    pub fn tiles(&self, from: u64, height: u8) -> Vec<Resource> {
        let (old, new) = (tile::count(from, height), tile::count(self.size, height));
        if old == new {
            return Vec::new();
        }
        let row = &self.rows[usize::from(height) * TILE_LEVELS];
        let tile = |index: u64| {
            let width = (new - index * WIDTH).min(WIDTH);
            let at = |number: u64| usize::try_from(number - row.start).expect("a row is kept in memory");
            let bytes = row.hashes[at(index * WIDTH)..at(index * WIDTH + width)].as_flattened().to_vec();
            Resource { tile: Tile { kind: Kind::Level(height), index, width }, bytes }
        };
        (old / WIDTH..new.div_ceil(WIDTH)).map(tile).collect()
    }

    /// The partial tile of `height` of a trimmed edge, if there is one.
    pub fn partial(&self, height: u8) -> Option<Resource> {
        let (hashes, index) = (self.level(height), tile::count(self.size, height) / WIDTH);
        let tile = Tile { kind: Kind::Level(height), index, width: hashes.len() as u64 };
        (!hashes.is_empty()).then(|| Resource { tile, bytes: hashes.concat() })
    }

    /// Lets go of the tiles that are full.
    pub fn trim(&mut self) {
        for (level, row) in self.rows.iter_mut().enumerate() {
            let (height, inner) = (level / TILE_LEVELS * TILE_LEVELS, level % TILE_LEVELS);
            row.drop_before(((self.size >> height) / WIDTH * WIDTH) >> inner);
        }
    }

    /// The root of the tree (RFC 6962, section 2.1).
    pub fn root(&self) -> Hash {
        self.suffixes().last().map_or_else(empty_root, |(_, root)| *root)
    }

    /// The roots over the entries from some number up to the end, for every number where a complete subtree of the
    /// tree's decomposition begins; the shortest first, and so the whole tree last.
    fn suffixes(&self) -> Vec<(u64, Hash)> {
        let mut found: Vec<(u64, Hash)> = Vec::new();
        for level in (0..u64::BITS).filter(|level| self.size >> level & 1 == 1) {
            let index = (self.size >> level) - 1;
            let peak = self.node(level, index).expect("the last complete subtree of a size lies in the edge");
            let root = found.last().map_or(peak, |(_, right)| node_hash(&peak, right));
            found.push((index << level, root));
        }
        found
    }

    /// Makes audit paths from memory, for entries added since the edge was trimmed.
    pub fn prover(self) -> Prover {
        Prover { suffixes: self.suffixes(), edge: self }
    }
}

fn pairs(hashes: &[Hash]) -> Vec<Hash> {
    hashes.chunks_exact(2).map(|pair| node_hash(&pair[0], &pair[1])).collect()
}

/// Makes audit paths without hashing: every complete subtree is in the edge, and the incomplete ones, all of which
/// reach to the end of the tree, are made once.
#[derive(Debug)]
pub(crate) struct Prover {
    edge: Edge,
    suffixes: Vec<(u64, Hash)>,
}

impl Prover {
    /// The audit path of entry `index`, which was added since the edge was trimmed.
    pub fn inclusion(&self, index: u64) -> Vec<Hash> {
        let Ok(path) = tree::inclusion(self, index, self.edge.size);
        path
    }
}

impl Nodes for Prover {
    type Error = Infallible;

    fn node(&self, level: u32, index: u64) -> Result<Hash, Infallible> {
        let node = self.edge.node(level, index);
        Ok(node.expect("the siblings on the path of a new entry lie in tiles that were partial before it"))
    }

    fn range(&self, lo: u64, hi: u64) -> Result<Hash, Infallible> {
        let suffix = self.suffixes.iter().find(|(start, _)| hi == self.edge.size && *start == lo);
        suffix.map_or_else(|| tree::range(self, lo, hi), |(_, root)| Ok(*root))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::{hash::leaf_hash, tree::verify_inclusion};

    fn leaves(count: u64) -> Vec<Hash> {
        (0..count).map(|i| leaf_hash(&i.to_be_bytes())).collect()
    }

    /// The root by RFC 6962's own definition.
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

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(32))]

        #[test]
        fn every_new_entry_is_proved_from_memory(before in 0u64..1100, more in 1u64..700) {
            let all = leaves(before + more);
            let mut edge = Edge::default();
            for (number, leaf) in (0..).zip(&all) {
                if number == before {
                    edge.trim();
                }
                edge.push(*leaf);
            }
            prop_assert_eq!(edge.root(), mth(&all));
            let (size, root) = (edge.size(), edge.root());
            let prover = edge.prover();
            for index in before..before + more {
                let path = prover.inclusion(index);
                let leaf = all[usize::try_from(index).unwrap()];
                prop_assert!(verify_inclusion(leaf, index, size, &path, &root));
            }
        }
    }

    #[test]
    fn a_trimmed_edge_keeps_what_is_partial() {
        let mut edge = Edge::default();
        for leaf in leaves(70_000) {
            edge.push(leaf);
        }
        let root = edge.root();
        edge.trim();
        assert_eq!((0..4).map(|level| edge.level(level).len()).collect::<Vec<_>>(), [112, 17, 1, 0]);
        assert_eq!(edge.root(), root);
    }
}
