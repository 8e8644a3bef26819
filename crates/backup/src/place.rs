//! A folder that holds a repository, in restic's layout. What was written is durable before it counts, a file is there whole
//! or not at all, and every error of the disk is told: a stick may be pulled at any moment.

use std::{
    fs::{self, File},
    io::{self, Read as _, Seek as _, SeekFrom, Write as _},
    os::unix::fs::{DirBuilderExt as _, PermissionsExt as _},
    path::{Path, PathBuf},
};

use bytes::Bytes;
use rustic_core::{ALL_FILE_TYPES, BytesList, FileType, Id, ReadBackend, RusticResult, WriteBackend};

use crate::error::of_place;

/// The file that makes a folder a repository.
pub(crate) const CONFIG: &str = "config";
/// The folder of the packs.
const PACKS: &str = "data";
/// How the name of a file under way begins.
const UNDER_WAY: &str = ".echo-";
/// The most bytes of one file: packs have some tens of megabytes.
const MAX_FILE: u64 = 1 << 30;

/// A folder with a repository.
#[derive(Debug)]
pub(crate) struct Folder {
    path: PathBuf,
}

impl Folder {
    pub fn new(path: &Path) -> Self {
        Self { path: path.to_owned() }
    }

    fn folder(&self, kind: FileType, id: &Id) -> PathBuf {
        match kind {
            FileType::Config => self.path.clone(),
            FileType::Pack => self.path.join(PACKS).join(&id.to_hex()[..2]),
            _ => self.path.join(kind.dirname()),
        }
    }

    fn file(&self, kind: FileType, id: &Id) -> PathBuf {
        match kind {
            FileType::Config => self.path.join(CONFIG),
            _ => self.folder(kind, id).join(id.to_hex().as_str()),
        }
    }

    /// Writes a file that is there whole, or not at all.
    fn put(folder: &Path, file: &Path, content: &BytesList) -> io::Result<()> {
        make(folder)?;
        let mut under_way = tempfile::Builder::new()
            .prefix(UNDER_WAY)
            .permissions(fs::Permissions::from_mode(0o600))
            .tempfile_in(folder)?;
        for part in content.slice() {
            under_way.write_all(part)?;
        }
        under_way.as_file().sync_all()?;
        under_way.persist(file).map_err(|e| e.error)?;
        File::open(folder)?.sync_all()
    }
}

/// Makes a folder that only its owner may read, where the file system knows owners.
fn make(folder: &Path) -> io::Result<()> {
    fs::DirBuilder::new().recursive(true).mode(0o700).create(folder)
}

/// The files of a folder that are named like one of the repository, with their sizes.
fn named(folder: &Path, found: &mut Vec<(Id, u32)>) -> io::Result<()> {
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        let id =
            entry.file_name().to_str().filter(|name| name.len() == 64).and_then(|name| name.parse().ok());
        let Some(id) = id else { continue };
        let about = entry.metadata()?;
        let size = u32::try_from(about.len()).map_err(|_| {
            io::Error::other(format!("{} is too large for a repository", entry.path().display()))
        })?;
        if about.is_file() {
            found.push((id, size));
        }
    }
    Ok(())
}

impl ReadBackend for Folder {
    fn location(&self) -> String {
        format!("local:{}", self.path.display())
    }

    fn list_with_size(&self, kind: FileType) -> RusticResult<Vec<(Id, u32)>> {
        let mut found = Vec::new();
        let folder = self.path.join(kind.dirname());
        let listed = match kind {
            FileType::Config => fs::metadata(&folder).map(|about| {
                found.push((Id::default(), u32::try_from(about.len()).unwrap_or(u32::MAX)));
            }),
            FileType::Pack => packs(&folder, &mut found),
            _ => named(&folder, &mut found),
        };
        match listed {
            Err(error) if kind == FileType::Config && error.kind() == io::ErrorKind::NotFound => Ok(found),
            Err(error) => Err(of_place("list", &folder, error)),
            Ok(()) => Ok(found),
        }
    }

    fn read_full(&self, kind: FileType, id: &Id) -> RusticResult<Bytes> {
        let path = self.file(kind, id);
        let read = || {
            let mut bytes = Vec::new();
            File::open(&path)?.take(MAX_FILE).read_to_end(&mut bytes)?;
            Ok(bytes.into())
        };
        read().map_err(|error| of_place("read", &path, error))
    }

    fn read_partial(
        &self,
        kind: FileType,
        id: &Id,
        _: bool,
        offset: u32,
        length: u32,
    ) -> RusticResult<Bytes> {
        let path = self.file(kind, id);
        let read = || {
            let mut file = File::open(&path)?;
            // Nobody says how much memory to take but the file itself.
            if u64::from(offset) + u64::from(length) > file.metadata()?.len() {
                return Err(io::Error::new(
                    io::ErrorKind::UnexpectedEof,
                    "the file is shorter than the index says",
                ));
            }
            file.seek(SeekFrom::Start(offset.into()))?;
            let mut bytes = vec![0; length as usize];
            file.read_exact(&mut bytes)?;
            Ok(bytes.into())
        };
        read().map_err(|error| of_place("read", &path, error))
    }

    fn warmup_path(&self, kind: FileType, id: &Id) -> String {
        self.file(kind, id).display().to_string()
    }
}

fn packs(folder: &Path, found: &mut Vec<(Id, u32)>) -> io::Result<()> {
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        if entry.file_type()?.is_dir() {
            named(&entry.path(), found)?;
        }
    }
    Ok(())
}

impl WriteBackend for Folder {
    fn create(&self) -> RusticResult<()> {
        for kind in ALL_FILE_TYPES {
            let folder = self.path.join(kind.dirname());
            make(&folder).map_err(|error| of_place("make", &folder, error))?;
        }
        // restic wants to find its folder for locks.
        let locks = self.path.join("locks");
        make(&locks).map_err(|error| of_place("make", &locks, error))
    }

    fn write_bytes(&self, kind: FileType, id: &Id, _: bool, content: BytesList) -> RusticResult<()> {
        let path = self.file(kind, id);
        // A stick that was pulled leaves its mount point: nothing is written beside the repository.
        if kind != FileType::Config && kind != FileType::Key && !self.path.join(CONFIG).exists() {
            return Err(of_place("write", &path, io::Error::from(io::ErrorKind::NotFound)));
        }
        Self::put(&self.folder(kind, id), &path, &content).map_err(|error| of_place("write", &path, error))
    }

    fn remove(&self, kind: FileType, id: &Id, _: bool) -> RusticResult<()> {
        let path = self.file(kind, id);
        fs::remove_file(&path).map_err(|error| of_place("remove", &path, error))
    }
}
