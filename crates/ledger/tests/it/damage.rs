//! A changed or missing file is found, named, and comes with a way to recover.

use std::{
    fs,
    path::{Path, PathBuf},
};

use durable::Mode;
use ledger::{LedgerError, Log, fsck};

use crate::{ORIGIN, entries, key, log_of, open};

fn flip(path: &Path, at: usize) {
    let mut bytes = fs::read(path).unwrap();
    bytes[at] ^= 1;
    durable::write(path, &bytes, Mode::Public).unwrap();
}

fn faults(dir: &Path, vkey: &str) -> Vec<PathBuf> {
    match fsck(dir, vkey) {
        Err(LedgerError::Unsound { faults }) => {
            assert!(faults.iter().all(|f| f.recover.contains("backup")));
            faults.into_iter().map(|f| f.path).collect()
        }
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn every_changed_file_is_named_by_fsck_and_no_other() {
    let home = tempfile::tempdir().unwrap();
    let log = log_of(home.path(), 600).await;
    log.close();
    for name in [
        "tile/0/000",
        "tile/0/001",
        "tile/0/002.p/88",
        "tile/1/000.p/2",
        "tile/entries/000",
        "tile/entries/001",
        "tile/entries/002.p/88",
    ] {
        let path = home.path().join(name);
        let before = fs::read(&path).unwrap();
        for at in [10, before.len() - 1] {
            flip(&path, at);
            assert_eq!(faults(home.path(), log.vkey()), [path.as_path()], "{name} at byte {at}");
            durable::write(&path, &before, Mode::Public).unwrap();
        }
        durable::write(&path, &before[..before.len() - 1], Mode::Public).unwrap();
        assert_eq!(faults(home.path(), log.vkey()), [path.as_path()], "{name} cut short");
        fs::remove_file(&path).unwrap();
        assert_eq!(faults(home.path(), log.vkey()), [path.as_path()], "{name} missing");
        durable::write(&path, &before, Mode::Public).unwrap();
    }
    fsck(home.path(), log.vkey()).unwrap();
}

#[tokio::test]
async fn several_changed_files_are_all_named() {
    let home = tempfile::tempdir().unwrap();
    let log = log_of(home.path(), 600).await;
    let paths = ["tile/0/000", "tile/0/002.p/88", "tile/1/000.p/2"].map(|p| home.path().join(p));
    for path in &paths {
        flip(path, 40);
    }
    assert_eq!(faults(home.path(), log.vkey()), paths);
}

#[tokio::test]
async fn a_rewritten_history_is_found_even_when_all_files_agree() {
    let (home, forged) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let log = log_of(home.path(), 300).await;
    let other = open(forged.path());
    other.append(entries(1000..1300)).await.unwrap();
    let checkpoint = fs::read(home.path().join("checkpoint")).unwrap();
    durable::write(&forged.path().join("checkpoint"), &checkpoint, Mode::Public).unwrap();
    assert_eq!(faults(forged.path(), log.vkey()), [forged.path().join("checkpoint")]);
}

#[tokio::test]
async fn a_damaged_tile_or_bundle_stops_the_proof_with_its_name() {
    let home = tempfile::tempdir().unwrap();
    let log = log_of(home.path(), 600).await;
    let (tile, bundle) = (home.path().join("tile/0/001"), home.path().join("tile/entries/000"));
    flip(&tile, 77);
    flip(&bundle, 5);
    let named = |error: LedgerError, path: &Path| {
        assert!(matches!(&error, LedgerError::Damaged(fault) if fault.path == path), "{error}");
    };
    named(log.tlog_proof(300).unwrap_err(), &tile);
    named(log.entry(300).unwrap_err(), &tile);
    named(log.entry(0).unwrap_err(), &bundle);
    named(log.entries(0, 600).unwrap_err(), &bundle);
    assert_eq!(log.entry(1).unwrap(), b"entry number 1", "other entries stay readable");
    log.tlog_proof(599).unwrap();
    log.append(entries(600..610)).await.unwrap();
}

#[tokio::test]
async fn a_damaged_right_edge_is_named_when_the_log_is_opened() {
    let home = tempfile::tempdir().unwrap();
    drop(log_of(home.path(), 600).await);
    for name in ["tile/0/002.p/88", "tile/1/000.p/2", "tile/entries/002.p/88", "checkpoint"] {
        let path = home.path().join(name);
        flip(&path, 33);
        let error = Log::open(home.path(), ORIGIN, key()).unwrap_err().to_string();
        assert!(error.contains(&path.display().to_string()) && error.contains("backup"), "{error}");
        flip(&path, 33);
    }
    assert_eq!(open(home.path()).size(), 600);
}

#[tokio::test]
async fn an_old_or_missing_checkpoint_over_newer_entries_is_refused() {
    for (before, after) in [(10, 20), (250, 260), (256, 257), (0, 5), (200, 256), (300, 900)] {
        let home = tempfile::tempdir().unwrap();
        let log = open(home.path());
        log.append(entries(0..before)).await.unwrap();
        let old = log.checkpoint();
        log.append(entries(before..after)).await.unwrap();
        drop(log);
        let path = home.path().join("checkpoint");
        durable::write(&path, old.as_bytes(), Mode::Public).unwrap();
        let error = Log::open(home.path(), ORIGIN, key()).unwrap_err();
        assert!(
            matches!(error, LedgerError::Damaged(_) | LedgerError::Unsound { .. }),
            "{before} {after}: {error}"
        );
        fs::remove_file(&path).unwrap();
        let error = Log::open(home.path(), ORIGIN, key()).unwrap_err().to_string();
        assert!(error.contains("checkpoint"), "{error}");
    }
}
