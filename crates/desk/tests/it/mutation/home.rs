//! The files of a home: which of them somebody relies on, with their readers, and which nobody does, with the reason.

use std::{
    collections::BTreeSet,
    fs,
    path::{Path, PathBuf},
};

use dossier::{INDEX_FILE, INDEX_TABLE_FILE, Kind, LogName, SHIPPED, SHIPPED_FOLDER};
use trust::{
    chain::{REGISTRY_FILE, ROOT_STATEMENT_FILE},
    exception::EXCEPTIONS_FILE,
    keystore::{KEY_FILE, KEYSTORE_FILE},
    mesh_files::{NODES_FILE, WALLETS_FILE},
};

use super::{
    reader::Reader,
    scene::{Scene, all_files, files, number},
    used::UNSIGNED,
};
use crate::device::open;

/// The folders whose files have a `.sig` beside them.
const CONTENT: [&str; 4] = ["intake", "manifest", "playbooks", "policies"];

/// Views: for people, and written anew at every start, so that a changed one does not last. Never read back.
const VIEWS: [&str; 5] = [
    // The devices in the database (`Desk::write_node_registry`).
    WALLETS_FILE,
    // The records of who is asked and who is witnessed (`Desk::write_treasury`).
    "treasury/witnesses.policy",
    "treasury/witnessed.policy",
    // The trust chain (`TrustChain::restate`).
    ROOT_STATEMENT_FILE,
    // The index beside it (`Desk::refresh_index`).
    INDEX_TABLE_FILE,
];

/// What the platform keeps for itself; a `*` stands for any letters. Nobody is shown these files as proof of anything.
/// A home that was not closed has two more sorts: what a ledger has not put in its place yet (`wal/`, `stage/`), which the
/// crash tests of `ledger` change, and `vault_v1/attempts.json`, which counts wrong passphrases.
const OWN: [(&str, &str); 9] = [
    ("echo.db*", "records; what others rely on is signed, and the ledgers hold its digest"),
    (
        "memory/memory.db*",
        "what is remembered in words: part of no proof, and made anew from what it was read from",
    ),
    ("pulse.json", "the last telemetry: shown, measured anew every half minute, and part of no proof"),
    ("pulse_history.json", "the same, for the charts"),
    ("*_ledger/.lock", "the number of the process that holds it, for people"),
    ("vault_v1/.lock", "empty"),
    ("vault_v1/pending/*.refused", "was refused, and waits for a person to look at it"),
    ("federated_attestation_index.lock", "empty"),
    ("federated_attestation_index.json.damaged", "was refused, and waits for a person to look at it"),
];

/// Files of one sort, which get their share of the changes.
pub struct Group {
    pub name: &'static str,
    /// Of a hundred changes.
    pub share: u64,
    pub targets: Vec<Target>,
}

/// A file that somebody relies on.
#[derive(Debug)]
pub struct Target {
    pub path: PathBuf,
    pub reader: Reader,
    pub changed: u64,
}

impl Scene {
    /// All files that are changed, with their readers.
    pub fn groups(&self) -> Vec<Group> {
        let group = |name, share, found: Vec<(PathBuf, Reader)>| {
            let targets = found.into_iter().map(|(path, reader)| Target { path, reader, changed: 0 });
            Group { name, share, targets: targets.collect() }
        };
        vec![
            group("tiles, bundles, heads and verifier keys", 22, self.ledger_files()),
            group("a ledger of many entries", 4, self.long_ledger_files()),
            group("content and its signatures", 14, self.content_files()),
            group("documents, entries, inclusion proofs and findings", 14, self.documents()),
            group("trust chain, keystore, devices, exceptions and index", 18, self.single_files()),
            group("notices, rotations and ceremonies", 10, self.governance_files()),
            group("cosigned and committed heads", 8, self.treasury_files()),
            group("the vault", 8, self.vault_files()),
            group("case file, shares and token, which people took away", 2, self.taken_away()),
        ]
    }

