//! Wrong passphrases slow down: after five within ten minutes, further tries wait.
//!
//! A try is counted, durably, before it is made, so that ending the program does not give it back. Whoever can write
//! into the folder can reset the count, and whoever can read it can guess elsewhere: against those, the cost of the
//! passphrase stands (scrypt). This is against guessing through the program.

use echo_core::{Timestamp, clock};
use serde::{Deserialize, Serialize};

use crate::{VaultError, disk::Disk};

const FILE: &str = "attempts.json";
const MAX_BYTES: u64 = 4096;
/// How many wrong passphrases there may be within [`WINDOW_SECONDS`].
pub const MAX_FAILURES: usize = 5;
/// For how long a wrong passphrase counts, in seconds.
pub const WINDOW_SECONDS: i64 = 600;

#[derive(Debug, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Attempts {
    /// When the tries were made that count, oldest first.
    at: Vec<Timestamp>,
}

/// Counts a try that is about to be made, or refuses it.
pub(crate) fn count(disk: &Disk, now: Timestamp) -> Result<(), VaultError> {
    let mut attempts = match disk.read(FILE, MAX_BYTES)? {
        Some(bytes) => serde_json::from_slice(&bytes).map_err(|e| {
            VaultError::damaged(FILE, &format!("{e}; it only counts wrong passphrases, and may be removed"))
        })?,
        None => Attempts::default(),
    };
    let began = clock::from_millis(now.as_millisecond().saturating_sub(WINDOW_SECONDS * 1000));
    // A clock that was set back must not keep anybody out for longer than the window.
    attempts.at.iter_mut().for_each(|at| *at = (*at).min(now));
    attempts.at.retain(|at| *at > began);
    let full = attempts.at.len() >= MAX_FAILURES;
    if !full {
        attempts.at.push(now);
    }
    let bytes = serde_json::to_vec(&attempts).expect("times are always JSON");
    disk.put(FILE, &bytes)?;
    let Some(oldest) = attempts.at.first().filter(|_| full) else {
        return Ok(());
    };
    let wait = oldest.as_millisecond().saturating_sub(began.as_millisecond());
    Err(VaultError::TooManyTries {
        retry_after_seconds: u64::try_from(wait).unwrap_or(0).div_ceil(1000).max(1),
    })
}

/// Forgets the tries: the right passphrase was given.
pub(crate) fn forget(disk: &Disk) -> Result<(), VaultError> {
    Ok(disk.remove(FILE)?)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(seconds: i64) -> Timestamp {
        clock::from_millis(seconds * 1000)
    }

    fn wait(disk: &Disk, seconds: i64) -> Option<u64> {
        match count(disk, at(seconds)) {
            Ok(()) => None,
            Err(VaultError::TooManyTries { retry_after_seconds }) => Some(retry_after_seconds),
            Err(error) => panic!("{error}"),
        }
    }

    #[test]
    fn the_sixth_try_within_ten_minutes_waits() {
        let home = tempfile::tempdir().unwrap();
        let disk = Disk::of_home(home.path());
        for second in 0..5 {
            assert_eq!(wait(&disk, 1000 + second), None);
        }
        assert_eq!(wait(&disk, 1010), Some(590));
        assert_eq!(wait(&disk, 1599), Some(1));
        assert_eq!(wait(&disk, 1600), None, "the first one is ten minutes old");
        assert_eq!(wait(&disk, 1600), Some(1));
        forget(&disk).unwrap();
        assert_eq!(wait(&disk, 1600), None);
    }

    #[test]
    fn a_clock_that_was_set_back_locks_out_for_ten_minutes_at_most() {
        let home = tempfile::tempdir().unwrap();
        let disk = Disk::of_home(home.path());
        for _ in 0..5 {
            assert_eq!(wait(&disk, 1_000_000), None);
        }
        assert_eq!(wait(&disk, 1000), Some(600));
        assert_eq!(wait(&disk, 1600), None);
    }

    #[test]
    fn a_damaged_count_is_refused_and_named() {
        let home = tempfile::tempdir().unwrap();
        let disk = Disk::of_home(home.path());
        disk.put(FILE, b"{\"at\":[1]}").unwrap();
        assert!(count(&disk, at(1)).unwrap_err().to_string().contains(FILE));
    }
}
