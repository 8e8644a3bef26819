//! A home in use is copied, and the copy is a home.

use std::{
    fs,
    path::{Path, PathBuf},
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
};

use backup::{How, Repo, RepoKey, how};
use desk::{BackupSettings, Call, Desk};
use dossier::LogName;
use echo_core::{CustomerId, Mint, PageRequest};

use crate::{
    device::{Device, House, open},
    flow::{settled_case, worry},
};

/// A house with a repository beside it.
struct Kept {
    house: House,
    customer: CustomerId,
    beside: tempfile::TempDir,
    settings: BackupSettings,
}

impl Kept {
    async fn new() -> Self {
        let house = House::found().await;
        let customer = house.customer("Marta").await;
        let device = Device::enrol(&house, &customer).await;
        settled_case(&house, &device, &customer).await;
        let beside = tempfile::tempdir().unwrap();
        let place = beside.path().join("repo");
        let key = RepoKey::generate(&Mint::system());
        key.save(&RepoKey::path(house.folder.path())).unwrap();
        Repo::init(&place, &key).unwrap();
        let settings = BackupSettings { place: Some(place), ..BackupSettings::default() };
        Self { house, customer, beside, settings }
    }

    fn desk(&self) -> &Desk {
        &self.house.desk
    }

    fn restore(&self, name: &str) -> PathBuf {
        let key = RepoKey::read(&RepoKey::path(self.house.folder.path())).unwrap();
        let to = self.beside.path().join(name);
        let repo = Repo::open(self.settings.place.as_ref().unwrap(), &key).unwrap();
        repo.bring("latest", &to).unwrap().1.settle().unwrap();
        to
    }
}

fn files(folder: &Path) -> Vec<String> {
    let (mut all, mut open) = (Vec::new(), vec![folder.to_owned()]);
    while let Some(next) = open.pop() {
        for entry in fs::read_dir(next).unwrap() {
            let path = entry.unwrap().path();
            let name = path.strip_prefix(folder).unwrap().to_str().unwrap().to_owned();
            if path.is_dir() {
                open.push(path);
            } else {
                all.push(name);
            }
        }
    }
    all
}

#[tokio::test]
async fn every_file_of_a_home_in_use_is_copied_or_named_as_left_out() {
    let kept = Kept::new().await;
    let home = kept.house.folder.path();
    let staging = kept.desk().stage().await.unwrap();
    let copied = files(staging.folder());
    let all: Vec<String> = files(home).into_iter().filter(|name| !name.starts_with(".backup-")).collect();
    assert!(all.len() > 40, "a used home: {}", all.len());
    for name in &all {
        let is_log = name.ends_with(".db-wal") && copied.contains(&name.trim_end_matches("-wal").to_owned());
        let is_named = matches!(how(name), How::Leave(_));
        assert!(
            copied.contains(name) || is_named || is_log,
            "{name} is neither copied nor named as left out"
        );
        assert!(!(copied.contains(name) && is_named), "{name} is copied although it is to be left out");
    }
    assert!(copied.iter().all(|name| all.contains(name)), "nothing is made up");
    assert!(staging.copied().linked > 0, "tiles need no second copy");
    assert!(staging.copied().skipped.is_empty());
}

#[tokio::test]
async fn without_a_place_nothing_is_backed_up_and_nothing_fails() {
    let house = House::found().await;
    let none = BackupSettings::default();
    assert!(house.desk.back_up(&none).await.unwrap().is_none());
    assert!(house.desk.check_backup(&none).await.unwrap().is_none());
    let away = BackupSettings { place: Some("/no/such/stick".into()), ..none };
    RepoKey::generate(&Mint::system()).save(&RepoKey::path(house.folder.path())).unwrap();
    let said = house.desk.back_up(&away).await.unwrap_err().to_string();
    assert!(said.contains("plug the disk in"), "{said}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_copy_made_while_people_work_comes_back_as_a_platform() {
    let kept = Kept::new().await;
    let stop = Arc::new(AtomicBool::new(false));
    let (desk, customer, call, still) =
        (kept.desk().clone(), kept.customer.clone(), kept.house.call(), stop.clone());
    let people = tokio::spawn(async move {
        let mut opened = 0;
        while !still.load(Ordering::Relaxed) {
            let call = Call::by(call.principal.clone());
            desk.open_case(&call, worry(&customer, None)).await.unwrap();
            opened += 1;
        }
        opened
    });
    let first = kept.desk().back_up(&kept.settings).await.unwrap().unwrap();
    let second = kept.desk().back_up(&kept.settings).await.unwrap().unwrap();
    let held = kept.desk().check_backup(&kept.settings).await.unwrap().unwrap();
    stop.store(true, Ordering::Relaxed);
    let opened = people.await.unwrap();
    assert!(opened > 0, "somebody worked meanwhile");
    assert_eq!(held.snapshot.id, second.snapshot.id);
    assert_ne!(first.snapshot.id, second.snapshot.id);
    let what: Vec<&str> = held.held.iter().map(|held| held.what.as_str()).collect();
    for part in ["trust", "keystore", "genesis", "aeterna", "database", "memory"] {
        assert!(what.contains(&part), "{part} was not checked: {what:?}");
    }
    let left = files(kept.house.folder.path()).into_iter().find(|name| name.starts_with(".backup-"));
    assert_eq!(left, None, "nothing is left beside the home");

    let home = kept.restore("back");
    let root = *kept.desk().root();
    kept.desk().close().await.unwrap();
    let back = open(&home).await.desk;
    assert_eq!(*back.root(), root);
    let health = back.health().await;
    assert!(health.ready, "{health:?}");
    // It goes on where it was: what it enters now is in a ledger that verifies from its first entry.
    back.open_case(&kept.house.call(), worry(&kept.customer, None)).await.unwrap();
    let cases = back.cases(&kept.house.operator, None, &PageRequest::default()).await.unwrap();
    assert!(!cases.items.is_empty());
    for log in LogName::ALL {
        let log = back.log(log);
        ledger::fsck(log.dir(), log.vkey()).unwrap();
    }
    back.close().await.unwrap();
}
