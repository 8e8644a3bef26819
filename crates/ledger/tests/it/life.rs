//! Opening, appending, reading, closing.

use std::{
    fs,
    time::{Duration, Instant},
};

use ledger::{
    LedgerError, Log, MAX_BATCH_ENTRIES, MAX_ENTRY_BYTES, fsck, verify_checkpoint, verify_consistency,
    verify_tlog_proof,
};

use crate::{ORIGIN, entries, key, log_of, numbers, open};

#[tokio::test]
async fn a_new_log_has_a_signed_empty_checkpoint_and_its_key() {
    let home = tempfile::tempdir().unwrap();
    let dir = home.path().join("a/genesis_ledger");
    let log = open(&dir);
    let head = verify_checkpoint(&log.checkpoint(), log.vkey()).unwrap();
    assert_eq!((head.origin.as_str(), head.size), (ORIGIN, 0));
    assert_eq!(fs::read_to_string(dir.join("log.vkey")).unwrap(), format!("{}\n", log.vkey()));
    assert_eq!(fs::read_to_string(dir.join("checkpoint")).unwrap(), log.checkpoint());
    assert_eq!(log.entries(0, 10).unwrap(), Vec::<Vec<u8>>::new());
    assert!(matches!(log.entry(0), Err(LedgerError::NoSuchEntry { index: 0, size: 0 })));
    assert_eq!(log.append(Vec::new()).await.unwrap(), []);
    assert_eq!((log.dir(), log.origin()), (dir.as_path(), ORIGIN));
}

#[tokio::test]
async fn a_log_reads_the_same_when_it_is_opened_again() {
    let home = tempfile::tempdir().unwrap();
    let log = log_of(home.path(), 600).await;
    let checkpoint = log.checkpoint();
    drop(log);
    let log = open(home.path());
    assert_eq!(log.checkpoint(), checkpoint);
    assert_eq!(numbers(&log.append(entries(600..601)).await.unwrap()), [600]);
    assert_eq!(log.entry(599).unwrap(), b"entry number 599");
    assert_eq!(log.entries(0, usize::MAX).unwrap(), entries(0..601));
    assert_eq!(log.entries(255, 3).unwrap(), entries(255..258));
    assert_eq!(log.entries(600, 9).unwrap(), entries(600..601));
    assert_eq!(log.entries(u64::MAX, 9).unwrap(), entries(0..0));
    let report = fsck(home.path(), log.vkey()).unwrap();
    assert_eq!((report.size, report.bundles, report.tiles, report.staged), (601, 3, 4, false));
}

#[tokio::test]
async fn partial_tiles_go_when_the_full_one_is_there_and_stay_until_then() {
    let home = tempfile::tempdir().unwrap();
    let log = open(home.path());
    log.append(entries(0..200)).await.unwrap();
    log.append(entries(200..255)).await.unwrap();
    let names = |p: &str| {
        let mut all: Vec<_> =
            fs::read_dir(home.path().join(p)).unwrap().map(|f| f.unwrap().file_name()).collect();
        all.sort();
        all
    };
    assert_eq!(names("tile/0/000.p"), ["200", "255"]);
    log.append(entries(255..300)).await.unwrap();
    log.close();
    assert_eq!(names("tile/0"), ["000", "001.p"]);
    assert_eq!(names("tile/entries"), ["000", "001.p"]);
    assert_eq!(names("tile/1/000.p"), ["1"]);
    assert_eq!(names("wal"), Vec::<&str>::new());
}

#[tokio::test]
async fn partial_tiles_go_while_the_log_is_open_but_for_those_that_a_replay_starts_from() {
    let home = tempfile::tempdir().unwrap();
    drop(log_of(home.path(), 300).await);
    let log = open(home.path());
    log.append(entries(300..310)).await.unwrap();
    log.append(entries(310..520)).await.unwrap();
    let partials = || fs::read_dir(home.path().join("tile/0/001.p")).unwrap().count();
    let began = Instant::now();
    while partials() > 1 && began.elapsed() < Duration::from_secs(30) {
        tokio::time::sleep(Duration::from_millis(2)).await;
    }
    assert_eq!(partials(), 1);
    assert!(home.path().join("tile/0/001.p/44").exists());
    log.close();
    assert!(!home.path().join("tile/0/001.p").exists());
}

#[tokio::test]
async fn an_append_answers_a_proof_that_verifies_alone() {
    let home = tempfile::tempdir().unwrap();
    let log = open(home.path());
    let mut at = 0;
    for count in [1, 1, 254, 1, 300, 7] {
        let appended = log.append(entries(at..at + count)).await.unwrap();
        for (appended, entry) in appended.iter().zip(entries(at..at + count)) {
            let text = appended.proof.render();
            assert_eq!(text, log.tlog_proof(appended.index).unwrap());
            let verified = verify_tlog_proof(&text, &entry, log.vkey()).unwrap();
            assert_eq!((verified.index, verified.size), (appended.index, at + count));
        }
        at += count;
        assert_eq!(log.head().size, at);
        assert_eq!(log.root_at(at).unwrap(), log.head().root);
    }
    assert!(log.settled());
}

#[tokio::test]
async fn a_new_log_is_empty() {
    let home = tempfile::tempdir().unwrap();
    let log = open(home.path());
    assert_eq!(log.root_at(0).unwrap(), log.head().root);
    assert!(matches!(log.root_at(1), Err(LedgerError::NoSuchSize { from: 1, to: 1, size: 0 })));
}

