//! What a crash or a full disk at every single step of a batch leaves behind.

use std::{
    path::{Path, PathBuf},
    sync::Arc,
};

use ed25519_dalek::SigningKey;

use crate::{
    FsckReport, LedgerError, Log,
    disk::{Disk, faults::Faults},
    fsck, verify_tlog_proof,
};

const ORIGIN: &str = "echo.local/test/00000001";
/// Crosses the end of the first tile, so that a batch writes full and partial files and drops partial ones.
const BEFORE: u64 = 250;
const BATCH: u64 = 10;

fn key() -> SigningKey {
    SigningKey::from_bytes(&[5; 32])
}

fn entries(range: std::ops::Range<u64>) -> Vec<Vec<u8>> {
    range.map(|i| format!("entry {i}").into_bytes()).collect()
}

fn open(dir: &Path) -> (Log, Arc<Faults>) {
    let disk = Disk::new(dir);
    let faults = Arc::clone(&disk.faults);
    (Log::open_on(disk, ORIGIN, key()).unwrap(), faults)
}

/// A log of `BEFORE` entries whose writer fails at the steps `first..last` of the next batch.
async fn with_faults(dir: &Path, first: i64, last: i64) -> (Log, Arc<Faults>) {
    let (log, faults) = open(dir);
    log.append(entries(0..BEFORE)).await.unwrap();
    faults.plan(first, last);
    (log, faults)
}

/// Every file below `dir`, sorted.
fn files(dir: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for path in std::fs::read_dir(dir).unwrap().map(|entry| entry.unwrap().path()) {
        if path.is_dir() {
            found.extend(files(&path));
        } else {
            found.push(path);
        }
    }
    found.sort();
    found
}

fn check(log: &Log, dir: &Path) -> FsckReport {
    let report = fsck(dir, log.vkey()).unwrap();
    assert_eq!(report.size, log.size());
    for index in 0..report.size {
        let entry = log.entry(index).unwrap();
        let proof = log.tlog_proof(index).unwrap();
        assert_eq!(verify_tlog_proof(&proof, &entry, log.vkey()).unwrap().index, index);
    }
    report
}

#[tokio::test]
async fn a_crash_at_any_step_loses_nothing_that_was_acknowledged() {
    let mut outcomes = Vec::new();
    for step in 0.. {
        let home = tempfile::tempdir().unwrap();
        let dir = home.path();
        let (log, faults) = with_faults(dir, step, i64::MAX).await;
        let answer = log.append(entries(BEFORE..BEFORE + BATCH)).await;
        let over = faults.done() <= step;
        log.close();
        // What a reader sees now, with the writer dead, is whole: the checkpoint never outruns its tiles.
        let seen = fsck(dir, log.vkey()).unwrap().size;
        drop(log);

        let (log, _) = open(dir);
        let size = check(&log, dir).size;
        assert!([BEFORE, BEFORE + BATCH].contains(&size), "step {step}: {size}");
        assert!(size >= seen, "step {step}: the log went back from {seen} to {size}");
        if answer.is_ok() {
            assert_eq!(size, BEFORE + BATCH, "step {step}: an acknowledged batch is lost");
        }
        assert!(!dir.join("stage/batch").exists());
        assert_eq!(log.append(entries(size..size + 1)).await.unwrap(), [size]);
        check(&log, dir);
        outcomes.push((answer.is_ok(), size));
        if over {
            break;
        }
    }
    assert!(outcomes.contains(&(false, BEFORE)), "some crash comes before the stage");
    assert!(outcomes.contains(&(false, BEFORE + BATCH)), "some crash is rolled forward");
    assert_eq!(outcomes.last(), Some(&(true, BEFORE + BATCH)), "without a crash it works");
}

