//! What became of each command, one file each (`work/cmd_....json`), written before the world is told.
//!
//! A command goes from executing to answered to done. A kill at any moment leaves one of the three, and each leads
//! to the same one answer: what was executing is carried on, what was answered is sent again byte for byte, what is
//! done is never begun again. A done command is forgotten a day after it expired, when it would be refused anyway.

use std::{collections::BTreeMap, fs, path::PathBuf};

use durable::{DurableError, Mode};
use echo_core::{CommandId, Id as _, Timestamp};
use security::Report;
use serde::{Deserialize, Serialize};
use trust::dsse::Envelope;

/// The most commands that are remembered.
pub(crate) const MAX_COMMANDS: usize = 10_000;
/// The most bytes of one file: a result, or a command with a report.
const MAX_ENTRY: u64 = 24 * 1024 * 1024;
/// How long a done command is remembered after it expired, for a clock that is set back.
const REMEMBERED_SECONDS: i64 = 24 * 3600;

/// Where a command stands.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "state", rename_all = "snake_case", deny_unknown_fields)]
pub(crate) enum Entry {
    /// It was verified and begun.
    Executing(Box<Begun>),
    /// It is over, and the platform has yet to be told.
    Answered {
        /// The signed result, sent as it is.
        result: Envelope,
        /// Until when the command is remembered.
        until: Timestamp,
    },
    /// The platform has the answer.
    Done {
        /// Until when the command is remembered.
        until: Timestamp,
    },
}

/// A command that was begun.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Begun {
    /// The signed command; it was verified when it was begun.
    pub(crate) command: Envelope,
    /// When it was begun.
    pub(crate) started: Timestamp,
    /// On which system; nothing for the running one.
    pub(crate) root: Option<PathBuf>,
    /// The posture before the change, once it was taken.
    pub(crate) before: Option<Report>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Stage {
    Executing,
    Answered,
    Done { until: Timestamp },
}

/// Every command that is remembered.
#[derive(Debug)]
pub(crate) struct Journal {
    folder: PathBuf,
    stages: BTreeMap<CommandId, Stage>,
}

/// Until when a command that expires at `expires` is remembered.
pub(crate) fn remembered(expires: Timestamp) -> Timestamp {
    let millis = expires.as_millisecond().saturating_add(REMEMBERED_SECONDS * 1000);
    echo_core::clock::from_millis(millis)
}

impl Journal {
    /// Reads the journal in `folder`, which is made when there is none. A file that cannot be read is kept and
    /// counts as done for a day: what it said is not known, so nothing is begun again.
    pub(crate) fn open(folder: PathBuf, now: Timestamp) -> Result<Self, DurableError> {
        durable::create_folder(&folder)?;
        crate::home::remove_leftovers(&folder);
        let mut journal = Self { folder, stages: BTreeMap::new() };
        let failed = |source| DurableError::Io { action: "list", path: journal.folder.clone(), source };
        let mut ids: Vec<CommandId> = Vec::new();
        for file in fs::read_dir(&journal.folder).map_err(failed)? {
            let name = file.map_err(failed)?.file_name();
            ids.extend(name.to_str().and_then(|n| n.strip_suffix(".json")?.parse::<CommandId>().ok()));
        }
        for id in ids {
            let stage = match journal.load(&id) {
                Ok(Some(entry)) => Stage::of(&entry),
                Ok(None) => continue,
                Err(why) => {
                    tracing::error!(command = %id, %why, "a journal entry cannot be read: its command is left alone");
                    Stage::Done { until: remembered(now) }
                }
            };
            journal.stages.insert(id, stage);
        }
        journal.forget_old(now);
        Ok(journal)
    }

    /// Whether the command was begun before, whatever came of it.
    pub(crate) fn knows(&self, id: &CommandId) -> bool {
        self.stages.contains_key(id)
    }

    /// Whether no further command fits.
    pub(crate) fn is_full(&self) -> bool {
        self.stages.len() >= MAX_COMMANDS
    }

    /// The commands that were begun and are not over, oldest first.
    pub(crate) fn executing(&self) -> Vec<CommandId> {
        self.in_stage(Stage::Executing)
    }

    /// The commands whose answers the platform has yet to get, oldest first.
    pub(crate) fn answered(&self) -> Vec<CommandId> {
        self.in_stage(Stage::Answered)
    }

    fn in_stage(&self, stage: Stage) -> Vec<CommandId> {
        self.stages.iter().filter(|(_, s)| **s == stage).map(|(id, _)| id.clone()).collect()
    }

