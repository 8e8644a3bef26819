//! A copy of a home beside it, in which everything is of one moment. It lies inside the home, for there it is on the same
//! disk, where files that never change need no second copy; it goes when it is dropped.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs::{self, File, FileTimes},
    io,
    os::unix::fs::MetadataExt as _,
    path::{Path, PathBuf},
};

use serde::Serialize;

use crate::{
    BackupError, How, MAX_DEPTH, MAX_FILES, STAGING_PREFIX, Turn,
    error::io_error,
    home::{how, is_of_one_moment},
};

/// How often something that changed meanwhile is copied again.
const TRIES: usize = 8;

/// A copy under way.
#[derive(Debug)]
pub struct Staging {
    home: PathBuf,
    // Before the turn: the folder is gone when somebody else may copy.
    folder: tempfile::TempDir,
    _turn: Turn,
    /// What the caller writes into it himself, by paths below the home.
    written: BTreeSet<String>,
    copied: Copied,
}

/// What was copied.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Copied {
    /// Files.
    pub files: u64,
    /// Of these, files that only got a second name.
    pub linked: u64,
    /// Bytes of all of them.
    pub bytes: u64,
    /// What was left out that is no ordinary file, such as a link to elsewhere: the first hundred.
    pub skipped: Vec<String>,
}

/// The most names of what was skipped.
const MAX_SKIPPED: usize = 100;

/// What says that a file is still the one that was copied.
type Mark = (u64, u64, i64, i64);

impl Staging {
    /// Begins a copy of `home`, after what an earlier one left was removed. Whoever calls this has the home open, or its lock.
    pub fn begin(home: &Path) -> Result<Self, BackupError> {
        let turn = Turn::take(home)?;
        let folder = turn.folder(home)?;
        Ok(Self {
            home: home.to_owned(),
            folder,
            _turn: turn,
            written: BTreeSet::new(),
            copied: Copied::default(),
        })
    }

    /// Where the copy is.
    pub fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// What was copied up to now.
    pub fn copied(&self) -> &Copied {
        &self.copied
    }

    /// Where in the copy a file belongs that the caller writes himself, such as a database that is open. Its folder is made.
    /// It is not copied then, nor what SQLite keeps beside it.
    pub fn place_of(&mut self, path: &str) -> Result<PathBuf, BackupError> {
        self.written.insert(path.to_owned());
        let place = self.folder().join(path);
        if let Some(above) = place.parent() {
            durable::create_folder(above)?;
        }
        Ok(place)
    }

    /// Copies the two ledgers. Nothing may append meanwhile that the copied database does not know.
    pub fn ledgers(&mut self) -> Result<(), BackupError> {
        ["genesis_ledger", "aeterna_ledger"].iter().try_for_each(|name| self.top(name))
    }

    /// Copies everything that is not in the copy yet.
    pub fn rest(&mut self) -> Result<(), BackupError> {
        let mut names = Vec::new();
        for entry in fs::read_dir(&self.home).map_err(io_error("list", &self.home))? {
            let entry = entry.map_err(io_error("list", &self.home))?;
            match entry.file_name().into_string() {
                Ok(name) => names.push(name),
                Err(name) => self.skip(&name.to_string_lossy()),
            }
        }
        names.sort();
        names.iter().filter(|name| !name.starts_with(STAGING_PREFIX)).try_for_each(|name| self.top(name))
    }

    /// Copies one thing directly below the home.
    fn top(&mut self, name: &str) -> Result<(), BackupError> {
        if !is_of_one_moment(name) {
            return self.copy(name, 0, &mut BTreeMap::new());
        }
        if self.folder().join(name).exists() {
            return Ok(());
        }
        for _ in 0..TRIES {
            let before = self.copied.clone();
            let mut marks = BTreeMap::new();
            self.copy(name, 0, &mut marks)?;
            let mut now = BTreeMap::new();
            self.look(name, 0, &mut now)?;
            if now == marks {
                return Ok(());
            }
            self.copied = before;
            let partial = self.folder().join(name);
            if partial.exists() {
                fs::remove_dir_all(&partial).map_err(io_error("remove", &partial))?;
            }
        }
        Err(BackupError::Restless(self.home.join(name)))
    }

    fn copy(
        &mut self,
        path: &str,
        depth: usize,
        marks: &mut BTreeMap<String, Mark>,
    ) -> Result<(), BackupError> {
        let from = self.home.join(path);
        // What went away meanwhile is not part of this moment.
        let Some(about) = there(&from)? else { return Ok(()) };
        if about.is_dir() {
            durable::create_folder(&self.folder().join(path))?;
            for below in self.below(path, depth)? {
                self.copy(&below, depth + 1, marks)?;
            }
            return Ok(());
        }
        let how = how(path);
        if matches!(how, How::Leave(_)) || self.is_written(path) {
            return Ok(());
        }
        if !about.is_file() {
            self.skip(path);
            return Ok(());
        }
        marks.insert(path.to_owned(), mark(&about));
        if !self.one(path, how)? {
            return Ok(());
        }
        self.copied.files += 1;
        self.copied.bytes += about.len();
        if self.copied.files > MAX_FILES as u64 {
            return Err(BackupError::TooMuch { home: self.home.clone(), what: "files", limit: MAX_FILES });
        }
        Ok(())
    }