    fn ledger_files(&self) -> Vec<(PathBuf, Reader)> {
        let mut found = Vec::new();
        for log in LogName::ALL {
            let folder = self.ledger(log);
            let newest = files(&self.beside(&format!("earlier/{log}"))).len();
            for tiles in ["tile/0/000.p", "tile/entries/000.p"] {
                let tiles = files(&folder.join(tiles));
                assert_eq!(tiles.len(), newest, "{log}: a reader for each tile");
                let today = tiles.iter().map(|tile| number(tile)).max().unwrap();
                found.extend(tiles.into_iter().map(|tile| match number(&tile) {
                    size if size == today => (tile, Reader::Ledger(log)),
                    size => (tile, Reader::Earlier(log, size)),
                }));
            }
            found.push((folder.join("checkpoint"), Reader::Ledger(log)));
            found.push((folder.join("log.vkey"), Reader::VerifierKey(log)));
        }
        found
    }

    fn long_ledger_files(&self) -> Vec<(PathBuf, Reader)> {
        let tiles = ["0/000", "0/001.p/44", "1/000.p/1", "entries/000", "entries/001.p/44"];
        let tiles = tiles.iter().map(|tile| format!("long/tile/{tile}"));
        let all = tiles.chain(["long/checkpoint".to_owned()]);
        all.map(|path| (self.beside(&path), Reader::LongLedger)).collect()
    }

    fn content_files(&self) -> Vec<(PathBuf, Reader)> {
        let all = CONTENT.iter().flat_map(|folder| files(&self.home().join(folder)));
        all.map(|path| {
            let signed = if path.extension().is_some_and(|e| e == "sig") {
                path.with_extension("")
            } else {
                path.clone()
            };
            match signed.file_name().unwrap().to_str().unwrap() {
                UNSIGNED => (path, Reader::Excepted(UNSIGNED.to_owned())),
                _ => (path, Reader::Content(signed)),
            }
        })
        .collect()
    }

    fn documents(&self) -> Vec<(PathBuf, Reader)> {
        let all = ["ledger", "attestations"].iter().flat_map(|folder| files(&self.home().join(folder)));
        let proven = all.map(|path| {
            let kind = match named(&path).split('_').next().unwrap() {
                "rcpt" => Kind::Receipt,
                "inv" => Kind::Invoice,
                "stl" => Kind::Settlement,
                "proof" => Kind::Fulfilment,
                edition if SHIPPED.iter().any(|name| edition.starts_with(name)) => Kind::Document,
                other => panic!("documents called `{other}` have no reader in this test"),
            };
            let document = path.with_extension("json");
            (path, Reader::Document(kind, document))
        });
        let shipped = files(&self.home().join(SHIPPED_FOLDER)).into_iter();
        let shipped = shipped.map(|path| {
            let name = named(&path).split('.').next().unwrap().to_owned();
            (path, Reader::Shipped(name))
        });
        let proven = proven.chain(shipped);
        let logs = files(&self.home().join("logs")).into_iter();
        proven.chain(logs.map(|path| (path.clone(), Reader::Findings(path)))).collect()
    }

    fn single_files(&self) -> Vec<(PathBuf, Reader)> {
        let files = [
            (REGISTRY_FILE, Reader::Trust),
            (KEYSTORE_FILE, Reader::Keystore),
            (KEY_FILE, Reader::KeystoreKey),
            (NODES_FILE, Reader::Devices),
            (EXCEPTIONS_FILE, Reader::Exceptions),
            (INDEX_FILE, Reader::Index),
        ];
        files.map(|(name, reader)| (self.home().join(name), reader)).into()
    }

    fn governance_files(&self) -> Vec<(PathBuf, Reader)> {
        let all = files(&self.home().join(governance::FOLDER)).into_iter();
        let read = all.filter_map(|path| {
            let reader = match named(&path).split('-').next().unwrap() {
                "notice" => Reader::Notice(path.clone()),
                "ceremony" => Reader::Ceremony(path.clone()),
                "rotation" => Reader::Rotations,
                _ => return None,
            };
            Some((path, reader))
        });
        read.collect()
    }

