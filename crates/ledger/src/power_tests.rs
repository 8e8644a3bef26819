//! What a power cut leaves of a log that many append to.

use std::{
    collections::{BTreeMap, BTreeSet},
    path::Path,
    sync::Arc,
};

use ed25519_dalek::SigningKey;

use crate::{
    Appended, LedgerError, Log,
    disk::Disk,
    fsck, leaf_hash,
    power::{Dice, Faults},
    tree::verify_inclusion,
    verify_checkpoint, verify_consistency, verify_tlog_proof,
};

const ORIGIN: &str = "echo.local/test/00000002";
/// How many power cuts.
const CUTS: u64 = 200;
/// Small, so that segments take turns in every run.
const SEGMENT_BYTES: u64 = 48 << 10;
const CALLERS: u64 = 5;

fn key() -> SigningKey {
    SigningKey::from_bytes(&[6; 32])
}

fn disk(dir: &Path) -> (Disk, Arc<Faults>) {
    let mut disk = Disk::open(dir).unwrap();
    disk.segment_bytes = SEGMENT_BYTES;
    let faults = Arc::clone(&disk.faults);
    (disk, faults)
}

/// What was acknowledged, and what anybody may have seen.
#[derive(Debug, Default)]
struct Known {
    entries: Vec<(Appended, Vec<u8>)>,
    heads: BTreeSet<Arc<str>>,
}

/// Many append at once, until the power is cut; answers what they know.
async fn work(log: &Log, seed: u64) -> Known {
    let tasks = (0..CALLERS).map(|caller| {
        let log = log.clone();
        tokio::spawn(async move {
            let (mut dice, mut known) = (Dice(seed ^ caller << 32), Known::default());
            for round in 0..30 {
                let most = if dice.below(4) == 0 { 40 } else { 4 };
                let count = 1 + dice.below(most);
                let length = usize::try_from(dice.below(600)).unwrap();
                let entry = |n| format!("{seed} {caller} {round} {n} {}", ".".repeat(length)).into_bytes();
                let entries: Vec<Vec<u8>> = (0..count).map(entry).collect();
                known.heads.insert(log.checkpoint().into());
                let Ok(appended) = log.append(entries.clone()).await else { return known };
                known.heads.insert(Arc::clone(&appended[0].proof.checkpoint));
                known.entries.extend(appended.into_iter().zip(entries));
            }
            known
        })
    });
    let mut all = Known::default();
    for task in tasks.collect::<Vec<_>>() {
        let known = task.await.unwrap();
        all.entries.extend(known.entries);
        all.heads.extend(known.heads);
    }
    all.heads.insert(log.checkpoint().into());
    all
}

/// The log holds all that is known, in one history.
fn check(log: &Log, dir: &Path, known: &Known, told: &str) {
    let report = fsck(dir, log.vkey()).unwrap_or_else(|e| panic!("{told}: {e}"));
    let head = log.head();
    assert_eq!((report.size, report.root, report.staged), (head.size, head.root, false), "{told}");
    let mut heads = BTreeMap::new();
    for note in &known.heads {
        let old = verify_checkpoint(note, log.vkey()).unwrap();
        assert!(old.size <= head.size, "{told}: the log went back from {} to {}", old.size, head.size);
        assert_eq!(log.root_at(old.size).unwrap(), old.root, "{told}: another history from {} on", old.size);
        let proof = log.consistency(old.size, head.size).unwrap();
        verify_consistency(old.size, &old.root, head.size, &head.root, &proof).unwrap();
        heads.insert(note, old);
    }
    let mut all = Vec::new();
    while (all.len() as u64) < head.size {
        all.extend(log.entries(all.len() as u64, usize::MAX).unwrap());
    }
    for (Appended { index, proof }, entry) in &known.entries {
        assert_eq!(&all[usize::try_from(*index).unwrap()], entry, "{told}: entry {index}");
        let old = &heads[&proof.checkpoint];
        assert!(verify_inclusion(leaf_hash(entry), *index, old.size, &proof.path, &old.root), "{told}");
    }
    for (Appended { index, .. }, entry) in known.entries.iter().step_by(50) {
        let proof = log.tlog_proof(*index).unwrap();
        verify_tlog_proof(&proof, entry, log.vkey()).unwrap();
    }
}

/// Lets the power come back: a folder of what is durable, and of whatever else the dice leave.
fn back(faults: &Faults, dice: &mut Dice) -> tempfile::TempDir {
    let home = tempfile::tempdir().unwrap();
    faults.power.cut(dice, home.path());
    home
}

/// Opens the log, which stops at `step`; answers the checkpoint that is to be seen then.
fn open_until(disk: Disk, dir: &Path, step: u64, told: &str) -> Option<Arc<str>> {
    disk.faults.plan(i64::try_from(step).unwrap(), i64::MAX);
    match Log::open_on(disk, ORIGIN, key()) {
        Ok(log) => log.close(),
        Err(LedgerError::File(_)) => {}
        Err(other) => panic!("{told}: {other}"),
    }
    std::fs::read_to_string(dir.join("checkpoint")).ok().map(Arc::from)
}