#[tokio::test]
async fn a_full_disk_at_any_step_leaves_the_log_usable() {
    let mut refused = 0;
    for step in 0.. {
        let home = tempfile::tempdir().unwrap();
        let (log, faults) = with_faults(home.path(), step, step + 1).await;
        let before = files(home.path());
        let answer = log.append(entries(BEFORE..BEFORE + BATCH)).await;
        let over = faults.done() <= step;
        faults.plan(i64::MAX, i64::MAX);
        let expected = match answer {
            Ok(_) => BEFORE + BATCH,
            Err(LedgerError::NotAppended { cause }) => {
                assert!(cause.contains("free some space"), "{cause}");
                assert_eq!(files(home.path()), before, "step {step}: something of the batch stays");
                refused += 1;
                BEFORE
            }
            Err(other) => panic!("step {step}: {other}"),
        };
        assert_eq!(check(&log, home.path()).size, expected, "step {step}");
        // Other entries than those that failed: nothing of the failed ones may shine through.
        let next = log.append(entries(1000..1000 + 2 * BATCH)).await.unwrap();
        assert_eq!(next[0], expected, "step {step}");
        assert_eq!(log.entry(expected).unwrap(), b"entry 1000");
        check(&log, home.path());
        drop(log);
        let (log, _) = open(home.path());
        assert_eq!(check(&log, home.path()).size, expected + 2 * BATCH);
        if over {
            break;
        }
    }
    assert!(refused > 5, "{refused}");
}

#[tokio::test]
async fn a_batch_that_cannot_be_taken_back_is_finished_later() {
    let home = tempfile::tempdir().unwrap();
    // The stage is written (steps 0 and 1); everything after it fails, taking back included.
    let (log, faults) = with_faults(home.path(), 2, i64::MAX).await;
    let answer = log.append(entries(BEFORE..BEFORE + BATCH)).await;
    assert!(matches!(answer, Err(LedgerError::Unsettled { .. })), "{answer:?}");
    assert!(matches!(log.append(entries(0..1)).await, Err(LedgerError::NotAppended { .. })));
    assert_eq!(log.size(), BEFORE);
    assert!(fsck(home.path(), log.vkey()).unwrap().staged);
    faults.plan(i64::MAX, i64::MAX);
    assert_eq!(log.append(entries(0..1)).await.unwrap(), [BEFORE + BATCH]);
    assert_eq!(log.entry(BEFORE).unwrap(), format!("entry {BEFORE}").as_bytes());
    check(&log, home.path());
}

#[tokio::test]
async fn a_crash_while_recovering_is_recovered_from() {
    let home = tempfile::tempdir().unwrap();
    let (log, _) = with_faults(home.path(), 2, i64::MAX).await;
    log.append(entries(BEFORE..BEFORE + BATCH)).await.unwrap_err();
    drop(log);
    for step in 0..4 {
        let disk = Disk::new(home.path());
        disk.faults.plan(step, i64::MAX);
        Log::open_on(disk, ORIGIN, key()).unwrap_err();
    }
    let (log, _) = open(home.path());
    assert_eq!(check(&log, home.path()).size, BEFORE + BATCH);
}

#[test]
fn a_crash_while_the_log_is_made_is_recovered_from() {
    for step in 0..4 {
        let home = tempfile::tempdir().unwrap();
        let disk = Disk::new(home.path());
        disk.faults.plan(step, i64::MAX);
        Log::open_on(disk, ORIGIN, key()).unwrap_err();
        let (log, _) = open(home.path());
        assert_eq!(log.size(), 0);
    }
}

#[tokio::test]
async fn a_damaged_stage_is_refused_by_name() {
    let home = tempfile::tempdir().unwrap();
    let (log, _) = with_faults(home.path(), 2, i64::MAX).await;
    log.append(entries(BEFORE..BEFORE + BATCH)).await.unwrap_err();
    drop(log);
    let stage = home.path().join("stage/batch");
    let mut bytes = std::fs::read(&stage).unwrap();
    bytes[100] ^= 1;
    durable::write(&stage, &bytes, durable::Mode::Private).unwrap();
    let error = Log::open(home.path(), ORIGIN, key()).unwrap_err().to_string();
    assert!(error.contains("stage/batch"), "{error}");
}
