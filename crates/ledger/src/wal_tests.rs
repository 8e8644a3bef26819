//! A write-ahead log that is damaged, or lies beside files of another time.

use std::{
    fs::{self, File},
    io::Write as _,
    path::{Path, PathBuf},
    sync::Arc,
};

use ed25519_dalek::SigningKey;

use crate::{LedgerError, Log, disk::Disk, frame::BLOCK, fsck};

const ORIGIN: &str = "echo.local/test/00000003";

fn key() -> SigningKey {
    SigningKey::from_bytes(&[8; 32])
}

fn entries(range: std::ops::Range<u64>) -> Vec<Vec<u8>> {
    range.map(|i| format!("entry {i}").into_bytes()).collect()
}

fn put(path: &Path, bytes: &[u8]) {
    File::create(path).unwrap().write_all(bytes).unwrap();
}

/// A log of `sizes`, one batch after the other, whose writer dies before it closes; answers its checkpoints.
async fn dies(dir: &Path, sizes: &[u64], segment_bytes: u64) -> Vec<String> {
    let mut disk = Disk::open(dir).unwrap();
    disk.segment_bytes = segment_bytes;
    let faults = Arc::clone(&disk.faults);
    let log = Log::open_on(disk, ORIGIN, key()).unwrap();
    let mut checkpoints = Vec::new();
    for size in sizes {
        log.append(entries(log.size()..*size)).await.unwrap();
        checkpoints.push(log.checkpoint());
    }
    faults.plan(0, i64::MAX);
    checkpoints
}

fn open(dir: &Path) -> Result<Log, LedgerError> {
    Log::open(dir, ORIGIN, key())
}

fn sound(dir: &Path, size: u64) {
    let log = open(dir).unwrap();
    assert_eq!(fsck(dir, log.vkey()).unwrap().size, size);
    assert_eq!(log.entries(0, 2000).unwrap(), entries(0..size));
}

fn refused(dir: &Path, file: &str) {
    let error = open(dir).unwrap_err();
    let LedgerError::Damaged(fault) = &error else { panic!("{error}") };
    assert!(fault.path.ends_with(file) && fault.recover.contains("backup"), "{error}");
}

/// Removes every tile, bundle and the checkpoint that a power cut could have kept from the disk.
fn forget(dir: &Path) {
    fs::remove_dir_all(dir.join("tile")).unwrap();
    fs::remove_file(dir.join("checkpoint")).unwrap();
}

#[tokio::test]
async fn everything_comes_back_from_the_write_ahead_log_alone() {
    let home = tempfile::tempdir().unwrap();
    let heads = dies(home.path(), &[3, 250, 600, 601], u64::MAX).await;
    forget(home.path());
    sound(home.path(), 601);
    assert_eq!(fs::read_to_string(home.path().join("checkpoint")).unwrap(), heads[3]);
    assert!(!home.path().join("wal/0").exists());
}

#[tokio::test]
async fn a_torn_last_batch_is_dropped_and_a_damaged_earlier_one_is_refused_by_name() {
    let home = tempfile::tempdir().unwrap();
    dies(home.path(), &[3, 6, 9], u64::MAX).await;
    let path = home.path().join("wal/0");
    let whole = fs::read(&path).unwrap();
    for batch in 0..3 {
        forget_all_but(home.path(), &path, &whole);
        let mut bytes = whole.clone();
        bytes[BLOCK * (1 + batch) + 200] ^= 1;
        put(&path, &bytes);
        match batch {
            2 => sound(home.path(), 6),
            _ => refused(home.path(), "wal/0"),
        }
    }
}

/// Puts a folder back into the state in which only its segment is whole.
fn forget_all_but(dir: &Path, segment: &Path, bytes: &[u8]) {
    let _ = fs::remove_dir_all(dir.join("tile"));
    let _ = fs::remove_file(dir.join("checkpoint"));
    put(segment, bytes);
}

