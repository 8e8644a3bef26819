//! A repository: opened with its key, and what it holds.

use std::{
    fmt, fs,
    path::{Path, PathBuf},
    sync::Arc,
};

use echo_core::Timestamp;
use rustic_core::{
    ConfigOptions, Credentials, KeyOptions, OpenStatus, Repository, RepositoryBackends, RepositoryOptions,
    repofile::SnapshotFile,
};
use serde::Serialize;

use crate::{
    BackupError, RepoKey, Tell,
    error::{MAKE, io_error, meaning},
    place::{CONFIG, Folder},
    progress::Bars,
    silent,
};

/// The most snapshots that are listed, newest first.
pub(crate) const MAX_SNAPSHOTS: usize = 10_000;

/// An open repository.
pub struct Repo {
    pub(crate) place: PathBuf,
    tell: Tell,
    pub(crate) open: Repository<OpenStatus>,
}

impl fmt::Debug for Repo {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Repo").field("place", &self.place).finish_non_exhaustive()
    }
}

/// A copy of a home, as the repository lists it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Snapshot {
    /// Its id: 64 hexadecimal digits, the first eight of which do where they are unique.
    pub id: String,
    /// Of when it is.
    pub at: Timestamp,
    /// Whose: the fingerprint of the home's trust root, or nothing when something else made it.
    pub label: String,
    /// Words it was given.
    pub tags: Vec<String>,
    /// Files in it.
    pub files: u64,
    /// Bytes of those files.
    pub bytes: u64,
    /// Bytes that it added to the repository.
    pub added: u64,
}

impl Snapshot {
    pub(crate) fn of(file: &SnapshotFile) -> Self {
        let summary = file.summary.as_ref();
        Self {
            id: file.id.to_hex().to_string(),
            at: file.time.timestamp(),
            label: file.label.clone(),
            tags: file.tags.iter().map(ToString::to_string).collect(),
            files: summary.map_or(0, |s| s.total_files_processed),
            bytes: summary.map_or(0, |s| s.total_bytes_processed),
            added: summary.map_or(0, |s| s.data_added_packed),
        }
    }

    /// The first eight digits of its id.
    pub fn short(&self) -> &str {
        &self.id[..8]
    }
}

impl Repo {
    /// Makes a repository in `place`, a folder that is empty or not there yet; the folder above must be there.
    pub fn init(place: &Path, key: &RepoKey) -> Result<Self, BackupError> {
        let above = place.parent().filter(|above| !above.as_os_str().is_empty());
        if above.is_some_and(|above| !above.is_dir()) {
            return Err(BackupError::NoPlace(above.unwrap_or(place).to_owned()));
        }
        if place.join(CONFIG).exists() {
            return Err(BackupError::AlreadyThere(place.to_owned()));
        }
        if place.exists() && !is_empty(place)? {
            return Err(BackupError::NotEmpty(place.to_owned()));
        }
        let credentials = Credentials::password(key.password().as_str());
        let open = closed(place, silent())
            .and_then(|repo| repo.init(&credentials, &KeyOptions::default(), &ConfigOptions::default()))
            .map_err(|e| meaning(MAKE, place, &e))?;
        Ok(Self { place: place.to_owned(), tell: silent(), open })
    }

    /// Opens the repository in `place`.
    pub fn open(place: &Path, key: &RepoKey) -> Result<Self, BackupError> {
        Self::open_told(place, key, silent())
    }

    /// The same; `tell` hears how far what is done with it is.
    pub fn open_told(place: &Path, key: &RepoKey, tell: Tell) -> Result<Self, BackupError> {
        if !place.is_dir() {
            return Err(BackupError::NoPlace(place.to_owned()));
        }
        if !place.join(CONFIG).exists() {
            return Err(BackupError::NoRepository(place.to_owned()));
        }
        let open = closed(place, tell.clone())
            .and_then(|repo| repo.open(&Credentials::password(key.password().as_str())))
            .map_err(|e| meaning("open", place, &e))?;
        Ok(Self { place: place.to_owned(), tell, open })
    }

    /// The same repository once more, for what uses it up.
    pub(crate) fn again(&self) -> rustic_core::RusticResult<Repository<OpenStatus>> {
        closed(&self.place, self.tell.clone())?.open(&Credentials::Masterkey(self.open.key()))
    }

    /// Where it is.
    pub fn place(&self) -> &Path {
        &self.place
    }

    /// Its id, of 64 hexadecimal digits.
    pub fn id(&self) -> String {
        self.open.config().id.to_hex().to_string()
    }