    /// Copies one file. Whether it is still there.
    fn one(&mut self, path: &str, how: How) -> Result<bool, BackupError> {
        let (from, to) = (self.home.join(path), self.folder().join(path));
        if how == How::Link && fs::hard_link(&from, &to).is_ok() {
            self.copied.linked += 1;
            return Ok(true);
        }
        match fs::copy(&from, &to) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(false),
            copied => copied.map_err(io_error("copy", &from))?,
        };
        // When a document was written says something to people; a copy without it is good all the same.
        if let (Ok(time), Ok(file)) = (fs::metadata(&from).and_then(|m| m.modified()), File::open(&to)) {
            let _ = file.set_times(FileTimes::new().set_modified(time));
        }
        Ok(true)
    }

    /// The marks of everything that would be copied.
    fn look(&self, path: &str, depth: usize, marks: &mut BTreeMap<String, Mark>) -> Result<(), BackupError> {
        let Some(about) = there(&self.home.join(path))? else { return Ok(()) };
        if about.is_dir() {
            for below in self.below(path, depth)? {
                self.look(&below, depth + 1, marks)?;
            }
        } else if about.is_file() && !matches!(how(path), How::Leave(_)) {
            marks.insert(path.to_owned(), mark(&about));
        }
        Ok(())
    }

    /// What lies in a folder, by paths below the home.
    fn below(&self, path: &str, depth: usize) -> Result<Vec<String>, BackupError> {
        if depth >= MAX_DEPTH {
            let home = self.home.clone();
            return Err(BackupError::TooMuch { home, what: "folders inside one another", limit: MAX_DEPTH });
        }
        let folder = self.home.join(path);
        let mut names = Vec::new();
        for entry in fs::read_dir(&folder).map_err(io_error("list", &folder))? {
            let name = entry.map_err(io_error("list", &folder))?.file_name();
            if let Some(name) = name.to_str() {
                names.push(format!("{path}/{name}"));
            }
        }
        names.sort();
        Ok(names)
    }

    /// Whether the caller wrote it himself, or it belongs to a database that he wrote.
    fn is_written(&self, path: &str) -> bool {
        let database = path.strip_suffix("-wal").or_else(|| path.strip_suffix("-journal"));
        self.written.contains(path) || database.is_some_and(|database| self.written.contains(database))
    }

    fn skip(&mut self, path: &str) {
        if self.copied.skipped.len() < MAX_SKIPPED {
            self.copied.skipped.push(path.to_owned());
        }
    }
}

fn there(path: &Path) -> Result<Option<fs::Metadata>, BackupError> {
    match fs::symlink_metadata(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        about => Ok(Some(about.map_err(io_error("look at", path))?)),
    }
}

fn mark(about: &fs::Metadata) -> Mark {
    (about.ino(), about.len(), about.mtime(), about.mtime_nsec())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn put(path: &Path, content: impl AsRef<[u8]>) {
        durable::write(path, content.as_ref(), durable::Mode::Private).unwrap();
    }

    fn home() -> tempfile::TempDir {
        let home = tempfile::tempdir().unwrap();
        for (path, text) in [
            ("echo.toml", "listen = 1"),
            ("echo.db", "database"),
            ("echo.db-wal", "log"),
            ("backup.key", "secret"),
            ("genesis_ledger/.lock", "1"),
            ("genesis_ledger/checkpoint", "head"),
            ("genesis_ledger/tile/0/000", "tile"),
            ("memory/documents/a b.md", "words"),
        ] {
            let path = home.path().join(path);
            durable::create_folder(path.parent().unwrap()).unwrap();
            put(&path, text);
        }
        home
    }

    fn found(folder: &Path) -> Vec<String> {
        let mut all = Vec::new();
        let mut open = vec![folder.to_owned()];
        while let Some(next) = open.pop() {
            for entry in fs::read_dir(next).unwrap() {
                let path = entry.unwrap().path();
                if path.is_dir() {
                    open.push(path);
                } else {
                    all.push(path.strip_prefix(folder).unwrap().to_str().unwrap().to_owned());
                }
            }
        }
        all.sort();
        all
    }

    #[test]
    fn everything_is_copied_but_for_what_is_named() {
        let home = home();
        let mut staging = Staging::begin(home.path()).unwrap();
        staging.ledgers().unwrap();
        staging.rest().unwrap();
        let all = found(staging.folder());
        let expected = [
            "echo.db",
            "echo.db-wal",
            "echo.toml",
            "genesis_ledger/checkpoint",
            "genesis_ledger/tile/0/000",
            "memory/documents/a b.md",
        ];
        assert_eq!(all, expected);
        assert_eq!((staging.copied().files, staging.copied().linked), (6, 1));
        let folder = staging.folder().to_owned();
        drop(staging);
        assert!(!folder.exists());
    }

    #[test]
    fn a_database_that_the_caller_wrote_stays_without_its_log() {
        let home = home();
        let mut staging = Staging::begin(home.path()).unwrap();
        put(&staging.place_of("echo.db").unwrap(), "one moment");
        staging.rest().unwrap();
        assert_eq!(fs::read(staging.folder().join("echo.db")).unwrap(), b"one moment");
        assert!(!staging.folder().join("echo.db-wal").exists());
    }

    #[test]
    fn what_a_copy_that_was_cut_off_left_goes_and_two_at_once_are_refused() {
        let home = home();
        fs::create_dir(home.path().join(".backup-old")).unwrap();
        let staging = Staging::begin(home.path()).unwrap();
        assert!(!home.path().join(".backup-old").exists());
        assert!(matches!(Staging::begin(home.path()), Err(BackupError::Busy(_))));
        drop(staging);
        assert!(Staging::begin(home.path()).is_ok());
    }

    #[test]
    fn a_link_to_elsewhere_is_named_and_not_followed() {
        let home = home();
        std::os::unix::fs::symlink("/etc/hostname", home.path().join("memory/elsewhere")).unwrap();
        let mut staging = Staging::begin(home.path()).unwrap();
        staging.rest().unwrap();
        assert_eq!(staging.copied().skipped, ["memory/elsewhere"]);
        assert!(!staging.folder().join("memory/elsewhere").exists());
    }
}
