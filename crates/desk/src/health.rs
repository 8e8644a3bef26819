//! Whether the platform can do its work.

use std::path::Path;

use dossier::LogName;
use echo_core::Timestamp;
use ledger::{Entry, MAX_NOTE_BYTES};
use serde::Serialize;

use crate::{Desk, clock};

/// How long an entry may be owed to a ledger, in seconds. A drain takes milliseconds; after a minute the ledger
/// cannot be written, and what people see of it is stale.
const OWED_SECONDS: i64 = 60;

/// Whether the platform can do its work.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Health {
    /// Whether everything below holds.
    pub ready: bool,
    /// Since when the platform runs.
    pub started: Timestamp,
    /// What does not hold, in words.
    pub problems: Vec<String>,
    /// What witnesses say against the ledgers, and forks that nodes of the mesh proved. A witness may be wrong, and a fork is
    /// for people to look into, so neither stops the platform. And an erasure that could not be finished, a
    /// learned triage that is refused, and jobs that failed.
    pub alarms: Vec<String>,
    /// Why the mesh has stopped by itself. The platform serves on without it.
    pub mesh: Option<String>,
    /// How many passages are kept out of the memory because they speak to a model.
    pub quarantined: u64,
}

impl Desk {
    /// Whether the database answers, and both ledgers are up to date and as they were signed.
    pub async fn health(&self) -> Health {
        let mut problems = Vec::new();
        if let Err(problem) = self.check_database().await {
            problems.push(problem);
        }
        problems.extend(LogName::ALL.into_iter().filter_map(|log| self.check_log(log).err()));
        let mut alarms = self.contradictions().await.unwrap_or_default();
        alarms.extend(self.unfinished_erasure().await);
        alarms.extend(self.learning_trouble());
        alarms.extend(self.prompt_trouble());
        alarms.extend(self.failing_jobs().await.unwrap_or_default());
        let mesh = self.mesh_trouble().borrow().clone();
        Health {
            ready: problems.is_empty(),
            started: self.started(),
            problems,
            alarms,
            mesh,
            quarantined: self.quarantined(),
        }
    }

    /// What is said while an erasure has something left to do.
    async fn unfinished_erasure(&self) -> Option<String> {
        let open = self.unfinished_erasures().await.unwrap_or_default();
        let words = "the erasure of a customer is not finished: files or free pages of the database may still hold \
                     something; look into the log for why";
        (open > 0).then(|| words.to_owned())
    }

    async fn check_database(&self) -> Result<(), String> {
        let mut tx = self.store().read().await.map_err(|e| e.to_string())?;
        tx.last_event().await.map_err(|e| e.to_string())?;
        let owed = tx.owed().await.map_err(|e| e.to_string())?;
        let Some(oldest) = owed.first() else { return Ok(()) };
        let since = Entry::from_bytes(oldest.entry.as_bytes()).map_err(|e| e.to_string())?.at;
        if is_stale(since, self.now()) {
            return Err(format!(
                "the {} ledger is stale: entries wait for it since {since}; look into the log for why it cannot be \
                 written",
                oldest.log
            ));
        }
        Ok(())
    }

    fn check_log(&self, name: LogName) -> Result<(), String> {
        let log = self.log(name);
        if !log.settled() {
            return Err(format!(
                "the {name} ledger takes nothing until the platform is started again: a write failed (the platform's \
                 log says which)"
            ));
        }
        // Asked for first: what is published may only be newer.
        let size = log.size();
        let text = published(log.dir())
            .map_err(|e| format!("the {name} ledger's published checkpoint cannot be read: {e}"))?;
        let head = ledger::verify_checkpoint(&text, log.vkey())
            .map_err(|e| format!("the {name} ledger's published checkpoint does not verify: {e}"))?;
        if head.size < size {
            return Err(format!(
                "the {name} ledger's published checkpoint covers {} entries of {size}: it was set back or could not \
                 be written",
                head.size
            ));
        }
        match self.clock_floor(name) {
            Some(newest) if was_set_back(self.now(), newest) => Err(format!(
                "the clock was set back: it is {}, but the {name} ledger's newest entry is of {newest}; set the clock \
                 right, or leave it: the next entry will say that it was set",
                self.now(),
            )),
            _ => Ok(()),
        }
    }
}

fn was_set_back(now: Timestamp, newest: Timestamp) -> bool {
    newest.as_second().saturating_sub(now.as_second()) > clock::STRAY_SECONDS
}

fn is_stale(since: Timestamp, now: Timestamp) -> bool {
    now.as_second().saturating_sub(since.as_second()) > OWED_SECONDS
}

fn published(dir: &Path) -> Result<String, String> {
    let path = dir.join("checkpoint");
    let bytes = durable::read(&path, MAX_NOTE_BYTES as u64)
        .map_err(|e| e.to_string())?
        .ok_or_else(|| format!("{} is missing", path.display()))?;
    String::from_utf8(bytes).map_err(|_| format!("{} is not text", path.display()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_entry_may_be_owed_for_a_minute() {
        let since: Timestamp = "2026-11-01T10:00:00Z".parse().unwrap();
        assert!(!is_stale(since, "2026-11-01T10:01:00Z".parse().unwrap()));
        assert!(is_stale(since, "2026-11-01T10:01:01Z".parse().unwrap()));
        assert!(!is_stale(since, "2026-11-01T09:00:00Z".parse().unwrap()), "a clock that was set back");
    }
    #[test]
    fn a_clock_may_drift_but_not_go_back() {
        let newest: Timestamp = "2026-11-01T10:00:00Z".parse().unwrap();
        assert!(!was_set_back("2026-11-01T09:59:00Z".parse().unwrap(), newest));
        assert!(was_set_back("2026-11-01T09:58:59Z".parse().unwrap(), newest));
        assert!(!was_set_back("2027-11-01T10:00:00Z".parse().unwrap(), newest));
    }
}
