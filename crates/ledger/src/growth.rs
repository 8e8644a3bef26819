//! What a batch makes of the tree: every file that is new with it.

use crate::{
    edge::{Edge, Resource, TILE_HEIGHTS},
    hash::Leaf,
    tile::{self, Kind, Tile, WIDTH},
};

/// What a batch makes of the tree.
#[derive(Debug)]
pub(crate) struct Growth {
    /// The new edge, not yet trimmed: it still proves the entries of the batch.
    pub edge: Edge,
    /// The bytes of the new last, partial bundle.
    pub bundle: Vec<u8>,
    /// The files that are new with it.
    pub resources: Vec<Resource>,
}

impl Growth {
    /// Adds `entries` to the tree of `edge`, whose partial bundle has the bytes `bundle`.
    pub fn of<E: AsRef<[u8]>>(edge: &Edge, bundle: &[u8], entries: &[Leaf<E>]) -> Self {
        let from = edge.size();
        let mut new = Self { edge: edge.clone(), bundle: bundle.to_vec(), resources: Vec::new() };
        for leaf in entries {
            new.edge.push(leaf.hash);
            tile::add_to_bundle(&mut new.bundle, leaf.as_ref());
            if new.edge.size().is_multiple_of(WIDTH) {
                let bytes = std::mem::take(&mut new.bundle);
                new.add_bundle(bytes);
            }
        }
        if !new.bundle.is_empty() && !entries.is_empty() {
            new.add_bundle(new.bundle.clone());
        }
        let tiles = (0..TILE_HEIGHTS).flat_map(|height| new.edge.tiles(from, height));
        new.resources.extend(tiles.collect::<Vec<_>>());
        new
    }

    /// Bytes of all the files together.
    pub fn bytes(&self) -> u64 {
        self.resources.iter().map(|r| r.bytes.len() as u64).sum()
    }

    /// Adds the bundle that ends with the entry that was added last.
    fn add_bundle(&mut self, bytes: Vec<u8>) {
        let last = self.edge.size() - 1;
        let tile = Tile { kind: Kind::Entries, index: last / WIDTH, width: last % WIDTH + 1 };
        self.resources.push(Resource { tile, bytes });
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashMap;

    use proptest::prelude::*;

    use super::*;
    use crate::hash::Hash;

    fn entries(count: u64) -> Vec<Leaf<Vec<u8>>> {
        (0..count).map(|i| i.to_string().into_bytes().into()).collect()
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
        let partial = grown.resources.iter().map(|r| r.tile).filter(|t| t.width < WIDTH);
        let widths: Vec<_> = partial.map(|t| (t.kind, t.width)).collect();
        let level = Kind::Level;
        assert_eq!(widths, [(Kind::Entries, 112), (level(0), 112), (level(1), 17), (level(2), 1)]);
    }

    #[test]
    fn a_tree_of_256_has_a_full_tile_and_one_hash_above() {
        let grown = Growth::of(&Edge::default(), &[], &entries(256));
        let paths: Vec<String> =
            grown.resources.iter().map(|r| r.tile.path().display().to_string()).collect();
        assert_eq!(paths, ["tile/entries/000", "tile/0/000", "tile/1/000.p/1"]);
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
                edge.trim();
                let mut once = Edge::default();
                all[..at].iter().for_each(|leaf| once.push(leaf.hash));
                prop_assert_eq!(edge.root(), once.root());
                let hashes = |t: Tile| tile::hashes_from_bytes(&files[&t.path()], t.width).ok_or(());
                let loaded: Result<Edge, ()> = Edge::load(edge.size(), hashes);
                prop_assert_eq!(loaded, Ok(edge.clone()));
                let level: Vec<Hash> = all[at - at % 256..at].iter().map(|leaf| leaf.hash).collect();
                prop_assert_eq!(edge.level(0), level);
            }
        }
    }
}