    /// What it holds, newest first; at most ten thousand.
    pub fn list(&self) -> Result<Vec<Snapshot>, BackupError> {
        Ok(self.snapshots()?.iter().map(Snapshot::of).collect())
    }

    pub(crate) fn snapshots(&self) -> Result<Vec<SnapshotFile>, BackupError> {
        let mut all = self.open.get_all_snapshots().map_err(|e| meaning("list", &self.place, &e))?;
        all.sort_by(|a, b| (&b.time, &b.id).cmp(&(&a.time, &a.id)));
        all.truncate(MAX_SNAPSHOTS);
        Ok(all)
    }

    /// The snapshot whose id begins so, or the newest for `latest`.
    pub(crate) fn snapshot(&self, id: &str) -> Result<SnapshotFile, BackupError> {
        let all = self.snapshots()?;
        let fits = |snapshot: &&SnapshotFile| id == "latest" || snapshot.id.to_hex().starts_with(id);
        let mut found = all.iter().filter(fits);
        let unknown = || BackupError::NoSnapshot(id.chars().filter(|c| !c.is_control()).take(64).collect());
        let first = found.next().filter(|_| !id.is_empty()).ok_or_else(unknown)?;
        if id != "latest" && found.next().is_some() {
            return Err(unknown());
        }
        Ok(first.clone())
    }
}

fn closed(place: &Path, tell: Tell) -> rustic_core::RusticResult<Repository<()>> {
    let options = RepositoryOptions::default().no_cache(true);
    let backends = RepositoryBackends::new(Arc::new(Folder::new(place)), None);
    Repository::new_with_progress(&options, &backends, Bars(tell))
}

/// Whether nothing lies in a folder; `lost+found`, which every new ext4 disk has, does not count.
pub(crate) fn is_empty(folder: &Path) -> Result<bool, BackupError> {
    let mut entries = fs::read_dir(folder).map_err(io_error("list", folder))?;
    Ok(!entries.any(|entry| entry.map_or(true, |entry| entry.file_name() != "lost+found")))
}

#[cfg(test)]
mod tests {
    use echo_core::Mint;

    use super::*;
    use crate::{Keep, Read};

    fn put(path: &Path, content: impl AsRef<[u8]>) {
        durable::write(path, content.as_ref(), durable::Mode::Private).unwrap();
    }

    struct House {
        folder: tempfile::TempDir,
        key: RepoKey,
    }

    impl House {
        fn new() -> Self {
            let folder = tempfile::tempdir().unwrap();
            fs::create_dir_all(folder.path().join("home/logs")).unwrap();
            put(&folder.path().join("home/echo.toml"), "x");
            // What no compression makes smaller.
            let mut bytes = vec![0; 3_000_000];
            Mint::system().entropy().fill(&mut bytes);
            put(&folder.path().join("home/logs/a"), bytes);
            Self { folder, key: RepoKey::generate(&Mint::system()) }
        }

        fn path(&self, name: &str) -> PathBuf {
            self.folder.path().join(name)
        }

        fn back_up(&self, repo: &Repo, at: &str) -> Snapshot {
            repo.back_up(&self.path("home"), "root", &["drill"], at.parse().unwrap()).unwrap()
        }
    }

    #[test]
    fn a_home_comes_back_as_it_was() {
        let house = House::new();
        let repo = Repo::init(&house.path("repo"), &house.key).unwrap();
        let first = house.back_up(&repo, "2026-11-01T10:00:00Z");
        assert_eq!((first.files, first.label.as_str()), (2, "root"));
        assert!(first.tags.contains(&"drill".to_owned()));
        put(&house.path("home/echo.toml"), "y");
        let second = house.back_up(&repo, "2026-11-02T10:00:00Z");
        assert!(second.added < 10_000, "only what changed is written: {second:?}");

        let repo = Repo::open(&house.path("repo"), &house.key).unwrap();
        assert_eq!(repo.list().unwrap(), [second.clone(), first.clone()]);
        assert!(repo.check(Read::All).unwrap().problems.is_empty());
        let back = repo.restore(first.short(), &house.path("back")).unwrap();
        assert_eq!(back.files, 2);
        assert_eq!(fs::read(house.path("back/echo.toml")).unwrap(), b"x");
        assert!(fs::read(house.path("back/logs/a")).unwrap() == fs::read(house.path("home/logs/a")).unwrap());
        repo.restore("latest", &house.path("newest")).unwrap();
        assert_eq!(fs::read(house.path("newest/echo.toml")).unwrap(), b"y");
    }