#[tokio::test]
async fn a_batch_that_is_gone_from_the_write_ahead_log_but_has_files_is_refused() {
    let home = tempfile::tempdir().unwrap();
    let heads = dies(home.path(), &[3, 6], u64::MAX).await;
    let path = home.path().join("wal/0");
    let mut bytes = fs::read(&path).unwrap();
    bytes[2 * BLOCK + 200] ^= 1;
    put(&path, &bytes);
    refused(home.path(), "checkpoint");
    put(&home.path().join("checkpoint"), heads[0].as_bytes());
    refused(home.path(), "tile/entries/000.p/6");
}

#[tokio::test]
async fn an_old_or_torn_checkpoint_is_healed_when_the_write_ahead_log_proves_the_newer_one() {
    let home = tempfile::tempdir().unwrap();
    let log = open(home.path()).unwrap();
    log.append(entries(0..5)).await.unwrap();
    let oldest = log.checkpoint();
    log.append(entries(5..260)).await.unwrap();
    drop(log);
    let heads = dies(home.path(), &[300, 700], u64::MAX).await;
    let segment = fs::read(home.path().join("wal/0")).unwrap();
    let torn = &heads[1][..20];
    for old in [oldest.as_str(), &heads[0], torn, ""] {
        put(&home.path().join("wal/0"), &segment);
        put(&home.path().join("checkpoint"), old.as_bytes());
        sound(home.path(), 700);
    }
}

#[tokio::test]
async fn a_checkpoint_of_another_history_is_refused() {
    let (home, other) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    dies(home.path(), &[3, 6], u64::MAX).await;
    let log = open(other.path()).unwrap();
    log.append(entries(100..103)).await.unwrap();
    put(&home.path().join("checkpoint"), log.checkpoint().as_bytes());
    refused(home.path(), "checkpoint");
}

#[tokio::test]
async fn a_missing_segment_is_refused_and_a_segment_that_was_never_used_is_not() {
    // Three batches a segment; the flush of the first one stays in the way of its removal.
    let home = tempfile::tempdir().unwrap();
    let dir = home.path();
    let mut disk = Disk::open(dir).unwrap();
    disk.segment_bytes = 4 * BLOCK as u64;
    let log = Log::open_on(disk, ORIGIN, key()).unwrap();
    for size in 1..4 {
        log.append(entries(size - 1..size)).await.unwrap();
    }
    let first = fs::read(dir.join("wal/0")).unwrap();
    for size in 4..6 {
        log.append(entries(size - 1..size)).await.unwrap();
    }
    let second = fs::read(dir.join("wal/1")).unwrap();
    let copy = tempfile::tempdir().unwrap();
    let kept: Vec<PathBuf> = ["log.vkey", "checkpoint"].map(PathBuf::from).into();
    let lay = |first: &[u8], second: &[u8]| {
        let _ = fs::remove_dir_all(copy.path().join("tile"));
        for name in &kept {
            fs::copy(dir.join(name), copy.path().join(name)).unwrap();
        }
        fs::create_dir_all(copy.path().join("wal")).unwrap();
        put(&copy.path().join("wal/0"), first);
        put(&copy.path().join("wal/1"), second);
    };
    lay(&first, &second);
    sound(copy.path(), 5);
    // The second one alone rests upon files that are not there.
    lay(&[], &second);
    open(copy.path()).unwrap_err();
    // The first one alone ends before the checkpoint.
    lay(&first, &[0; BLOCK]);
    refused(copy.path(), "checkpoint");
    // Of the first one, the last batch is missing.
    lay(&first[..3 * BLOCK], &second);
    refused(copy.path(), "wal/1");
    drop(log);
    sound(dir, 5);
}

#[tokio::test]
async fn a_segment_of_another_key_is_refused() {
    let (home, other) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    dies(home.path(), &[3], u64::MAX).await;
    drop(Log::open(other.path(), ORIGIN, SigningKey::from_bytes(&[9; 32])).unwrap());
    fs::create_dir_all(other.path().join("wal")).unwrap();
    fs::copy(home.path().join("wal/0"), other.path().join("wal/0")).unwrap();
    let error = Log::open(other.path(), ORIGIN, SigningKey::from_bytes(&[9; 32])).unwrap_err().to_string();
    assert!(error.contains("wal/0"), "{error}");
}