/// One power cut, at a step that the seed chooses; answers how many entries were acknowledged, whether segments took
/// turns, and whether the power was cut again while the log was opened.
async fn cut(seed: u64) -> (usize, bool, bool) {
    let mut dice = Dice(seed);
    let home = tempfile::tempdir().unwrap();
    let (disk, faults) = disk(home.path());
    let log = Log::open_on(disk, ORIGIN, key()).unwrap();
    let step = i64::try_from(dice.below(900)).unwrap();
    faults.plan(step, i64::MAX);
    let mut known = work(&log, seed).await;
    log.close();
    drop(log);
    let turned = home.path().join("wal/1").exists();
    let mut told = format!("seed {seed}, cut at step {step}");
    if dice.below(2) == 0 {
        // Only the process dies. The next one finds what was written, durable or not, and then the power is cut.
        let step = dice.below(120);
        told = format!("{told}, opened up to step {step}");
        let (mut disk, _) = self::disk(home.path());
        disk.faults = Arc::clone(&faults);
        known.heads.extend(open_until(disk, home.path(), step, &told));
    }

    let (mut home, mut again) = (back(&faults, &mut dice), false);
    let log = loop {
        let (disk, faults) = self::disk(home.path());
        faults.power.begin(home.path());
        if dice.below(3) > 0 {
            break Log::open_on(disk, ORIGIN, key()).unwrap_or_else(|e| panic!("{told}: {e}"));
        }
        // The power is cut once more, while the log is opened.
        let step = dice.below(120);
        told = format!("{told}, then at step {step} of opening");
        open_until(disk, home.path(), step, &told);
        (home, again) = (back(&faults, &mut dice), true);
    };
    check(&log, home.path(), &known, &told);
    let size = log.size();
    assert_eq!(log.append(vec![b"next".to_vec()]).await.unwrap()[0].index, size);
    log.close();
    check(&log, home.path(), &known, &told);
    (known.entries.len(), turned, again)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 8)]
async fn a_power_cut_at_any_step_loses_nothing_that_was_acknowledged() {
    let mut all = Vec::new();
    for first in (0..CUTS).step_by(8) {
        let cuts = (first..(first + 8).min(CUTS)).map(|seed| tokio::spawn(cut(seed)));
        for cut in cuts.collect::<Vec<_>>() {
            all.push(cut.await.unwrap());
        }
    }
    let acknowledged: usize = all.iter().map(|(entries, ..)| entries).sum();
    let turned = all.iter().filter(|(_, turned, _)| *turned).count();
    let again = all.iter().filter(|(.., again)| *again).count();
    assert!(turned > 20 && again > 20 && acknowledged > 10_000, "{turned} {again} {acknowledged}");
}

/// Steps of a batch in a segment that is in use: has the disk room, write, flush.
const FLUSH: i64 = 2;

#[tokio::test]
async fn what_a_dead_writer_had_not_flushed_is_durable_before_anybody_sees_it() {
    let mut seen = 0;
    for (step, seed) in (0..16).flat_map(|step| (0..6).map(move |seed| (step, seed))) {
        let home = tempfile::tempdir().unwrap();
        let (disk, faults) = disk(home.path());
        let log = Log::open_on(disk, ORIGIN, key()).unwrap();
        log.append(vec![b"first".to_vec()]).await.unwrap();
        faults.plan(FLUSH, i64::MAX);
        log.append(vec![b"second".to_vec()]).await.unwrap_err();
        drop(log);
        let (mut disk, _) = self::disk(home.path());
        disk.faults = Arc::clone(&faults);
        let told = format!("step {step}, seed {seed}");
        let note = open_until(disk, home.path(), step, &told).unwrap();
        let home = back(&faults, &mut Dice(seed));
        let log = Log::open(home.path(), ORIGIN, key()).unwrap();
        let old = verify_checkpoint(&note, log.vkey()).unwrap();
        assert_eq!(log.root_at(old.size).unwrap(), old.root, "{told}");
        seen += usize::from(old.size == 2);
    }
    assert!(seen > 20, "{seen}");
}

#[tokio::test]
async fn a_segment_that_a_dead_writer_had_not_blanked_durably_does_not_come_back() {
    let mut turned = 0;
    for step in 20..110 {
        let home = tempfile::tempdir().unwrap();
        let (mut disk, faults) = disk(home.path());
        disk.segment_bytes = 16 << 10;
        let log = Log::open_on(disk, ORIGIN, key()).unwrap();
        faults.plan(step, i64::MAX);
        while log.append(vec![b"entry".to_vec()]).await.is_ok() {}
        drop(log);
        turned += usize::from(home.path().join("wal/1").exists());
        let (mut disk, _) = self::disk(home.path());
        disk.faults = Arc::clone(&faults);
        faults.plan(i64::MAX, i64::MAX);
        let log = Log::open_on(disk, ORIGIN, key()).unwrap();
        let old = log.head();
        for seed in 0..6 {
            let home = back(&faults, &mut Dice(seed));
            let again = Log::open(home.path(), ORIGIN, key());
            let again = again.unwrap_or_else(|e| panic!("step {step}, seed {seed}: {e}"));
            assert_eq!((again.size(), again.head().root), (old.size, old.root));
        }
    }
    assert!(turned > 20, "{turned}");
}
