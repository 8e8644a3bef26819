//! A disk for tests: it writes down every change, can fail at any, and tells what a power cut may leave.
//!
//! What is certain after a cut is what was flushed, and nothing else. A file's content: the parts written before its
//! last flush, and of later ones any. A folder's names: those at its last flush, and of the later changes any, each as a
//! whole, and two that concern one name in their order. A file and its name are apart: a flushed file whose name was not
//! may be gone, and a name that came through may lead to a file of which nothing did.

use std::{
    cell::{Cell, RefCell},
    collections::{BTreeMap, BTreeSet},
    fs,
    io::{self, Write},
    os::unix::fs::{PermissionsExt as _, symlink},
    path::{Path, PathBuf},
    rc::Rc,
};

use super::disk::{Disk, Output, RealDisk};

/// A stream of numbers that a seed repeats (`SplitMix64`).
#[derive(Debug, Clone)]
pub struct Dice(pub u64);

impl Dice {
    pub fn below(&mut self, bound: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let z = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (z ^ (z >> 31)) % bound
    }
}

/// One change, as it was asked for. Paths are below the disk's root.
#[derive(Debug, Clone)]
pub enum Change {
    Folder(PathBuf),
    Create(PathBuf, u32),
    Link(PathBuf, PathBuf),
    Rename(PathBuf, PathBuf),
    Remove(PathBuf),
    RemoveFolder(PathBuf),
    Write(usize, Vec<u8>),
    Sync(usize),
    SyncFolder(PathBuf),
}

/// The changes since [`PowerDisk::begin`], on a real folder.
#[derive(Clone)]
pub struct PowerDisk(Rc<Inner>);

struct Inner {
    root: PathBuf,
    before: RefCell<Image>,
    changes: RefCell<Vec<Change>>,
    files: Cell<usize>,
    /// The change that fails, and all after it.
    full_at: Cell<usize>,
    /// Flushes are answered and not done.
    deaf: Cell<bool>,
}

impl PowerDisk {
    pub fn new(root: &Path) -> Self {
        let root = fs::canonicalize(root).unwrap();
        let before = RefCell::new(Image::read(&root));
        let (changes, files, full_at) = (RefCell::default(), Cell::new(0), Cell::new(usize::MAX));
        let deaf = Cell::new(false);
        Self(Rc::new(Inner { root, before, changes, files, full_at, deaf }))
    }

    /// All that is there now is certain, and what follows is written down anew.
    pub fn begin(&self) {
        *self.0.before.borrow_mut() = Image::read(&self.0.root);
        self.0.changes.borrow_mut().clear();
        self.0.files.set(0);
    }

    /// From the change with this number on, the disk is full.
    pub fn full_at(&self, number: usize) {
        self.0.full_at.set(number);
    }

    /// From now on, flushes do nothing.
    pub fn deafen(&self) {
        self.0.deaf.set(true);
    }

    pub fn changes(&self) -> usize {
        self.0.changes.borrow().len()
    }

    /// A folder as it may be after a power cut before the change with the number `at`.
    pub fn cut(&self, at: usize, dice: &mut Dice) -> tempfile::TempDir {
        let image = self.0.before.borrow().after(&self.0.changes.borrow()[..at], dice);
        let folder = tempfile::tempdir().unwrap();
        image.write(folder.path());
        folder
    }

    fn note(&self, change: Change) -> io::Result<()> {
        let mut changes = self.0.changes.borrow_mut();
        if changes.len() >= self.0.full_at.get() {
            return Err(io::ErrorKind::StorageFull.into());
        }
        changes.push(change);
        Ok(())
    }

    fn name(&self, path: &Path) -> PathBuf {
        path.strip_prefix(&self.0.root).unwrap().to_owned()
    }
}

struct Recorded {
    disk: PowerDisk,
    number: usize,
    real: Box<dyn Output>,
}

impl Write for Recorded {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.disk.note(Change::Write(self.number, bytes.to_vec()))?;
        self.real.write_all(bytes).map(|()| bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Output for Recorded {
    fn sync(&mut self) -> io::Result<()> {
        if self.disk.0.deaf.get() { Ok(()) } else { self.disk.note(Change::Sync(self.number)) }
    }
}

impl Disk for PowerDisk {
    fn folder(&self, path: &Path) -> io::Result<()> {
        self.note(Change::Folder(self.name(path)))?;
        RealDisk.folder(path)
    }

    fn create(&self, path: &Path, mode: u32) -> io::Result<Box<dyn Output + '_>> {
        self.note(Change::Create(self.name(path), mode))?;
        let number = self.0.files.get();
        self.0.files.set(number + 1);
        let _ = fs::remove_file(path);
        Ok(Box::new(Recorded { disk: self.clone(), number, real: RealDisk.create(path, mode)? }))
    }

    fn link(&self, target: &Path, path: &Path) -> io::Result<()> {
        self.note(Change::Link(target.to_owned(), self.name(path)))?;
        RealDisk.link(target, path)
    }

    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        self.note(Change::Rename(self.name(from), self.name(to)))?;
        RealDisk.rename(from, to)
    }

    fn remove(&self, path: &Path) -> io::Result<()> {
        self.note(Change::Remove(self.name(path)))?;
        RealDisk.remove(path)
    }

    fn remove_folder(&self, path: &Path) -> io::Result<()> {
        self.note(Change::RemoveFolder(self.name(path)))?;
        RealDisk.remove_folder(path)
    }

