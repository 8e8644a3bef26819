//! The right edge of the tree: all that is needed to append, and to know the root.

use crate::{
    hash::{Hash, empty_root, leaf_hash, node_hash, perfect},
    tile::{self, Kind, Tile, WIDTH},
};

/// A file of the log: its name and its bytes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Resource {
    pub tile: Tile,
    pub bytes: Vec<u8>,
}

/// The hashes of the partial tile of each level. At most 8 levels of 255 hashes: 64 KiB.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Edge {
    size: u64,
    levels: Vec<Vec<Hash>>,
}

impl Edge {
    /// The edge of a tree of `size` entries whose partial tile of each level `read` answers.
    pub fn load<E>(size: u64, read: impl Fn(Tile) -> Result<Vec<Hash>, E>) -> Result<Self, E> {
        let mut levels = Vec::new();
        for level in 0..8 {
            let count = tile::count(size, level);
            let (index, width) = (count / WIDTH, count % WIDTH);
            if count == 0 {
                break;
            }
            levels.push(if width == 0 {
                Vec::new()
            } else {
                read(Tile { kind: Kind::Level(level), index, width })?
            });
        }
        Ok(Self { size, levels })
    }

    /// Entries in the tree.
    pub fn size(&self) -> u64 {
        self.size
    }

    /// The hashes of the partial tile of `level`; empty when there is none.
    pub fn level(&self, level: u8) -> &[Hash] {
        self.levels.get(usize::from(level)).map_or(&[], Vec::as_slice)
    }

    /// Adds a leaf; answers the tiles that became full.
    pub fn push(&mut self, leaf: Hash) -> Vec<Resource> {
        let (mut carry, mut full) = (leaf, Vec::new());
        self.size += 1;
        for level in 0..8 {
            if self.levels.len() <= usize::from(level) {
                self.levels.push(Vec::new());
            }
            let hashes = &mut self.levels[usize::from(level)];
            hashes.push(carry);
            if hashes.len() < 256 {
                break;
            }
            carry = perfect(hashes).expect("256 is a power of two");
            full.push(Resource {
                tile: Tile {
                    kind: Kind::Level(level),
                    index: tile::count(self.size, level) / WIDTH - 1,
                    width: WIDTH,
                },
                bytes: tile::hashes_to_bytes(hashes),
            });
            hashes.clear();
        }
        full
    }

    /// The partial tiles of the tree.
    pub fn partials(&self) -> Vec<Resource> {
        (0u8..)
            .zip(&self.levels)
            .filter(|(_, hashes)| !hashes.is_empty())
            .map(|(level, hashes)| Resource {
                tile: Tile {
                    kind: Kind::Level(level),
                    index: tile::count(self.size, level) / WIDTH,
                    width: hashes.len() as u64,
                },
                bytes: tile::hashes_to_bytes(hashes),
            })
            .collect()
    }

    /// The root of the tree (RFC 6962, section 2.1): its complete subtrees, smallest first, joined from the right.
    pub fn root(&self) -> Hash {
        let mut root: Option<Hash> = None;
        for hashes in &self.levels {
            let mut rest = hashes.as_slice();
            for bit in 0..8 {
                if hashes.len() >> bit & 1 == 0 {
                    continue;
                }
                let (before, subtree) = rest.split_at(rest.len() - (1 << bit));
                let left = perfect(subtree).expect("a power of two of hashes");
                root = Some(root.map_or(left, |right| node_hash(&left, &right)));
                rest = before;
            }
        }
        root.unwrap_or_else(empty_root)
    }
}

/// What a batch makes of the tree: the new edge and every file that is new with it.
#[derive(Debug)]
pub(crate) struct Growth {
    pub edge: Edge,
    /// The entries of the last, partial bundle.
    pub bundle: Vec<Vec<u8>>,
    pub resources: Vec<Resource>,
}

impl Growth {
    /// Adds `entries` to the tree of `edge`, whose partial bundle holds `bundle`.
    pub fn of(edge: &Edge, bundle: &[Vec<u8>], entries: &[Vec<u8>]) -> Self {
        let mut new = Self { edge: edge.clone(), bundle: bundle.to_vec(), resources: Vec::new() };
        for entry in entries {
            let full = new.edge.push(leaf_hash(entry));
            new.resources.extend(full);
            new.bundle.push(entry.clone());
            if new.bundle.len() == 256 {
                new.add_bundle(new.edge.size / WIDTH - 1);
                new.bundle.clear();
            }
        }
        if !new.bundle.is_empty() {
            new.add_bundle(new.edge.size / WIDTH);
        }
        let old: Vec<Tile> = edge.partials().iter().map(|r| r.tile).collect();
        let partials = new.edge.partials().into_iter().filter(|r| !old.contains(&r.tile));
        new.resources.extend(partials);
        new
    }

    fn add_bundle(&mut self, index: u64) {
        let width = self.bundle.len() as u64;
        self.resources.push(Resource {
            tile: Tile { kind: Kind::Entries, index, width },
            bytes: tile::bundle_to_bytes(&self.bundle),
        });
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashMap;

    use proptest::prelude::*;

    use super::*;

    fn entries(count: u64) -> Vec<Vec<u8>> {
        (0..count).map(|i| i.to_string().into_bytes()).collect()
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

    #[test]
    fn a_tree_of_70_000_has_the_tiles_that_the_specification_says() {
        let grown = Growth::of(&Edge::default(), &[], &entries(70_000));
        let count = |kind, full| {
            let of = |t: &&Resource| t.tile.kind == kind && (t.tile.width == WIDTH) == full;
            grown.resources.iter().filter(of).count()
        };
        for (kind, full) in
            [(Kind::Level(0), 273), (Kind::Level(1), 1), (Kind::Level(2), 0), (Kind::Entries, 273)]
        {
            assert_eq!(count(kind, true), full, "{kind:?}");
        }
        let widths: Vec<u64> = grown.edge.partials().iter().map(|r| r.tile.width).collect();
        assert_eq!(widths, [112, 17, 1]);
    }

    #[test]
    fn a_tree_of_256_has_a_full_tile_and_one_hash_above() {
        let grown = Growth::of(&Edge::default(), &[], &entries(256));
        let paths: Vec<String> =
            grown.resources.iter().map(|r| r.tile.path().display().to_string()).collect();
        assert_eq!(paths, ["tile/0/000", "tile/entries/000", "tile/1/000.p/1"]);
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(32))]

        #[test]
        fn batches_make_the_same_tree_as_one_and_no_file_twice(cuts in prop::collection::vec(1u64..400, 1..8)) {
            let all = entries(cuts.iter().sum());
            let (mut edge, mut bundle, mut files, mut at) = (Edge::default(), Vec::new(), HashMap::new(), 0);
            for cut in cuts {
                let next = at + usize::try_from(cut).unwrap();
                let grown = Growth::of(&edge, &bundle, &all[at..next]);
                for resource in grown.resources {
                    prop_assert_eq!(files.insert(resource.tile.path(), resource.bytes), None);
                }
                (edge, bundle, at) = (grown.edge, grown.bundle, next);
                let leaves: Vec<Hash> = all[..at].iter().map(|e| leaf_hash(e)).collect();
                prop_assert_eq!(edge.root(), mth(&leaves));
                let loaded = Edge::load(edge.size(), |t| tile::hashes_from_bytes(&files[&t.path()], t.width).ok_or(()));
                prop_assert_eq!(loaded, Ok(edge.clone()));
            }
        }
    }
}
