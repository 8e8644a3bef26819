//! Whether a repository is sound.

use rustic_core::{CheckOptions, ReadSubsetOption};
use serde::Serialize;

use crate::{BackupError, Repo, error::meaning};

/// The most problems that are told.
const MAX_PROBLEMS: usize = 100;

/// How much of the data is read and compared with its hashes.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Read {
    /// None: that everything is there, and that the index fits.
    Nothing,
    /// So many percent, chosen anew each time.
    Percent(u8),
    /// All of it.
    All,
}

/// What a check found.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Checked {
    /// Snapshots that the repository holds.
    pub snapshots: usize,
    /// What is damaged or missing; nothing when the repository is sound. The first hundred.
    pub problems: Vec<String>,
    /// What is odd and harmless, such as packs that an interrupted backup left.
    pub remarks: Vec<String>,
}

impl Repo {
    /// Checks that everything that the snapshots need is there, and reads as much of it as asked.
    pub fn check(&self, read: Read) -> Result<Checked, BackupError> {
        let failed = |e| meaning("check", &self.place, &e);
        let snapshots = self.snapshots()?;
        let mut options = CheckOptions::default();
        options.read_data = read != Read::Nothing;
        options.read_data_subset = match read {
            Read::Percent(percent) if percent < 100 => ReadSubsetOption::Percentage(f64::from(percent)),
            _ => ReadSubsetOption::All,
        };
        let found = self.open.check(options).map_err(|e| failed(*e))?;
        let (mut problems, mut remarks) = (Vec::new(), Vec::new());
        for (level, what) in found.0 {
            // The library's level has no name that could be compared, but its words.
            let list = if format!("{level:?}") == "Error" { &mut problems } else { &mut remarks };
            if list.len() < MAX_PROBLEMS {
                list.push(what.to_string().split_whitespace().collect::<Vec<_>>().join(" "));
            }
        }
        Ok(Checked { snapshots: snapshots.len(), problems, remarks })
    }
}
