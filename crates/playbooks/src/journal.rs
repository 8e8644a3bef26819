//! What a run must remember to be undone: written whole and durably before its first change.
//!
//! One folder a run, named by its id: `journal.json` (how everything was), `undo.json` (an undo has begun),
//! `report.json` (the run is over). All are private: a journal holds file contents.

use std::{
    fs,
    path::{Path, PathBuf},
};

use durable::{DurableError, Mode};
use echo_core::{Digest, Id as _, RunId, Timestamp};
use serde::{Deserialize, Serialize, de::DeserializeOwned};

use crate::{
    action::Action,
    node::Entry,
    report::{RunReport, StepReport},
    runner::RunError,
};

/// The most bytes of one journal file. Every byte of text can take six in JSON.
const MAX_JOURNAL: u64 = 64 * 1024 * 1024;
const JOURNAL: &str = "journal.json";
const UNDO: &str = "undo.json";
const REPORT: &str = "report.json";

/// How everything was, and is to be.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Journal {
    pub run: RunId,
    pub plan: Digest,
    pub started: Timestamp,
    pub entries: Vec<Entry>,
    pub actions: Vec<Action>,
    pub steps: Vec<StepReport>,
    pub touches: Vec<Vec<String>>,
}

/// The mark that an undo has begun.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct UndoMark {
    pub started: Timestamp,
}

/// The folder of one run.
#[derive(Debug, Clone)]
pub(crate) struct RunFolder(PathBuf);

impl RunFolder {
    pub fn of(journals: &Path, run: &RunId) -> Self {
        Self(journals.join(run.as_str()))
    }

    pub fn begin(&self, journal: &Journal) -> Result<(), RunError> {
        durable::create_folder(&self.0)?;
        self.put(JOURNAL, journal)
    }

    pub fn journal(&self) -> Result<Option<Journal>, RunError> {
        self.get(JOURNAL)
    }

    pub fn mark_undo(&self, mark: &UndoMark) -> Result<(), RunError> {
        self.put(UNDO, mark)
    }

    pub fn undo_mark(&self) -> Result<Option<UndoMark>, RunError> {
        self.get(UNDO)
    }

    pub fn report(&self) -> Result<Option<RunReport>, RunError> {
        self.get(REPORT)
    }

    /// Ends the run. From here on a restart leaves it alone.
    pub fn finish(&self, report: &RunReport) -> Result<(), RunError> {
        durable::create_folder(&self.0)?;
        self.put(REPORT, report)
    }

    /// Takes away the file contents, once nothing can be undone any more.
    pub fn clear(&self) -> Result<(), RunError> {
        for name in [UNDO, JOURNAL] {
            let path = self.0.join(name);
            match fs::remove_file(&path) {
                Err(source) if source.kind() != std::io::ErrorKind::NotFound => {
                    let action = "remove";
                    return Err(DurableError::Io { action, path, source }.into());
                }
                _ => {}
            }
        }
        Ok(())
    }

    /// Takes the whole folder away.
    pub fn remove(&self) -> Result<(), RunError> {
        let failed = |source| DurableError::Io { action: "remove", path: self.0.clone(), source };
        // The report goes last: a crash on the way must not make the run look unfinished.
        self.clear()?;
        Ok(fs::remove_dir_all(&self.0).map_err(failed)?)
    }

    fn put<T: Serialize>(&self, name: &str, value: &T) -> Result<(), RunError> {
        let path = self.0.join(name);
        let bytes = serde_json::to_vec(value).map_err(|e| damaged(&path, &e))?;
        Ok(durable::write(&path, &bytes, Mode::Private)?)
    }

    fn get<T: DeserializeOwned>(&self, name: &str) -> Result<Option<T>, RunError> {
        let path = self.0.join(name);
        let Some(bytes) = durable::read(&path, MAX_JOURNAL)? else {
            return Ok(None);
        };
        serde_json::from_slice(&bytes).map(Some).map_err(|e| damaged(&path, &e))
    }
}

fn damaged(path: &Path, why: &serde_json::Error) -> RunError {
    RunError::Damaged { path: path.to_owned(), why: why.to_string() }
}