#[tokio::test]
async fn a_second_writer_is_refused_until_the_first_closes() {
    let home = tempfile::tempdir().unwrap();
    let log = log_of(home.path(), 4).await;
    let error = Log::open(home.path(), ORIGIN, key()).unwrap_err();
    let said = error.to_string();
    assert!(matches!(error, LedgerError::Locked { .. }), "{said}");
    assert!(said.contains(&format!("process {}", std::process::id())), "{said}");
    assert!(said.contains(&home.path().display().to_string()), "{said}");
    log.close();
    log.close();
    assert!(matches!(log.append(entries(0..1)).await, Err(LedgerError::Closed { .. })));
    assert_eq!(log.entry(3).unwrap(), b"entry number 3", "reading goes on");
    assert_eq!(open(home.path()).size(), 4);
}

#[tokio::test]
async fn another_key_or_name_is_refused() {
    let home = tempfile::tempdir().unwrap();
    drop(log_of(home.path(), 4).await);
    let other = ed25519_dalek::SigningKey::from_bytes(&[9; 32]);
    for (origin, key) in [(ORIGIN, other), ("echo.local/x", key())] {
        let error = Log::open(home.path(), origin, key).unwrap_err();
        assert!(matches!(error, LedgerError::WrongKey { .. }), "{error}");
    }
    for bad in ["", "a b", "a+b", "a\nb"] {
        assert!(matches!(Log::open(home.path(), bad, key()), Err(LedgerError::Origin { .. })), "{bad:?}");
    }
}

#[tokio::test]
async fn what_is_too_large_is_refused_before_it_is_queued() {
    let home = tempfile::tempdir().unwrap();
    let log = open(home.path());
    let largest = vec![7; MAX_ENTRY_BYTES];
    log.append(vec![largest.clone(), Vec::new()]).await.unwrap();
    assert_eq!(log.entries(0, 2).unwrap(), [largest.clone(), Vec::new()]);
    assert!(matches!(
        log.append(vec![vec![0; MAX_ENTRY_BYTES + 1]]).await,
        Err(LedgerError::EntryTooLong { .. })
    ));
    let many = vec![Vec::new(); MAX_BATCH_ENTRIES + 1];
    assert!(matches!(log.append(many).await, Err(LedgerError::BatchTooLarge { .. })));
    assert!(matches!(log.append(vec![largest; 100]).await, Err(LedgerError::BatchTooLarge { .. })));
    assert_eq!(log.size(), 2);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_hundred_tasks_append_at_once_in_a_few_batches() {
    let home = tempfile::tempdir().unwrap();
    let log = open(home.path());
    let tasks: Vec<_> = (0..100u64)
        .map(|i| {
            let log = log.clone();
            // One entry, two or three.
            let mine = entries(i..i + 1 + i % 3);
            tokio::spawn(async move { (log.append(mine.clone()).await.unwrap(), mine) })
        })
        .collect();
    let mut all = Vec::new();
    for task in tasks {
        let (appended, mine) = task.await.unwrap();
        let (got, first) = (numbers(&appended), appended[0].index);
        assert_eq!(got, (first..first + mine.len() as u64).collect::<Vec<_>>(), "they lie side by side");
        assert_eq!(log.entries(first, mine.len()).unwrap(), mine);
        for (appended, entry) in appended.iter().zip(&mine) {
            let verified = verify_tlog_proof(&appended.proof.render(), entry, log.vkey()).unwrap();
            assert_eq!(verified.index, appended.index, "each caller has the proofs of its own entries");
        }
        all.extend(got);
    }
    all.sort_unstable();
    assert_eq!(all, (0..199).collect::<Vec<_>>());
    let batches = fs::read_dir(home.path().join("tile/0/000.p")).unwrap().count();
    assert!(batches < 50, "{batches} batches for 100 appends");
    fsck(home.path(), log.vkey()).unwrap();
}

#[tokio::test]
async fn what_is_queued_when_the_log_closes_is_still_written() {
    let home = tempfile::tempdir().unwrap();
    let log = open(home.path());
    let tasks: Vec<_> = (0..20u64)
        .map(|i| {
            let log = log.clone();
            tokio::spawn(async move { log.append(entries(i..i + 1)).await })
        })
        .collect();
    tokio::task::yield_now().await;
    log.close();
    for task in tasks {
        task.await.unwrap().unwrap();
    }
    assert_eq!(log.size(), 20);
}

#[tokio::test]
async fn every_older_log_is_the_beginning_of_the_newer_one() {
    let home = tempfile::tempdir().unwrap();
    let log = open(home.path());
    let mut heads = vec![verify_checkpoint(&log.checkpoint(), log.vkey()).unwrap()];
    let mut at = 0;
    for step in [1, 1, 3, 250, 1, 1, 255, 130] {
        log.append(entries(at..at + step)).await.unwrap();
        at += step;
        heads.push(verify_checkpoint(&log.checkpoint(), log.vkey()).unwrap());
    }
    for (i, new) in heads.iter().enumerate() {
        assert_eq!(log.root_at(new.size).unwrap(), new.root);
        for old in &heads[..=i] {
            let proof = log.consistency(old.size, new.size).unwrap();
            verify_consistency(old.size, &old.root, new.size, &new.root, &proof).unwrap();
        }
    }
    assert!(matches!(log.consistency(5, at + 1), Err(LedgerError::NoSuchSize { .. })));
    assert!(matches!(log.consistency(5, 4), Err(LedgerError::NoSuchSize { .. })));
}