    #[test]
    fn what_cannot_be_is_refused_in_words() {
        let house = House::new();
        let other = RepoKey::generate(&Mint::system());
        let place = house.path("repo");
        assert!(matches!(Repo::open(&place, &house.key), Err(BackupError::NoPlace(_))));
        assert!(matches!(Repo::init(&house.path("no/such"), &house.key), Err(BackupError::NoPlace(_))));
        assert!(matches!(Repo::init(&house.path("home"), &house.key), Err(BackupError::NotEmpty(_))));
        assert!(matches!(Repo::open(&house.path("home"), &house.key), Err(BackupError::NoRepository(_))));
        let repo = Repo::init(&place, &house.key).unwrap();
        assert!(matches!(Repo::init(&place, &house.key), Err(BackupError::AlreadyThere(_))));
        let wrong = Repo::open(&place, &other).unwrap_err();
        assert!(matches!(wrong, BackupError::WrongKey(_)), "{wrong}");
        assert!(matches!(repo.restore("latest", &house.path("back")), Err(BackupError::NoSnapshot(_))));
        house.back_up(&repo, "2026-11-01T10:00:00Z");
        assert!(matches!(repo.restore("latest", &house.path("home")), Err(BackupError::NotEmpty(_))));
        assert!(matches!(repo.restore("ffff", &house.path("back")), Err(BackupError::NoSnapshot(_))));
    }

    #[test]
    fn a_damaged_pack_is_found_and_a_missing_one_too() {
        let house = House::new();
        let repo = Repo::init(&house.path("repo"), &house.key).unwrap();
        house.back_up(&repo, "2026-11-01T10:00:00Z");
        // The largest holds data; the other one trees, which every check reads.
        let pack = fs::read_dir(house.path("repo/data"))
            .unwrap()
            .flat_map(|two| fs::read_dir(two.unwrap().path()).unwrap())
            .map(|pack| pack.unwrap().path())
            .max_by_key(|pack| fs::metadata(pack).unwrap().len())
            .unwrap();
        let good = fs::read(&pack).unwrap();
        let mut bad = good.clone();
        bad[40] ^= 1;
        put(&pack, &bad);
        assert!(repo.check(Read::Nothing).unwrap().problems.is_empty(), "nothing was read");
        assert!(!repo.check(Read::All).unwrap().problems.is_empty());
        fs::remove_file(&pack).unwrap();
        assert!(!repo.check(Read::Nothing).unwrap().problems.is_empty());
        put(&pack, &good);
        assert!(repo.check(Read::All).unwrap().problems.is_empty());
    }

    #[test]
    fn what_is_kept_follows_the_policy_and_the_newest_stays() {
        let house = House::new();
        let repo = Repo::init(&house.path("repo"), &house.key).unwrap();
        for day in 1..=5 {
            put(&house.path("home/echo.toml"), vec![day; 100_000]);
            house.back_up(&repo, &format!("2026-11-0{day}T10:00:00Z"));
        }
        let keep = Keep { last: 1, daily: 3, weekly: 0, monthly: 0, yearly: 0 };
        let gone = repo.forget(&keep, "2026-11-05T11:00:00Z".parse().unwrap()).unwrap();
        assert_eq!((gone.forgotten.len(), gone.kept), (2, 3));
        assert_eq!(repo.list().unwrap().len(), 3);
        assert!(repo.check(Read::All).unwrap().problems.is_empty());
        let none = Keep { last: 0, daily: 0, weekly: 0, monthly: 0, yearly: 0 };
        assert_eq!(repo.forget(&none, "2026-11-05T11:00:00Z".parse().unwrap()).unwrap().kept, 1);
        repo.restore("latest", &house.path("back")).unwrap();
    }

    #[test]
    fn a_stick_that_was_pulled_is_said_and_nothing_is_written_beside_it() {
        let house = House::new();
        let repo = Repo::init(&house.path("repo"), &house.key).unwrap();
        house.back_up(&repo, "2026-11-01T10:00:00Z");
        fs::rename(house.path("repo"), house.path("pulled")).unwrap();
        fs::create_dir(house.path("repo")).unwrap();
        put(&house.path("home/echo.toml"), "more");
        let said = repo
            .back_up(&house.path("home"), "root", &[], "2026-11-02T10:00:00Z".parse().unwrap())
            .unwrap_err();
        assert!(matches!(said, BackupError::Gone { .. }), "{said}");
        assert_eq!(fs::read_dir(house.path("repo")).unwrap().count(), 0);
        let sound = Repo::open(&house.path("pulled"), &house.key).unwrap();
        assert!(sound.check(Read::All).unwrap().problems.is_empty());
        assert_eq!(sound.list().unwrap().len(), 1);
    }
}