    fn treasury_files(&self) -> Vec<(PathBuf, Reader)> {
        let all = files(&self.home().join("treasury")).into_iter();
        let heads = all.filter(|path| path.extension().is_some_and(|e| e == "cosigned" || e == "checkpoint"));
        let read = heads.map(|path| {
            let log = LogName::ALL.into_iter().find(|log| named(&path).starts_with(log.as_str())).unwrap();
            (path.clone(), Reader::Cosigned(log, path))
        });
        read.collect()
    }

    fn vault_files(&self) -> Vec<(PathBuf, Reader)> {
        let vault = self.home().join(vault::VAULT_FOLDER);
        let known = ["vault.json", "identity.age", "index.json"].map(|name| vault.join(name));
        let audit = files(&vault).into_iter().filter(|path| named(path).starts_with("audit"));
        let sealed = ["secrets", "pending"].iter().flat_map(|folder| all_files(&vault.join(folder)));
        let sealed = sealed.filter(|path| path.extension().is_some_and(|e| e == "age"));
        let opened = known.into_iter().chain(audit).chain(sealed).map(|path| (path, Reader::Vault));
        let handed = files(&vault.join("handed")).into_iter().map(|path| (path, Reader::HandOver));
        opened.chain(handed).collect()
    }

    fn taken_away(&self) -> Vec<(PathBuf, Reader)> {
        let all = [
            ("case.json", Reader::CaseFile),
            ("shares.txt", Reader::Shares),
            ("token.json", Reader::HandOver),
        ];
        all.map(|(name, reader)| (self.beside(name), reader)).into()
    }
}

fn named(path: &Path) -> &str {
    path.file_name().unwrap().to_str().unwrap()
}

/// Whether `path` is `pattern`, in which a `*` stands for any letters.
fn fits(pattern: &str, path: &str) -> bool {
    let mut parts = pattern.split('*');
    let Some(mut rest) = path.strip_prefix(parts.next().unwrap_or_default()) else { return false };
    let parts: Vec<&str> = parts.collect();
    let Some((last, middle)) = parts.split_last() else { return rest.is_empty() };
    for part in middle {
        match rest.split_once(part) {
            Some((_, after)) => rest = after,
            None => return false,
        }
    }
    rest.ends_with(last)
}

#[tokio::test]
async fn every_file_of_a_home_has_a_reader_or_a_reason() {
    let scene = Scene::build().await;
    let home = scene.home();
    let groups = scene.groups();
    let read: BTreeSet<&PathBuf> = groups.iter().flat_map(|g| &g.targets).map(|t| &t.path).collect();
    let mut reasons: BTreeSet<&str> = OWN.iter().map(|(pattern, _)| *pattern).chain(VIEWS).collect();
    for path in all_files(&home) {
        let name = path.strip_prefix(&home).unwrap().to_str().unwrap();
        let why: Vec<&str> = OWN
            .iter()
            .map(|(pattern, _)| *pattern)
            .chain(VIEWS)
            .filter(|pattern| fits(pattern, name))
            .collect();
        assert!(
            read.contains(&path) || !why.is_empty(),
            "nobody reads {name}: give it a reader here, or say why nobody has to"
        );
        assert!(!read.contains(&path) || why.is_empty(), "{name} has a reader and a reason for none");
        reasons.retain(|pattern| !why.contains(pattern));
    }
    assert!(reasons.is_empty(), "there is no such file any more: {reasons:?}");
}

#[tokio::test]
async fn a_view_that_was_changed_is_written_anew_at_the_next_start() {
    let scene = Scene::build().await;
    let home = scene.home();
    let change = |name: &str| {
        let path = home.join(name);
        let good = fs::read(&path).unwrap();
        durable::write(&path, &[b"x", &good[..]].concat(), durable::Mode::Public).unwrap();
        (path, good)
    };
    let views = VIEWS.map(change);
    open(&home).await.desk.close().await.unwrap();
    for (path, good) in views {
        assert!(fs::read(&path).unwrap() == good, "{} is still the changed one", path.display());
    }
}
