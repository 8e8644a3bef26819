//! The used home in memory, with what its readers know beforehand and what they keep beside it.

use std::{
    collections::BTreeSet,
    fs,
    os::unix::fs::symlink,
    path::{Path, PathBuf},
};

use dossier::{Kind, LogName};
use echo_core::{Digest, Mint, Timestamp};
use ledger::Entry;
use tempfile::TempDir;
use trust::{KeyRole, Keystore, Registry};
use witness::Policy;

use super::{
    used::{Used, used},
    vault::TakenAway,
};

/// A closed home in memory, and what its readers know.
pub struct Scene {
    folder: TempDir,
    pub root: Digest,
    /// The trust registry of now.
    pub registry: Registry,
    /// The one that was in force before the operator's key was replaced.
    pub first: Registry,
    pub now: Timestamp,
    /// The verifier key of the long ledger.
    pub long: String,
    pub policies: [Policy; 2],
    /// The digests of the findings that the genesis ledger holds.
    pub findings: BTreeSet<Digest>,
    pub vault: TakenAway,
}

impl Scene {
    /// Uses a home, takes a copy of it into memory, and lays beside it what others keep.
    pub async fn build() -> Self {
        let Used { folder: home, case, vault, root, registries: [first, registry], entries, policies } =
            Box::pin(used()).await;
        let folder = memory();
        copy(home.path(), &folder.path().join("home"));
        let put = |name: &str, bytes: &[u8]| {
            durable::write(&folder.path().join(name), bytes, durable::Mode::Private).unwrap();
        };
        put("case.json", &case);
        put("shares.txt", vault.shares_file().as_bytes());
        put("token.json", &vault.token.to_bytes());
        let long = long_ledger(&folder.path().join("long")).await;
        let genesis = entries[0].iter().map(|bytes| Entry::from_bytes(bytes).unwrap());
        let findings = genesis.filter(|e| e.kind == Kind::Finding.as_str()).map(|e| e.digest).collect();
        let now = Mint::system().now();
        let scene = Self { folder, root, registry, first, now, long, policies, findings, vault };
        for (log, entries) in LogName::ALL.into_iter().zip(entries) {
            scene.repeat_heads(log, &entries).await;
        }
        scene
    }

    pub fn home(&self) -> PathBuf {
        self.beside("home")
    }

    /// A file or folder that is kept beside the home.
    pub fn beside(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    pub fn ledger(&self, log: LogName) -> PathBuf {
        self.home().join(format!("{log}_ledger"))
    }

    /// The folder of a reader who kept the head of `size` entries: that head, and the ledger's own tiles.
    pub fn earlier(&self, log: LogName, size: u64) -> PathBuf {
        self.beside(&format!("earlier/{log}/{size}"))
    }

    /// Signs the head of each size for which a partial tile is there, as the ledger did when it had that size.
    async fn repeat_heads(&self, log: LogName, entries: &[Vec<u8>]) {
        let mut sizes: Vec<u64> =
            files(&self.ledger(log).join("tile/0/000.p")).iter().map(|tile| number(tile)).collect();
        sizes.sort_unstable();
        assert!(sizes.len() > 2 && sizes.last() == Some(&(entries.len() as u64)), "{log}: {sizes:?}");

        let keystore = Keystore::open_or_create(&self.home(), &Mint::system()).unwrap();
        let role = if log == LogName::Genesis { KeyRole::GenesisLedger } else { KeyRole::AeternaLedger };
        let key = ed25519_dalek::SigningKey::from_bytes(&keystore.signer(role).unwrap().secret());
        let again = self.beside(&format!("again/{log}"));
        let again = ledger::Log::open(&again, &self.registry.logs[log.as_str()].origin, key).unwrap();
        for size in sizes {
            let from = usize::try_from(again.size()).unwrap();
            again.append(entries[from..usize::try_from(size).unwrap()].to_vec()).await.unwrap();
            let folder = self.earlier(log, size);
            fs::create_dir_all(&folder).unwrap();
            let head = again.checkpoint();
            durable::write(&folder.join("checkpoint"), head.as_bytes(), durable::Mode::Public).unwrap();
            symlink(self.ledger(log).join("tile"), folder.join("tile")).unwrap();
        }
        let today = fs::read_to_string(self.ledger(log).join("checkpoint")).unwrap();
        assert_eq!(again.checkpoint(), today, "the repeated heads are the ledger's own");
    }
}

/// Makes a ledger of 300 entries: one full tile of 256 and what is above and beside it. Answers its key.
async fn long_ledger(folder: &Path) -> String {
    let key = ed25519_dalek::SigningKey::from_bytes(&[5; 32]);
    let log = ledger::Log::open(folder, "echo.local/long/1", key).unwrap();
    log.append((0..300).map(|n| format!("entry {n}").into_bytes()).collect()).await.unwrap();
    log.close();
    log.vkey().to_owned()
}

/// A folder in memory where the system offers one.
pub fn memory() -> TempDir {
    tempfile::tempdir_in("/dev/shm").or_else(|_| tempfile::tempdir()).unwrap()
}

/// Copies a folder with all that is in it.
pub fn copy(from: &Path, to: &Path) {
    fs::create_dir_all(to).unwrap();
    for path in files(from) {
        let copied = to.join(path.file_name().unwrap());
        if path.is_dir() {
            copy(&path, &copied);
        } else {
            fs::copy(&path, &copied).unwrap();
        }
    }
}

/// What lies in a folder, in the order of the names.
pub fn files(folder: &Path) -> Vec<PathBuf> {
    let mut found: Vec<PathBuf> = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    found.sort();
    found
}

/// Every file below a folder.
pub fn all_files(folder: &Path) -> Vec<PathBuf> {
    let inside = |path: PathBuf| if path.is_dir() { all_files(&path) } else { vec![path] };
    files(folder).into_iter().flat_map(inside).collect()
}

/// The number that a tile of entries or hashes is called by.
pub fn number(tile: &Path) -> u64 {
    tile.file_name().unwrap().to_str().unwrap().parse().unwrap()
}
