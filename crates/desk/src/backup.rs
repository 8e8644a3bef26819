//! Backups of the home while the platform runs, and the proof that they come back.

use std::{fmt, path::PathBuf};

use ::backup::{
    BackupError, Copied, Forgotten, Held, Repo, RepoKey, Settings, Snapshot, Staging, Turn, verify_home,
};
use serde::Serialize;
use store::Store;

use crate::{Desk, DeskError, desk::blocking};

/// What a backup did.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct BackedUp {
    /// The snapshot that was made.
    pub snapshot: Snapshot,
    /// What was copied for it.
    pub copied: Copied,
    /// What was forgotten.
    pub forgotten: Forgotten,
}

impl fmt::Display for BackedUp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "snapshot {}: {} files, {} bytes, of which {} were new; {} snapshots are kept",
            self.snapshot.short(),
            self.snapshot.files,
            self.snapshot.bytes,
            self.snapshot.added,
            self.forgotten.kept
        )
    }
}

/// What was found when the newest snapshot was brought back.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct BroughtBack {
    /// Which snapshot.
    pub snapshot: Snapshot,
    /// What was checked in it, and holds.
    pub held: Vec<Held>,
}

impl fmt::Display for BroughtBack {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let held: Vec<&str> = self.held.iter().map(|held| held.what.as_str()).collect();
        write!(
            f,
            "snapshot {} came back with {} bytes, and its {} hold",
            self.snapshot.short(),
            self.snapshot.bytes,
            held.join(", ")
        )
    }
}

impl Desk {
    /// Copies the home into a folder beside it, as it is at one moment: nothing is entered into the ledgers between the copy
    /// of the database and theirs, so what the database owes them, they do not hold, and what it does not owe, they do.
    /// Requests are answered meanwhile, but for those that wait for an entry: some tenths of a second.
    pub async fn stage(&self) -> Result<Staging, DeskError> {
        self.save_pulses()?;
        let home = self.home().to_owned();
        let mut staging = blocking(move || Staging::begin(&home).map_err(backup_error)).await?;
        let (echo, memory) = (place(&mut staging, "echo.db")?, place(&mut staging, "memory/memory.db")?);
        let entering = self.draining().lock().await;
        self.store().copy_into(&echo).await?;
        let mut staging = blocking(move || {
            staging.ledgers().map_err(backup_error)?;
            Ok(staging)
        })
        .await?;
        drop(entering);
        // It is made anew from what it was read from: it need not be of the same moment.
        self.memory().copy_into(&memory).await.map_err(crate::recall::memory_error)?;
        staging = blocking(move || {
            staging.rest().map_err(backup_error)?;
            Ok(staging)
        })
        .await?;
        Ok(staging)
    }

    /// Backs the home up as `settings` say, and forgets what they do not keep. Nothing when they name no place.
    pub async fn back_up(&self, settings: &Settings) -> Result<Option<BackedUp>, DeskError> {
        let Some((place, key)) = self.backup_place(settings)? else { return Ok(None) };
        // Before the home is copied: a disk that is not there costs nothing.
        let repo = blocking(move || Repo::open(&place, &key).map_err(backup_error)).await?;
        let staging = self.stage().await?;
        let (label, now, keep) = (self.root().to_string(), self.now(), settings.keep);
        blocking(move || {
            let snapshot = repo.back_up(staging.folder(), &label, &[], now).map_err(backup_error)?;
            let copied = staging.copied().clone();
            drop(staging);
            let forgotten = repo.forget(&keep, now).map_err(backup_error)?;
            Ok(Some(BackedUp { snapshot, copied, forgotten }))
        })
        .await
    }

    /// Brings this home's newest snapshot back into a folder of its own, checks all of it, and removes it again. Nothing
    /// when `settings` name no place. It takes as much disk as the home has.
    pub async fn check_backup(&self, settings: &Settings) -> Result<Option<BroughtBack>, DeskError> {
        let Some((place, key)) = self.backup_place(settings)? else { return Ok(None) };
        let (home, label) = (self.home().to_owned(), self.root().to_string());
        let (turn, folder, snapshot, mut held) = blocking(move || {
            let repo = Repo::open(&place, &key).map_err(backup_error)?;
            let all = repo.list().map_err(backup_error)?;
            let newest = all.into_iter().find(|snapshot| snapshot.label == label);
            let newest =
                newest.ok_or_else(|| backup_error(BackupError::NoSnapshot("of this home".to_owned())))?;
            let turn = Turn::take(&home).map_err(backup_error)?;
            let folder = turn.folder(&home).map_err(backup_error)?;
            repo.restore(&newest.id, folder.path()).map_err(backup_error)?;
            let held = verify_home(folder.path(), newest.at).map_err(backup_error)?;
            Ok((turn, folder, newest, held))
        })
        .await?;
        held.extend(databases(folder.path()).await?);
        blocking(move || {
            drop(folder);
            drop(turn);
            Ok(())
        })
        .await?;
        Ok(Some(BroughtBack { snapshot, held }))
    }

    /// Where the repository is, and what opens it.
    fn backup_place(&self, settings: &Settings) -> Result<Option<(PathBuf, RepoKey)>, DeskError> {
        let Some(place) = &settings.place else { return Ok(None) };
        let key = RepoKey::read(&RepoKey::path(self.home())).map_err(backup_error)?;
        Ok(Some((self.home().join(place), key)))
    }
}

/// Opens the databases of a home that was brought back, and reads all of them.
async fn databases(home: &std::path::Path) -> Result<Vec<Held>, DeskError> {
    let store = Store::open(&home.join("echo.db")).await?;
    let faults = store.faults().await;
    store.close().await;
    let memory = memory::Memory::open(&home.join("memory")).await.map_err(crate::recall::memory_error)?;
    let forgotten = memory.faults().await;
    memory.close().await;
    let found = [("database", faults?), ("memory", forgotten.map_err(crate::recall::memory_error)?)];
    found
        .into_iter()
        .map(|(what, faults)| match faults.first() {
            None => Ok(Held::new(what, "every page and index is sound".to_owned())),
            Some(fault) => Err(backup_error(BackupError::Unsound(format!("the {what}: {fault}")))),
        })
        .collect()
}

fn place(staging: &mut Staging, path: &str) -> Result<PathBuf, DeskError> {
    staging.place_of(path).map_err(backup_error)
}

fn backup_error(error: impl fmt::Display) -> DeskError {
    DeskError::Conflict(error.to_string())
}
