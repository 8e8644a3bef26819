//! The jobs that a schedule may name.

use echo_core::Timestamp;
use scheduler::{JobSpec, ScheduleError};

/// How often a job at most may be due when it reads or writes a lot, in seconds.
const HEAVY_SECONDS: i64 = 60;

/// A job that the platform can do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct KnownJob {
    /// Its name in a schedule.
    pub name: &'static str,
    /// What it does, in one sentence.
    pub about: &'static str,
    /// How far apart its runs are at least, in seconds.
    pub least_seconds: i64,
}

const fn cheap(name: &'static str, about: &'static str) -> KnownJob {
    KnownJob { name, about, least_seconds: 1 }
}

const fn heavy(name: &'static str, about: &'static str) -> KnownJob {
    KnownJob { name, about, least_seconds: HEAVY_SECONDS }
}

/// All of them. What each does is a function of `echo_os_prime`, which has a table with the same names.
pub const KNOWN_JOBS: &[KnownJob] = &[
    cheap(
        "housekeeping",
        "Bills standing cases whose month is over, and finishes erasures that were cut off.",
    ),
    cheap("commitments", "Enters each ledger's head into the other ledger, when it holds something new."),
    heavy("retention", "Forgets kept answers, events and remembered texts whose time is over."),
    heavy(
        "integrity",
        "Reads both ledgers, the databases, the vault's audit and the signed content from end to end.",
    ),
    heavy(
        "prompt_hygiene",
        "Compares the prompt with its signed template, and cleans the memory by today's rules.",
    ),
    heavy("learning", "Learns triage from decided cases, and keeps what it learned when it is no worse."),
    heavy("index", "Puts what the memory lacks into its index, and merges the index."),
    cheap("trust_watch", "Looks for keys, exceptions and the trust registry that are about to end."),
    cheap("certificates", "Looks for certificates of nodes and of TLS that are about to end."),
    heavy("smart", "Asks the disks how they are, where smartctl is installed."),
    heavy("vacuum", "Gives free pages of the databases back to the disk."),
    heavy("backup", "Makes a backup, where a place for backups is set."),
    heavy("backup_check", "Restores the newest backup beside the home, and checks what came out."),
];

/// The job of that name.
pub fn known_job(name: &str) -> Option<&'static KnownJob> {
    KNOWN_JOBS.iter().find(|job| job.name == name)
}

/// Refuses a job that nobody can do, and one that comes too often.
pub(crate) fn check(spec: &JobSpec, now: Timestamp) -> Result<(), ScheduleError> {
    let refused = |reason| Err(ScheduleError::Job { job: spec.name.clone(), reason });
    let Some(known) = known_job(&spec.name) else {
        let names: Vec<&str> = KNOWN_JOBS.iter().map(|job| job.name).collect();
        return refused(format!("there is no such job: write one of {}", names.join(", ")));
    };
    match spec.shortest_gap(now) {
        Some(gap) if gap < known.least_seconds => refused(format!(
            "its runs are {gap} s apart, and this one takes its time: leave at least {} s between two",
            known.least_seconds
        )),
        _ => Ok(()),
    }
}
