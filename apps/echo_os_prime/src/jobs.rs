//! What runs by itself: the name of each job, and what it does. When it runs is the schedule's matter.

use std::{path::PathBuf, pin::Pin, sync::Arc};

use desk::{BackupSettings, Desk, DeskError};

use crate::{certificates, smart};

/// What jobs need beside the desk.
#[derive(Debug, Default)]
pub struct Means {
    /// Files with TLS certificates whose end is watched.
    pub certificates: Vec<PathBuf>,
    /// Where backups of the home are, and how many stay.
    pub backup: BackupSettings,
}

/// What a run is given.
#[derive(Debug, Clone)]
pub struct Given {
    /// The desk.
    pub desk: Desk,
    /// The rest.
    pub means: Arc<Means>,
}

/// What a run says in the end: what it did, or why it could not.
pub type Said = Result<String, String>;

type Run = Pin<Box<dyn Future<Output = Said> + Send>>;

/// A job by its name.
pub struct Job {
    /// As it stands in a schedule, and in `desk::KNOWN_JOBS`.
    pub name: &'static str,
    /// Does it once. A run may be cut off anywhere and made again.
    pub run: fn(Given) -> Run,
}

/// All jobs. A new one is a line here, one in `desk::KNOWN_JOBS` and one in `manifest/schedule.yaml`.
pub const JOBS: &[Job] = &[
    Job { name: "housekeeping", run: |given| Box::pin(async move { said(given.desk.keep_house().await) }) },
    Job { name: "commitments", run: |given| Box::pin(async move { commit(&given.desk).await }) },
    Job { name: "retention", run: |given| Box::pin(async move { said(given.desk.forget_old().await) }) },
    Job { name: "integrity", run: |given| Box::pin(async move { said(given.desk.check_integrity().await) }) },
    Job {
        name: "prompt_hygiene",
        run: |given| Box::pin(async move { said(given.desk.keep_prompts_clean().await) }),
    },
    Job { name: "learning", run: |given| Box::pin(async move { said(given.desk.learn_anew().await) }) },
    Job { name: "index", run: |given| Box::pin(async move { said(given.desk.keep_index().await) }) },
    Job { name: "trust_watch", run: |given| Box::pin(async move { said(given.desk.watch_trust().await) }) },
    Job { name: "certificates", run: |given| Box::pin(certificates::watch(given)) },
    Job { name: "smart", run: |_| Box::pin(smart::ask()) },
    Job { name: "vacuum", run: |given| Box::pin(async move { said(given.desk.vacuum().await) }) },
    Job {
        name: "backup",
        run: |given| Box::pin(async move { told(given.desk.back_up(&given.means.backup).await) }),
    },
    Job {
        name: "backup_check",
        run: |given| Box::pin(async move { told(given.desk.check_backup(&given.means.backup).await) }),
    },
];

/// What is said where no place for backups is set.
const NO_BACKUP: &str = "no place for backups is set: see `echo_cli backup --help`";

/// The job of that name.
pub fn job(name: &str) -> Option<&'static Job> {
    JOBS.iter().find(|job| job.name == name)
}

/// What a backup says, or that none is wanted.
fn told<T: std::fmt::Display>(done: Result<Option<T>, DeskError>) -> Said {
    let done = done.map_err(|error| error.to_string())?;
    Ok(done.map_or_else(|| NO_BACKUP.to_owned(), |done| done.to_string()))
}

fn said(done: Result<String, DeskError>) -> Said {
    done.map_err(|error| error.to_string())
}

/// Enters each ledger's head into the other, when there is something new to commit to.
async fn commit(desk: &Desk) -> Said {
    let made = desk.commit_heads().await.map_err(|error| error.to_string())?;
    let words: Vec<String> =
        made.iter().map(|made| format!("{} at {} entries", made.log, made.size)).collect();
    Ok(if words.is_empty() { "there was nothing new to commit to".to_owned() } else { words.join(", ") })
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn every_job_that_is_known_can_be_done() {
        let here: BTreeSet<&str> = JOBS.iter().map(|job| job.name).collect();
        let known: BTreeSet<&str> = desk::KNOWN_JOBS.iter().map(|job| job.name).collect();
        assert_eq!(here, known);
        assert_eq!(JOBS.len(), here.len(), "no name twice");
    }
}