    fn sync_folder(&self, path: &Path) -> io::Result<()> {
        if self.0.deaf.get() { Ok(()) } else { self.note(Change::SyncFolder(self.name(path))) }
    }
}

/// What a name leads to.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Node {
    Folder,
    Link(PathBuf),
    /// A file by its number in [`Image::contents`].
    File(usize),
}

/// A folder in memory: names by path, and contents that names lead to.
#[derive(Debug, Clone, Default)]
struct Image {
    names: BTreeMap<PathBuf, Node>,
    contents: Vec<(Vec<u8>, u32)>,
}

impl Image {
    fn read(root: &Path) -> Self {
        let (mut image, mut folders) = (Self::default(), vec![root.to_owned()]);
        while let Some(folder) = folders.pop() {
            for path in fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()) {
                let name = path.strip_prefix(root).unwrap().to_owned();
                let found = path.symlink_metadata().unwrap();
                let node = if found.is_dir() {
                    folders.push(path);
                    Node::Folder
                } else if found.is_symlink() {
                    Node::Link(fs::read_link(path).unwrap())
                } else {
                    image.contents.push((fs::read(path).unwrap(), found.permissions().mode() & 0o777));
                    Node::File(image.contents.len() - 1)
                };
                image.names.insert(name, node);
            }
        }
        image
    }

    /// What a cut after `changes` may leave.
    fn after(&self, changes: &[Change], dice: &mut Dice) -> Self {
        let mut image = self.clone();
        let first = image.contents.len();
        // Contents: a write is certain when its file was flushed afterwards.
        let mut pieces: Vec<Vec<(usize, &[u8])>> = Vec::new();
        let mut flushed: BTreeMap<usize, usize> = BTreeMap::new();
        for (number, change) in changes.iter().enumerate() {
            match change {
                Change::Create(_, mode) => {
                    image.contents.push((Vec::new(), *mode));
                    pieces.push(Vec::new());
                }
                Change::Write(file, bytes) => pieces[*file].push((number, bytes)),
                Change::Sync(file) => drop(flushed.insert(*file, number)),
                _ => {}
            }
        }
        for (file, pieces) in pieces.iter().enumerate() {
            let content = &mut image.contents[first + file].0;
            for (number, bytes) in pieces {
                let certain = flushed.get(&file).is_some_and(|flush| flush > number);
                let begin = content.len();
                content.extend_from_slice(bytes);
                match if certain { 3 } else { dice.below(4) } {
                    0 => content.truncate(begin),
                    1 => content[begin..].fill(0),
                    2 => {
                        let keep = begin + usize::try_from(dice.below(bytes.len() as u64 + 1)).unwrap();
                        content.truncate(keep);
                    }
                    _ => {}
                }
            }
        }
        image.change_names(changes, first, dice);
        image
    }

    /// Of the changes to names, those that are certain, and any of the others.
    fn change_names(&mut self, changes: &[Change], first: usize, dice: &mut Dice) {
        let mut synced: BTreeMap<&Path, usize> = BTreeMap::new();
        for (number, change) in changes.iter().enumerate() {
            if let Change::SyncFolder(folder) = change {
                synced.insert(folder, number);
            }
        }
        // A name of which a change was lost keeps what it was: later changes to it are lost too.
        let mut lost: BTreeSet<&Path> = BTreeSet::new();
        let mut file = first;
        for (number, change) in changes.iter().enumerate() {
            let (names, node): (Vec<&Path>, Option<Node>) = match change {
                Change::Folder(path) => (vec![path], Some(Node::Folder)),
                Change::Create(path, _) => {
                    file += 1;
                    (vec![path], Some(Node::File(file - 1)))
                }
                Change::Link(target, path) => (vec![path], Some(Node::Link(target.clone()))),
                Change::Rename(from, to) => (vec![to, from], None),
                Change::Remove(path) | Change::RemoveFolder(path) => (vec![path], None),
                Change::Write(..) | Change::Sync(_) | Change::SyncFolder(_) => continue,
            };
            let certain = synced.get(names[0].parent().unwrap()).is_some_and(|sync| *sync > number);
            if !certain && (names.iter().any(|name| lost.contains(name)) || dice.below(2) == 0) {
                lost.extend(names);
                continue;
            }
            match (change, node) {
                (Change::Rename(from, to), _) => {
                    if let Some(node) = self.names.remove(from) {
                        self.names.insert(to.clone(), node);
                    }
                }
                (Change::Folder(path), _) if self.names.contains_key(path) => {}
                (_, Some(node)) => drop(self.names.insert(names[0].to_owned(), node)),
                (_, None) => drop(self.names.remove(names[0])),
            }
        }
    }

    fn write(&self, root: &Path) {
        for (name, node) in &self.names {
            // What lies in a folder that is gone is gone with it.
            let above = name.ancestors().skip(1).filter(|a| !a.as_os_str().is_empty());
            if above.into_iter().any(|a| self.names.get(a) != Some(&Node::Folder)) {
                continue;
            }
            let path = root.join(name);
            match node {
                Node::Folder => fs::create_dir(&path).unwrap(),
                Node::Link(target) => symlink(target, &path).unwrap(),
                Node::File(number) => {
                    let (content, mode) = &self.contents[*number];
                    let mut file = fs::File::create(&path).unwrap();
                    file.write_all(content).unwrap();
                    file.set_permissions(fs::Permissions::from_mode(*mode)).unwrap();
                }
            }
        }
    }
}
