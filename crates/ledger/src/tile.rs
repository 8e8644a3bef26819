//! Tiles and entry bundles: their paths and bytes (C2SP tlog-tiles, "Merkle Tree" and "Log entries").

use std::path::PathBuf;

use crate::hash::Hash;

/// Hashes in a full tile, and entries in a full bundle.
pub(crate) const WIDTH: u64 = 256;
/// The longest entry, in bytes: a bundle holds its length in 16 bits.
pub const MAX_ENTRY_BYTES: usize = u16::MAX as usize;
/// The largest tile file, in bytes.
pub(crate) const MAX_TILE_BYTES: u64 = WIDTH * 32;
/// The largest bundle file, in bytes.
pub(crate) const MAX_BUNDLE_BYTES: u64 = WIDTH * (2 + MAX_ENTRY_BYTES as u64);

/// What a tile holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum Kind {
    /// Hashes of subtrees of `256^level` entries.
    Level(u8),
    /// The entries themselves.
    Entries,
}

/// The name of one tile or bundle.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) struct Tile {
    pub kind: Kind,
    /// Which one within its level, from 0.
    pub index: u64,
    /// How many hashes or entries it holds, 1 to 256.
    pub width: u64,
}

impl Tile {
    /// The path below the log's folder.
    pub fn path(&self) -> PathBuf {
        let mut path = self.folder();
        if self.width < WIDTH {
            path.as_mut_os_string().push(".p");
            path.push(self.width.to_string());
        }
        path
    }

    /// The folder of all partial forms of this tile.
    pub fn partials(&self) -> PathBuf {
        let mut path = self.folder();
        path.as_mut_os_string().push(".p");
        path
    }

    /// The same tile in its full form.
    pub fn full(&self) -> Self {
        Self { width: WIDTH, ..*self }
    }

    /// The level of tiles whose entries or hashes it holds.
    pub fn level(&self) -> u8 {
        match self.kind {
            Kind::Level(level) => level,
            Kind::Entries => 0,
        }
    }

    /// The path without any width: three digits an element, all but the last with an `x` before them.
    fn folder(&self) -> PathBuf {
        let mut path = PathBuf::from("tile");
        match self.kind {
            Kind::Level(level) => path.push(level.to_string()),
            Kind::Entries => path.push("entries"),
        }
        let mut groups = vec![format!("{:03}", self.index % 1000)];
        let mut rest = self.index / 1000;
        while rest > 0 {
            groups.push(format!("x{:03}", rest % 1000));
            rest /= 1000;
        }
        path.extend(groups.iter().rev());
        path
    }
}

/// How many complete subtrees of `256^level` entries a tree of `size` entries has.
pub(crate) fn count(size: u64, level: u8) -> u64 {
    size.checked_shr(8 * u32::from(level)).unwrap_or(0)
}

/// The tiles and bundles that were partial at `from` entries and are full at `to`.
pub(crate) fn completed(from: u64, to: u64) -> Vec<Tile> {
    let mut tiles = Vec::new();
    for level in 0..8 {
        let (old, new) = (count(from, level), count(to, level));
        let index = old / WIDTH;
        if !old.is_multiple_of(WIDTH) && new / WIDTH > index {
            let kinds = [Some(Kind::Level(level)), (level == 0).then_some(Kind::Entries)];
            let full = |kind| Tile { kind, index, width: WIDTH };
            tiles.extend(kinds.into_iter().flatten().map(full));
        }
    }
    tiles
}

/// The first `width` hashes in a tile's bytes; nothing when it does not hold so many or is not made of hashes.
pub(crate) fn hashes_from_bytes(bytes: &[u8], width: u64) -> Option<Vec<Hash>> {
    let (hashes, rest) = bytes.as_chunks::<32>();
    let width = usize::try_from(width).ok()?;
    rest.is_empty().then(|| hashes.get(..width).map(<[Hash]>::to_vec))?
}

/// Adds an entry to a bundle's bytes. Longer ones than [`MAX_ENTRY_BYTES`] were refused before they came here.
pub(crate) fn add_to_bundle(bytes: &mut Vec<u8>, entry: &[u8]) {
    let length = u16::try_from(entry.len()).expect("entries are checked against MAX_ENTRY_BYTES at the door");
    bytes.extend(length.to_be_bytes());
    bytes.extend(entry);
}

/// All entries in a bundle's bytes; nothing when a length points beyond the end.
pub(crate) fn bundle_from_bytes(mut bytes: &[u8]) -> Option<Vec<&[u8]>> {
    let mut entries = Vec::new();
    while let Some((length, rest)) = bytes.split_first_chunk::<2>() {
        let (entry, rest) = rest.split_at_checked(usize::from(u16::from_be_bytes(*length)))?;
        entries.push(entry);
        bytes = rest;
    }
    bytes.is_empty().then_some(entries)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn path(kind: Kind, index: u64, width: u64) -> String {
        Tile { kind, index, width }.path().display().to_string()
    }

    #[test]
    fn paths_are_the_ones_of_the_specification() {
        assert_eq!(path(Kind::Level(0), 1_234_067, 256), "tile/0/x001/x234/067");
        assert_eq!(path(Kind::Level(4), 0, 1), "tile/4/000.p/1");
        assert_eq!(path(Kind::Entries, 1000, 255), "tile/entries/x001/000.p/255");
    }

    #[test]
    fn partials_are_dropped_for_tiles_that_became_full() {
        assert_eq!(completed(0, 300), []);
        let kinds: Vec<_> = completed(5, 256).iter().map(|t| t.kind).collect();
        assert_eq!(kinds, [Kind::Level(0), Kind::Entries]);
        let levels: Vec<_> = completed(65_535, 65_537).iter().map(|t| (t.kind, t.index)).collect();
        assert_eq!(levels, [(Kind::Level(0), 255), (Kind::Entries, 255), (Kind::Level(1), 0)]);
    }

    proptest! {
        #[test]
        fn bundles_read_back(entries in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..300), 1..40)) {
            let mut bytes = Vec::new();
            for entry in &entries {
                add_to_bundle(&mut bytes, entry);
            }
            prop_assert_eq!(bundle_from_bytes(&bytes[..bytes.len() - 1]).filter(|e| e.len() == entries.len()), None);
            prop_assert_eq!(bundle_from_bytes(&bytes), Some(entries.iter().map(Vec::as_slice).collect()));
        }

        #[test]
        fn no_bytes_make_the_readers_panic(bytes in prop::collection::vec(any::<u8>(), 0..2000), width in any::<u64>()) {
            bundle_from_bytes(&bytes);
            hashes_from_bytes(&bytes, width);
        }
    }
}
