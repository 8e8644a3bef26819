//! Brings a copy of a home back.

use std::{
    fs,
    path::{Path, PathBuf},
};

use rustic_core::{LocalDestination, LsOptions, RestoreOptions};
use serde::Serialize;

use crate::{
    BackupError, Repo, STAGING_PREFIX, Snapshot,
    error::{io_error, meaning},
    repo::is_empty,
    take::ROOT,
};

/// What comes to its place first, and what last: a home with a database and no keystore is one that no platform starts on.
const FIRST: &str = "echo.db";
const LAST: &str = trust::keystore::KEYSTORE_FILE;

/// What was brought back.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Restored {
    /// Which snapshot.
    pub snapshot: Snapshot,
    /// Files written.
    pub files: u64,
    /// Bytes written.
    pub bytes: u64,
}

impl Repo {
    /// Writes a snapshot (an id, its beginning, or `latest`) into `to`, which is empty or not there yet. Every piece is
    /// decrypted and compared with its hash on the way. Files belong to whoever runs this.
    pub fn restore(&self, snapshot: &str, to: &Path) -> Result<Restored, BackupError> {
        if to.exists() && !is_empty(to)? {
            return Err(BackupError::NotEmpty(to.to_owned()));
        }
        let failed = |e| meaning("restore from", &self.place, &e);
        let found = self.snapshot(snapshot)?;
        let about = Snapshot::of(&found);
        let open = self.again().and_then(rustic_core::Repository::to_indexed).map_err(|e| failed(*e))?;
        let root = open
            .node_from_snapshot_and_path(&found, ROOT.trim_start_matches('/'))
            .map_err(|_| BackupError::NotAHome(about.short().to_owned()))?;
        durable::create_folder(to)?;
        let target = to.to_str().ok_or_else(|| BackupError::Repository {
            action: "restore from",
            place: self.place.clone(),
            detail: format!("{} is not named in UTF-8", to.display()),
        })?;
        let into = LocalDestination::new(target, true, false).map_err(|e| failed(*e))?;
        let options = RestoreOptions::default().no_ownership(true);
        let everything = LsOptions::default();
        let nodes = || open.ls(&root, &everything).map_err(|e| failed(*e));
        let plan = open.prepare_restore(&options, nodes()?, &into, false).map_err(|e| failed(*e))?;
        let (files, bytes) = (plan.stats.files.restore, plan.restore_size);
        open.restore(plan, &options, nodes()?, &into).map_err(|e| failed(*e))?;
        durable::sync_folder(to)?;
        Ok(Restored { snapshot: about, files, bytes })
    }
}

/// A home that came back, beside its place: it is looked at before it is one.
#[derive(Debug)]
pub struct Arrival {
    folder: tempfile::TempDir,
    to: PathBuf,
}

impl Repo {
    /// Brings a snapshot into a folder inside of `to`, which is empty or not there yet. [`Arrival::settle`] makes it the home;
    /// without that, and after a crash, `to` holds nothing that a platform would start on.
    pub fn bring(&self, snapshot: &str, to: &Path) -> Result<(Restored, Arrival), BackupError> {
        if to.exists() && !is_empty(to)? {
            return Err(BackupError::NotEmpty(to.to_owned()));
        }
        // Asked before anything is made.
        self.snapshot(snapshot)?;
        durable::create_folder(to)?;
        let folder = tempfile::Builder::new()
            .prefix(STAGING_PREFIX)
            .tempdir_in(to)
            .map_err(io_error("make a folder in", to))?;
        let restored = self.restore(snapshot, folder.path())?;
        Ok((restored, Arrival { folder, to: to.to_owned() }))
    }
}

impl Arrival {
    /// Where it is until it is settled.
    pub fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// Puts everything into its place, durably, the keystore last.
    pub fn settle(self) -> Result<(), BackupError> {
        // The pieces were written without waiting for the disk.
        let handle = fs::File::open(&self.to).map_err(io_error("open", &self.to))?;
        rustix::fs::syncfs(&handle).map_err(|e| io_error("flush", &self.to)(e.into()))?;
        let mut names = Vec::new();
        for entry in fs::read_dir(self.folder()).map_err(io_error("list", self.folder()))? {
            names.push(entry.map_err(io_error("list", self.folder()))?.file_name());
        }
        names.sort_by_key(|name| (name.as_os_str() == LAST, name.as_os_str() != FIRST));
        for name in names {
            let (from, to) = (self.folder().join(&name), self.to.join(&name));
            fs::rename(&from, &to).map_err(io_error("move", &to))?;
            if name.as_os_str() == FIRST {
                durable::sync_folder(&self.to)?;
            }
        }
        Ok(durable::sync_folder(&self.to)?)
    }
}

#[cfg(test)]
mod tests {
    use echo_core::Mint;

    use super::*;
    use crate::RepoKey;

    fn put(path: &Path, content: impl AsRef<[u8]>) {
        durable::write(path, content.as_ref(), durable::Mode::Private).unwrap();
    }

    #[test]
    fn a_home_arrives_whole_or_not_at_all() {
        let scratch = tempfile::tempdir().unwrap();
        let path = |name: &str| scratch.path().join(name);
        fs::create_dir_all(path("home/logs")).unwrap();
        for name in ["echo.db", LAST, "logs/a"] {
            put(&path("home").join(name), name);
        }
        let key = RepoKey::generate(&Mint::system());
        let repo = Repo::init(&path("repo"), &key).unwrap();
        repo.back_up(&path("home"), "root", &[], "2026-11-01T10:00:00Z".parse().unwrap()).unwrap();
        let (_, arrival) = repo.bring("latest", &path("back")).unwrap();
        assert_eq!(fs::read_dir(path("back")).unwrap().count(), 1, "nothing is in its place yet");
        drop(arrival);
        assert!(is_empty(&path("back")).unwrap());
        repo.bring("latest", &path("back")).unwrap().1.settle().unwrap();
        for name in ["echo.db", LAST, "logs/a"] {
            assert_eq!(fs::read_to_string(path("back").join(name)).unwrap(), name);
        }
        assert_eq!(fs::read_dir(path("back")).unwrap().count(), 3);
        assert!(matches!(repo.bring("latest", &path("back")), Err(BackupError::NotEmpty(_))));
    }
}
