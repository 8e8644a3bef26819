//! Reads tiles and bundles, each checked against the hash above it, up to the signed root.

use std::{cell::RefCell, collections::HashMap, path::Path, rc::Rc};

use crate::{
    edge::Edge,
    error::{LedgerError, RESTORE_BUNDLE, RESTORE_TILE},
    hash::{Hash, empty_root, leaf_hash, perfect},
    tile::{self, Kind, MAX_BUNDLE_BYTES, MAX_TILE_BYTES, Tile, WIDTH},
    tree::Nodes,
};

/// The most entries that one read answers.
pub const MAX_READ_ENTRIES: usize = 1024;
/// A read stops after this many bytes of entries, but answers at least one.
pub const MAX_READ_BYTES: usize = 4 << 20;

/// Reads a tile's or bundle's bytes: the file of its width, or the full one when that has replaced it.
fn read(dir: &Path, tile: Tile, limit: u64) -> Result<Vec<u8>, LedgerError> {
    if let Some(bytes) = durable::read(&dir.join(tile.path()), limit)? {
        return Ok(bytes);
    }
    if let Some(bytes) = durable::read(&dir.join(tile.full().path()), limit)? {
        return Ok(bytes);
    }
    Err(wrong(dir, tile, "it is missing"))
}

/// The error for a tile or bundle that is not what it should be.
pub(crate) fn wrong(dir: &Path, tile: Tile, what: &str) -> LedgerError {
    let recover = match tile.kind {
        Kind::Level(_) => RESTORE_TILE,
        Kind::Entries => RESTORE_BUNDLE,
    };
    LedgerError::damaged(dir.join(tile.path()), what, recover)
}

/// The hashes of `tile`, not yet checked against anything.
pub(crate) fn hashes(dir: &Path, tile: Tile) -> Result<Vec<Hash>, LedgerError> {
    let bytes = read(dir, tile, MAX_TILE_BYTES)?;
    tile::hashes_from_bytes(&bytes, tile.width).ok_or_else(|| wrong(dir, tile, "it is cut short"))
}

/// The bytes of the first `width` entries of the bundle `index`, not yet checked against anything.
pub(crate) fn bundle(dir: &Path, index: u64, width: u64) -> Result<Vec<u8>, LedgerError> {
    let tile = Tile { kind: Kind::Entries, index, width };
    let mut bytes = read(dir, tile, MAX_BUNDLE_BYTES)?;
    let entries = tile::bundle_from_bytes(&bytes).unwrap_or_default();
    if (entries.len() as u64) < width {
        return Err(wrong(dir, tile, "it does not hold the entries that it should"));
    }
    let width = usize::try_from(width).unwrap_or(usize::MAX);
    let length = entries[..width].iter().map(|e| e.len() + 2).sum();
    bytes.truncate(length);
    Ok(bytes)
}

type Hashes = Rc<Vec<Hash>>;

/// The tree as it was at one checkpoint.
pub(crate) struct Reader<'a> {
    dir: &'a Path,
    edge: &'a Edge,
    /// Tiles by level and index, so that one proof reads and checks each once.
    known: RefCell<HashMap<(u8, u64), Hashes>>,
}

impl<'a> Reader<'a> {
    /// Reads below `edge`, whose hashes are known to lead to the signed root.
    pub fn new(dir: &'a Path, edge: &'a Edge) -> Self {
        Self { dir, edge, known: RefCell::default() }
    }

    /// The checked hashes of a tile: those of the edge are, and a full tile is when the one above says so.
    fn tile(&self, level: u8, index: u64) -> Result<Hashes, LedgerError> {
        let key = (level, index);
        if let Some(hashes) = self.known.borrow().get(&key) {
            return Ok(Rc::clone(hashes));
        }
        let at_edge = index == tile::count(self.edge.size(), level) / WIDTH;
        let found = if at_edge {
            self.edge.level(level).to_vec()
        } else {
            let name = Tile { kind: Kind::Level(level), index, width: WIDTH };
            let found = hashes(self.dir, name)?;
            let above = self.node(8 * (u32::from(level) + 1), index)?;
            if perfect(&found) != Some(above) {
                return Err(wrong(self.dir, name, "its hashes do not lead to the signed root"));
            }
            found
        };
        let found = Rc::new(found);
        self.known.borrow_mut().insert(key, Rc::clone(&found));
        Ok(found)
    }

    /// The entries `from..to` of one bundle, checked.
    pub fn entries(&self, from: u64, to: u64) -> Result<Vec<Vec<u8>>, LedgerError> {
        let index = from / WIDTH;
        let width = (self.edge.size() - index * WIDTH).min(WIDTH);
        let bundle = bundle(self.dir, index, width)?;
        let entries = tile::bundle_from_bytes(&bundle).unwrap_or_default();
        let hashes = self.tile(0, index)?;
        let mut found = Vec::new();
        for (number, (entry, hash)) in (index * WIDTH..).zip(entries.into_iter().zip(hashes.iter())) {
            if !(from..to).contains(&number) {
                continue;
            }
            if leaf_hash(entry) != *hash {
                let name = Tile { kind: Kind::Entries, index, width };
                let what = format!("entry {number} is not the one that was entered");
                return Err(wrong(self.dir, name, &what));
            }
            found.push(entry.to_vec());
        }
        Ok(found)
    }

    /// The root over the first `size` entries, of which there are so many.
    pub fn root_at(&self, size: u64) -> Result<Hash, LedgerError> {
        if size == 0 { Ok(empty_root()) } else { self.range(0, size) }
    }

    /// Entries from number `from` on, up to `max` of them and the bounds of one read.
    pub fn page(&self, from: u64, max: usize) -> Result<Vec<Vec<u8>>, LedgerError> {
        let max = max.min(MAX_READ_ENTRIES) as u64;
        let end = from.saturating_add(max).min(self.edge.size());
        let (mut at, mut bytes, mut page) = (from, 0, Vec::new());
        while at < end {
            let stop = end.min((at / WIDTH + 1) * WIDTH);
            for entry in self.entries(at, stop)? {
                bytes += entry.len();
                if !page.is_empty() && bytes > MAX_READ_BYTES {
                    return Ok(page);
                }
                page.push(entry);
            }
            at = stop;
        }
        Ok(page)
    }
}

impl Nodes for Reader<'_> {
    type Error = LedgerError;

    fn node(&self, level: u32, index: u64) -> Result<Hash, LedgerError> {
        let (tile_level, inner) = (u8::try_from(level / 8).unwrap_or(u8::MAX), level % 8);
        let (tile, first) = ((index << inner) / WIDTH, (index << inner) % WIDTH);
        let hashes = self.tile(tile_level, tile)?;
        let first = usize::try_from(first).unwrap_or(usize::MAX);
        hashes.get(first..first + (1 << inner)).and_then(perfect).ok_or_else(|| {
            let name = Tile { kind: Kind::Level(tile_level), index: tile, width: WIDTH };
            wrong(self.dir, name, "it lacks hashes of the tree")
        })
    }
}
