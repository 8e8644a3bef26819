//! What a crash or a full disk at every single step of a batch leaves behind.

use std::{path::Path, sync::Arc};

use ed25519_dalek::SigningKey;
use sha2::{Digest as _, Sha256};

use crate::{Appended, FsckReport, LedgerError, Log, disk::Disk, fsck, power::Faults, verify_tlog_proof};

const ORIGIN: &str = "echo.local/test/00000001";
/// Crosses the end of the first tile, so that a batch writes full and partial files and drops partial ones.
const BEFORE: u64 = 250;
const BATCH: u64 = 10;
/// The steps of a batch that is not the first: has the disk room, write the frame, flush it, place the files.
const FLUSH: i64 = 2;
const PLACE: i64 = 3;

fn key() -> SigningKey {
    SigningKey::from_bytes(&[5; 32])
}

fn entries(range: std::ops::Range<u64>) -> Vec<Vec<u8>> {
    range.map(|i| format!("entry {i}").into_bytes()).collect()
}

fn open(dir: &Path) -> (Log, Arc<Faults>) {
    let disk = Disk::open(dir).unwrap();
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

/// A folder whose last batch is in the write-ahead log alone, and its writer is dead.
async fn unfinished(dir: &Path) {
    let (log, _) = with_faults(dir, PLACE, i64::MAX).await;
    let answer = log.append(entries(BEFORE..BEFORE + BATCH)).await;
    assert!(matches!(answer, Err(LedgerError::Unsettled { .. })), "{answer:?}");
}

fn check(log: &Log, dir: &Path) -> FsckReport {
    let report = fsck(dir, log.vkey()).unwrap();
    assert_eq!((report.size, report.staged), (log.size(), false));
    for index in 0..report.size {
        let entry = log.entry(index).unwrap();
        let proof = log.tlog_proof(index).unwrap();
        assert_eq!(verify_tlog_proof(&proof, &entry, log.vkey()).unwrap().index, index);
    }
    report
}

fn first(appended: &[Appended]) -> u64 {
    appended[0].index
}

#[tokio::test]
async fn a_crash_at_any_step_loses_nothing_that_was_acknowledged() {
    let mut outcomes = Vec::new();
    for step in 0.. {
        let home = tempfile::tempdir().unwrap();
        let dir = home.path();
        let (log, faults) = with_faults(dir, step, i64::MAX).await;
        let answer = log.append(entries(BEFORE..BEFORE + BATCH)).await;
        log.close();
        let over = faults.done() <= step;
        // What a reader sees now, with the writer dead, is whole: the checkpoint never outruns its tiles.
        let seen = fsck(dir, log.vkey()).unwrap().size;
        assert_eq!(seen, log.size(), "step {step}");
        drop(log);

        let (log, _) = open(dir);
        let size = check(&log, dir).size;
        assert!([BEFORE, BEFORE + BATCH].contains(&size), "step {step}: {size}");
        assert!(size >= seen, "step {step}: the log went back from {seen} to {size}");
        if answer.is_ok() {
            assert_eq!(size, BEFORE + BATCH, "step {step}: an acknowledged batch is lost");
        }
        assert_eq!(std::fs::read_dir(dir.join("wal")).unwrap().count(), 0);
        assert_eq!(first(&log.append(entries(size..size + 1)).await.unwrap()), size);
        check(&log, dir);
        outcomes.push((answer.is_ok(), size));
        if over {
            break;
        }
    }
    assert!(outcomes.contains(&(false, BEFORE)), "some crash comes before the commit point");
    assert!(outcomes.contains(&(false, BEFORE + BATCH)), "some crash is rolled forward");
    assert_eq!(outcomes.last(), Some(&(true, BEFORE + BATCH)), "without a crash it works");
    assert!(outcomes.len() > 12, "{}", outcomes.len());
}

#[tokio::test]
async fn a_full_disk_at_any_step_refuses_the_batch_or_closes_the_log_until_it_is_opened_again() {
    let (mut refused, mut unsettled) = (0, 0);
    for step in 0.. {
        let home = tempfile::tempdir().unwrap();
        let (mut log, faults) = with_faults(home.path(), step, step + 1).await;
        let answer = log.append(entries(BEFORE..BEFORE + BATCH)).await;
        let over = faults.done() <= step;
        faults.plan(i64::MAX, i64::MAX);
        let size = match answer {
            Ok(_) => BEFORE + BATCH,
            Err(LedgerError::NotAppended { cause }) => {
                assert!(cause.contains("free some space"), "{cause}");
                refused += 1;
                BEFORE
            }
            Err(LedgerError::Unsettled { cause }) => {
                assert!(cause.contains("free some space"), "{cause}");
                assert!(!log.settled());
                let again = log.append(entries(0..1)).await;
                assert!(matches!(again, Err(LedgerError::NotAppended { .. })), "{again:?}");
                assert_eq!(log.size(), BEFORE);
                drop(log);
                log = open(home.path()).0;
                unsettled += 1;
                // Both are right, but for the batch that was flushed.
                if step >= PLACE { BEFORE + BATCH } else { log.size() }
            }
            Err(other) => panic!("step {step}: {other}"),
        };
        assert!(log.settled());
        assert_eq!(check(&log, home.path()).size, size, "step {step}");
        // Other entries than those that failed: nothing of the failed ones may shine through.
        let next = log.append(entries(1000..1000 + 2 * BATCH)).await.unwrap();
        assert_eq!(first(&next), size, "step {step}");
        assert_eq!(log.entry(size).unwrap(), b"entry 1000");
        check(&log, home.path());
        drop(log);
        let (log, _) = open(home.path());
        assert_eq!(check(&log, home.path()).size, size + 2 * BATCH);
        if over {
            break;
        }
    }
    assert!(refused == 2 && unsettled > 5, "{refused} {unsettled}");
}

#[tokio::test]
async fn a_first_batch_that_finds_no_room_in_advance_leaves_the_log_usable() {
    for step in 0..3 {
        let home = tempfile::tempdir().unwrap();
        let (log, faults) = open(home.path());
        faults.plan(step, step + 1);
        let answer = log.append(entries(0..3)).await;
        assert!(matches!(answer, Err(LedgerError::NotAppended { .. })), "step {step}: {answer:?}");
        assert_eq!(first(&log.append(entries(0..3)).await.unwrap()), 0);
        check(&log, home.path());
    }
}

#[tokio::test]
async fn a_crash_while_recovering_is_recovered_from() {
    let home = tempfile::tempdir().unwrap();
    unfinished(home.path()).await;
    assert!(fsck(home.path(), &crate::vkey_of(ORIGIN, &key().verifying_key())).unwrap().staged);
    let mut crashes = 0;
    let log = loop {
        let disk = Disk::open(home.path()).unwrap();
        let faults = Arc::clone(&disk.faults);
        faults.plan(crashes, i64::MAX);
        match Log::open_on(disk, ORIGIN, key()) {
            Ok(log) if faults.done() <= crashes => break log,
            _ => crashes += 1,
        }
    };
    assert!(crashes > 10, "{crashes}");
    assert_eq!(check(&log, home.path()).size, BEFORE + BATCH);
}

#[test]
fn a_crash_while_the_log_is_made_is_recovered_from() {
    for step in 0..2 {
        let home = tempfile::tempdir().unwrap();
        let disk = Disk::open(home.path()).unwrap();
        disk.faults.plan(step, i64::MAX);
        Log::open_on(disk, ORIGIN, key()).unwrap_err();
        let (log, _) = open(home.path());
        assert_eq!(log.size(), 0);
    }
}

#[tokio::test]
async fn a_failed_flush_is_never_ignored() {
    let home = tempfile::tempdir().unwrap();
    let (log, _) = with_faults(home.path(), FLUSH, FLUSH + 1).await;
    let answer = log.append(entries(BEFORE..BEFORE + BATCH)).await;
    assert!(matches!(answer, Err(LedgerError::Unsettled { .. })), "{answer:?}");
    assert!(!log.settled());
    let again = log.append(entries(0..1)).await.unwrap_err().to_string();
    assert!(again.contains("restart the platform"), "{again}");
}

/// A stage as the layout without a write-ahead log has it.
fn stage(base: u64, root: [u8; 32], entries: &[Vec<u8>]) -> Vec<u8> {
    let mut bytes = format!("echo-ledger-stage v1\n{base}\n{}\n", hex::encode(root)).into_bytes();
    for entry in entries {
        crate::tile::add_to_bundle(&mut bytes, entry);
    }
    let sum = Sha256::digest(&bytes);
    bytes.extend(sum);
    bytes
}

#[tokio::test]
async fn a_batch_that_was_staged_without_a_write_ahead_log_is_entered() {
    let home = tempfile::tempdir().unwrap();
    let dir = home.path();
    let (log, _) = open(dir);
    log.append(entries(0..BEFORE)).await.unwrap();
    log.close();
    let root = log.head().root;
    let put = |bytes: &[u8]| {
        durable::create_folder(&dir.join("stage")).unwrap();
        durable::write(&dir.join("stage/batch"), bytes, durable::Mode::Private).unwrap();
    };
    let mut torn = stage(BEFORE, root, &entries(BEFORE..BEFORE + BATCH));
    put(&torn);
    assert!(fsck(dir, log.vkey()).unwrap().staged);
    torn[100] ^= 1;
    put(&torn);
    let error = Log::open(dir, ORIGIN, key()).unwrap_err().to_string();
    assert!(error.contains("stage/batch"), "{error}");
    put(&stage(BEFORE, root, &entries(BEFORE..BEFORE + BATCH)));
    let (log, _) = open(dir);
    assert_eq!(log.entry(BEFORE).unwrap(), entries(BEFORE..BEFORE + 1)[0]);
    assert_eq!(check(&log, dir).size, BEFORE + BATCH);
    log.close();
    // A stage that comes back after a power cut.
    put(&stage(BEFORE, root, &entries(BEFORE..BEFORE + BATCH)));
    assert_eq!(check(&open(dir).0, dir).size, BEFORE + BATCH);
    put(&stage(BEFORE + BATCH + 5, root, &entries(0..3)));
    let error = Log::open(dir, ORIGIN, key()).unwrap_err().to_string();
    assert!(error.contains("stage/batch"), "{error}");
}
