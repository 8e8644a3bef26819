//! Checks a whole log from its entries up, and says which file is wrong. Reads only; a writer may be at work.

use std::path::Path;

use crate::{
    edge::{Edge, Resource, TILE_HEIGHTS},
    error::{Fault, LedgerError, RESTORE_BUNDLE, RESTORE_FOLDER, RESTORE_TILE},
    folder,
    hash::{Hash, leaf_hash},
    note::Checkpoint,
    reader,
    recovery::CHECKPOINT,
    segment, stage,
    tile::{self, Kind, Tile, WIDTH},
};

/// The most faults that one check lists.
const MAX_FAULTS: usize = 100;

/// A sound log. A damaged one is [`LedgerError::Unsound`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FsckReport {
    /// The log's name.
    pub origin: String,
    /// Entries under the checkpoint, each of them hashed.
    pub size: u64,
    /// The signed root, which the entries lead to.
    pub root: [u8; 32],
    /// Entry bundles read.
    pub bundles: u64,
    /// Tiles of hashes compared.
    pub tiles: u64,
    /// Whether a batch is staged: it is published when the log is opened next.
    pub staged: bool,
}

/// Derives every tile and the root from the entries below `dir` and compares them with the files and with the
/// checkpoint signed by `vkey`. Nothing is changed. Time and reads grow with the log; memory does not.
pub fn fsck(dir: &Path, vkey: &str) -> Result<FsckReport, LedgerError> {
    let vkey = vkey.parse().map_err(LedgerError::Key)?;
    let (head, _) = folder::head(dir, &vkey)?;
    let bundles = head.size.div_ceil(WIDTH);
    check(dir, &head, &dir.join(CHECKPOINT))?;
    let logged = segment::read(dir, &vkey).ok().and_then(|found| Some(found.last()?.end));
    Ok(FsckReport {
        origin: head.origin,
        size: head.size,
        root: head.root,
        bundles,
        tiles: (0..8).map(|level| tile::count(head.size, level).div_ceil(WIDTH)).sum(),
        staged: dir.join(stage::PATH).exists() || logged.is_some_and(|end| end > head.size),
    })
}

/// Compares the files below `dir` with one another and with `head`, which stands in the file `whence`.
pub(crate) fn check(dir: &Path, head: &Checkpoint, whence: &Path) -> Result<(), LedgerError> {
    let mut check = Check::new(dir);
    let bundles = head.size.div_ceil(WIDTH);
    let mut complete = true;
    for index in 0..bundles {
        let width = (head.size - index * WIDTH).min(WIDTH);
        complete = check.bundle(index, width)? && check.sure.len() < MAX_FAULTS;
        if !complete {
            break;
        }
    }
    let faults = if complete { check.conclude(head, whence)? } else { check.sure };
    if faults.is_empty() { Ok(()) } else { Err(LedgerError::Unsound { faults }) }
}

/// A tree derived from one source, and the files above the leaves that disagree with it.
#[derive(Clone, Default)]
struct Derived {
    edge: Edge,
    faults: Vec<Fault>,
}

/// Two trees side by side: from the bundles, and from the lowest tiles. When a bundle and its tile disagree, the
/// one whose tree leads to the signed root is right.
struct Check<'a> {
    dir: &'a Path,
    from_bundles: Derived,
    /// As long as nothing is disputed, the one above.
    from_tiles: Option<Derived>,
    /// Bundles that disagree with their tile, with their width.
    disputed: Vec<(u64, u64)>,
    /// What is wrong whatever the root says.
    sure: Vec<Fault>,
}

impl<'a> Check<'a> {
    fn new(dir: &'a Path) -> Self {
        let from_bundles = Derived::default();
        Self { dir, from_bundles, from_tiles: None, disputed: Vec::new(), sure: Vec::new() }
    }

