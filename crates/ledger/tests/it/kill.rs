//! A writer that is killed loses nothing that it acknowledged.

use std::{
    env,
    fs::File,
    io::{BufRead as _, BufReader, Read as _, Write as _},
    path::Path,
    process::{Command, Stdio},
    thread,
    time::{Duration, Instant},
};

use ledger::{Checkpoint, Log, fsck, verify_consistency, verify_tlog_proof};

use crate::open;

const FOLDER: &str = "LEDGER_KILL_TEST_FOLDER";
const LENGTH: &str = "LEDGER_KILL_TEST_LENGTH";
/// How many times a writer is killed.
const KILLS: u64 = 200;
/// Of those, so many in one ledger.
const KILLS_EACH: u64 = 20;
const CALLERS: u64 = 4;
/// A writer that says nothing for so long is stuck.
const PATIENCE: Duration = Duration::from_secs(30);

fn entry(text: &str, length: usize) -> Vec<u8> {
    let mut entry = text.as_bytes().to_vec();
    entry.resize(length.max(entry.len()), b'.');
    entry
}

/// Not a test of its own: the process that the test below kills.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "started by a_writer_killed_at_any_moment_loses_nothing"]
async fn writer_to_be_killed() {
    let log = open(env::var_os(FOLDER).expect("started by the test below").as_ref());
    let length: usize = env::var(LENGTH).unwrap().parse().unwrap();
    let began = log.size();
    let callers = (0..CALLERS).map(|caller| tokio::spawn(call(log.clone(), began, caller, length)));
    for caller in callers.collect::<Vec<_>>() {
        caller.await.unwrap();
    }
}

async fn call(log: Log, began: u64, caller: u64, length: usize) {
    for number in 0.. {
        let count = 1 + (number + caller) % 6;
        let texts: Vec<String> = (0..count).map(|n| format!("{began}/{caller}/{number}/{n}")).collect();
        let entries = texts.iter().map(|text| entry(text, length)).collect();
        let appended = log.append(entries).await.unwrap();
        let lines = appended.iter().zip(&texts).map(|(a, text)| format!("acknowledged {} {text}\n", a.index));
        // In one write, so that no two callers' lines mix and none waits in a buffer.
        File::options()
            .write(true)
            .open("/dev/stdout")
            .unwrap()
            .write_all(lines.collect::<String>().as_bytes())
            .unwrap();
    }
}

/// Numbers that a seed repeats (`SplitMix64`).
fn draw(seed: u64, below: u64) -> u64 {
    let z = seed.wrapping_add(1).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    let z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    (z ^ (z >> 31)) % below
}

/// Starts a writer, kills it after a while, and answers what it acknowledged.
fn kill_one(dir: &Path, round: u64, length: usize) -> Vec<(u64, Vec<u8>)> {
    let mut child = Command::new(env::current_exe().unwrap())
        .args(["--exact", "kill::writer_to_be_killed", "--ignored", "--nocapture", "--test-threads=1"])
        .env(FOLDER, dir)
        .env(LENGTH, length.to_string())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut output = BufReader::new(child.stdout.take().unwrap());
    let (mut text, mut lines) = (String::new(), draw(round, 60));
    let began = Instant::now();
    while lines > 0 && output.read_line(&mut text).unwrap() > 0 && began.elapsed() < PATIENCE {
        lines -= 1;
    }
    thread::sleep(Duration::from_micros(draw(!round, 3000)));
    child.kill().unwrap();
    output.read_to_string(&mut text).unwrap();
    child.wait().unwrap();
    let acknowledged = text.split_inclusive('\n').filter_map(|line| {
        let (index, text) = line.strip_suffix('\n')?.strip_prefix("acknowledged ")?.split_once(' ')?;
        Some((index.parse().ok()?, entry(text, length)))
    });
    acknowledged.collect()
}

/// The log holds what was acknowledged, and is the continuation of what it was.
fn check(log: &Log, known: &[(u64, Vec<u8>)], old: &Checkpoint) {
    let (head, report) = (log.head(), fsck(log.dir(), log.vkey()).unwrap());
    assert_eq!((report.size, report.root, report.staged), (head.size, head.root, false));
    let proof = log.consistency(old.size, head.size).unwrap();
    verify_consistency(old.size, &old.root, head.size, &head.root, &proof).unwrap();
    for (index, entry) in known {
        assert_eq!(&log.entry(*index).unwrap(), entry, "entry {index}");
        let proof = log.tlog_proof(*index).unwrap();
        verify_tlog_proof(&proof, entry, log.vkey()).unwrap();
    }
}

#[test]
fn a_writer_killed_at_any_moment_loses_nothing() {
    let mut acknowledged = 0;
    for ledger in 0..KILLS / KILLS_EACH {
        let home = tempfile::tempdir().unwrap();
        let mut old = open(home.path()).head();
        for round in 0..KILLS_EACH {
            // Long entries fill the write-ahead log, so that some writers die while it turns.
            let length = if round % 5 == 0 { 60_000 } else { 100 };
            let known = kill_one(home.path(), ledger * KILLS_EACH + round, length);
            acknowledged += known.len();
            let log = open(home.path());
            check(&log, &known, &old);
            old = log.head();
        }
    }
    assert!(acknowledged > 5_000, "the writers got to work: {acknowledged}");
}