    /// What is kept of a command; an error in words when it cannot be read.
    pub(crate) fn load(&self, id: &CommandId) -> Result<Option<Entry>, String> {
        let bytes = durable::read(&self.path(id), MAX_ENTRY).map_err(|e| e.to_string())?;
        bytes.map(|bytes| serde_json::from_slice(&bytes).map_err(|e| e.to_string())).transpose()
    }

    /// Keeps where a command stands. When this returns, a kill or a power cut changes nothing about it.
    pub(crate) fn keep(&mut self, id: &CommandId, entry: &Entry) -> Result<(), DurableError> {
        let bytes = serde_json::to_vec(entry).expect("envelopes, reports and times always become JSON");
        durable::write(&self.path(id), &bytes, Mode::Private)?;
        self.stages.insert(id.clone(), Stage::of(entry));
        Ok(())
    }

    /// Forgets what was done long ago.
    pub(crate) fn forget_old(&mut self, now: Timestamp) {
        let old = |stage: &Stage| matches!(stage, Stage::Done { until } if *until <= now);
        let gone: Vec<_> = self.stages.iter().filter(|(_, s)| old(s)).map(|(id, _)| id.clone()).collect();
        for id in gone {
            if let Err(why) = fs::remove_file(self.path(&id)) {
                tracing::warn!(command = %id, %why, "an old journal entry cannot be removed");
            }
            self.stages.remove(&id);
        }
    }

    fn path(&self, id: &CommandId) -> PathBuf {
        self.folder.join(format!("{}.json", id.as_str()))
    }
}

impl Stage {
    fn of(entry: &Entry) -> Self {
        match entry {
            Entry::Executing(_) => Self::Executing,
            Entry::Answered { .. } => Self::Answered,
            Entry::Done { until } => Self::Done { until: *until },
        }
    }
}

#[cfg(test)]
mod tests {
    use device_link::Work;
    use trust::KeyRole;

    use super::*;
    use crate::test_house::{House, at};

    #[test]
    fn each_stage_survives_a_restart_and_the_answer_keeps_its_bytes() {
        let (house, folder, now) = (House::new(), tempfile::tempdir().unwrap(), at("2027-02-01"));
        let open = || Journal::open(folder.path().join("work"), now).unwrap();
        let command = house.command(Work::Diagnose);
        let envelope = house.sign(&command, KeyRole::Operator);
        let mut journal = open();
        assert!(!journal.knows(&command.id));
        let begun = Begun { command: envelope.clone(), started: now, root: None, before: None };
        journal.keep(&command.id, &Entry::Executing(Box::new(begun))).unwrap();
        let mut journal = open();
        assert_eq!(journal.executing(), std::slice::from_ref(&command.id));
        journal
            .keep(&command.id, &Entry::Answered { result: envelope.clone(), until: at("2027-02-03") })
            .unwrap();
        let mut journal = open();
        assert_eq!((journal.executing().len(), journal.answered().len()), (0, 1));
        let Ok(Some(Entry::Answered { result, .. })) = journal.load(&command.id) else { unreachable!() };
        assert_eq!(serde_json::to_vec(&result).unwrap(), serde_json::to_vec(&envelope).unwrap());
        journal.keep(&command.id, &Entry::Done { until: at("2027-02-03") }).unwrap();
        assert!(open().knows(&command.id));
    }

    #[test]
    fn what_is_done_is_forgotten_only_after_its_time() {
        let (house, folder) = (House::new(), tempfile::tempdir().unwrap());
        let mut journal = Journal::open(folder.path().join("work"), at("2027-02-01")).unwrap();
        let id = house.command(Work::Diagnose).id;
        let until = remembered(at("2027-02-01"));
        assert_eq!(until, at("2027-02-02"));
        journal.keep(&id, &Entry::Done { until }).unwrap();
        journal.forget_old(at("2027-02-01"));
        assert!(journal.knows(&id));
        journal.forget_old(at("2027-02-02"));
        assert!(!journal.knows(&id) && fs::read_dir(folder.path().join("work")).unwrap().count() == 0);
    }

    #[test]
    fn a_damaged_entry_is_never_begun_again() {
        let (house, folder, now) = (House::new(), tempfile::tempdir().unwrap(), at("2027-02-01"));
        let id = house.command(Work::Diagnose).id;
        durable::write(&folder.path().join(format!("{id}.json")), b"{", Mode::Private).unwrap();
        let journal = Journal::open(folder.path().to_owned(), now).unwrap();
        assert!(journal.knows(&id) && journal.executing().is_empty() && journal.answered().is_empty());
    }
}