    /// Takes in one bundle and its tile; answers whether the leaves could be had from either.
    fn bundle(&mut self, index: u64, width: u64) -> Result<bool, LedgerError> {
        let bundle = self.tolerate(reader::bundle(self.dir, index, width))?;
        let hashes = self.tolerate(reader::hashes(self.dir, Tile { kind: Kind::Level(0), index, width }))?;
        let leaves: Option<Vec<Hash>> = bundle.and_then(|bytes| {
            tile::bundle_from_bytes(&bytes).map(|all| all.iter().map(|e| leaf_hash(e)).collect())
        });
        let (Some(leaves), Some(hashes)) =
            (leaves.as_ref().or(hashes.as_ref()), hashes.as_ref().or(leaves.as_ref()))
        else {
            return Ok(false);
        };
        if leaves != hashes {
            self.from_tiles.get_or_insert_with(|| self.from_bundles.clone());
            if self.disputed.len() < MAX_FAULTS {
                self.disputed.push((index, width));
            }
        }
        self.from_bundles.grow(self.dir, leaves)?;
        if let Some(from_tiles) = &mut self.from_tiles {
            from_tiles.grow(self.dir, hashes)?;
        }
        Ok(true)
    }

    /// Notes a damaged file as a sure fault and goes on; other errors end the check.
    fn tolerate<T>(&mut self, read: Result<T, LedgerError>) -> Result<Option<T>, LedgerError> {
        match read {
            Ok(found) => Ok(Some(found)),
            Err(LedgerError::Damaged(fault)) => {
                self.sure.push(fault);
                Ok(None)
            }
            Err(other) => Err(other),
        }
    }

    /// All faults, by the tree that leads to the signed root.
    fn conclude(mut self, head: &Checkpoint, whence: &Path) -> Result<Vec<Fault>, LedgerError> {
        self.from_bundles.finish(self.dir)?;
        if let Some(from_tiles) = &mut self.from_tiles {
            from_tiles.finish(self.dir)?;
        }
        let disputed = |kind: Kind, what: &str, recover: &'static str| {
            let fault = |(index, width): &(u64, u64)| Fault {
                path: self.dir.join(Tile { kind, index: *index, width: *width }.path()),
                what: what.to_owned(),
                recover,
            };
            self.disputed.iter().map(fault).collect::<Vec<_>>()
        };
        let mut faults = self.sure;
        if self.from_bundles.edge.root() == head.root {
            faults.extend(disputed(Kind::Level(0), "its hashes are not those of the entries", RESTORE_TILE));
            faults.append(&mut self.from_bundles.faults);
        } else if let Some(from_tiles) = &mut self.from_tiles
            && from_tiles.edge.root() == head.root
        {
            let what = "its entries are not the ones that were entered";
            faults.extend(disputed(Kind::Entries, what, RESTORE_BUNDLE));
            faults.append(&mut from_tiles.faults);
        } else {
            let what = "it and its tile disagree, and neither leads to the signed root";
            faults.extend(disputed(Kind::Entries, what, RESTORE_BUNDLE));
            let what = format!("the {} entries do not lead to the root that it signs", head.size);
            faults.push(Fault { path: whence.to_owned(), what, recover: RESTORE_FOLDER });
        }
        faults.truncate(MAX_FAULTS);
        Ok(faults)
    }
}

impl Derived {
    /// Adds the leaves of one bundle.
    fn grow(&mut self, dir: &Path, leaves: &[Hash]) -> Result<(), LedgerError> {
        let from = self.edge.size();
        for leaf in leaves {
            self.edge.push(*leaf);
        }
        for height in 1..TILE_HEIGHTS {
            for full in self.edge.tiles(from, height).iter().filter(|r| r.tile.width == WIDTH) {
                self.compare(dir, full)?;
            }
        }
        self.edge.trim();
        Ok(())
    }

    fn finish(&mut self, dir: &Path) -> Result<(), LedgerError> {
        for height in 1..TILE_HEIGHTS {
            if let Some(partial) = self.edge.partial(height) {
                self.compare(dir, &partial)?;
            }
        }
        Ok(())
    }

    /// Compares a derived tile above the leaves with its file.
    fn compare(&mut self, dir: &Path, derived: &Resource) -> Result<(), LedgerError> {
        if self.faults.len() >= MAX_FAULTS {
            return Ok(());
        }
        match reader::hashes(dir, derived.tile) {
            Ok(found) if found.as_flattened() == derived.bytes => {}
            Ok(_) => self.faults.push(Fault {
                path: dir.join(derived.tile.path()),
                what: "its hashes are not those of the tiles below".to_owned(),
                recover: RESTORE_TILE,
            }),
            Err(LedgerError::Damaged(fault)) => self.faults.push(fault),
            Err(other) => return Err(other),
        }
        Ok(())
    }
}
