//! A writer that is killed loses nothing that it acknowledged.

use std::{
    env,
    io::{BufRead as _, BufReader},
    process::{Command, Stdio},
};

use ledger::fsck;

use crate::{entries, open};

const FOLDER: &str = "LEDGER_KILL_TEST_FOLDER";

/// Not a test of its own: the process that the test below kills.
#[tokio::test]
#[ignore = "started by a_killed_writer_loses_nothing"]
async fn writer_to_be_killed() {
    let log = open(env::var_os(FOLDER).expect("started by the test below").as_ref());
    loop {
        let at = log.size();
        let numbers = log.append(entries(at..at + 7)).await.unwrap();
        println!("acknowledged {}", numbers[6] + 1);
    }
}

#[test]
fn a_killed_writer_loses_nothing() {
    let home = tempfile::tempdir().unwrap();
    let mut acknowledged = 0;
    for round in 0..8 {
        let mut child = Command::new(env::current_exe().unwrap())
            .args(["--exact", "kill::writer_to_be_killed", "--ignored", "--nocapture"])
            .env(FOLDER, home.path())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let lines = BufReader::new(child.stdout.take().unwrap()).lines().map_while(Result::ok);
        let mut sizes = lines.filter_map(|l| l.strip_prefix("acknowledged ")?.parse::<u64>().ok());
        for size in sizes.by_ref().take(3 + 4 * round) {
            acknowledged = size;
        }
        child.kill().unwrap();
        acknowledged = sizes.last().unwrap_or(acknowledged);
        child.wait().unwrap();

        let log = open(home.path());
        assert!(log.size() >= acknowledged, "{} of {acknowledged}", log.size());
        assert_eq!(log.size() % 7, 0, "batches are whole");
        assert_eq!(fsck(home.path(), log.vkey()).unwrap().size, log.size());
        let last = log.size() - 1;
        assert_eq!(log.entry(last).unwrap(), entries(last..last + 1)[0]);
    }
    assert!(acknowledged > 256, "the test crosses a tile: {acknowledged}");
}
