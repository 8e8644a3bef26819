//! What can go wrong with the memory, in words that say what to do.

use std::path::{Path, PathBuf};

use durable::DurableError;

/// Why the memory could not do it.
#[derive(Debug, thiserror::Error)]
pub enum MemoryError {
    /// Something that was given is not what can be remembered or asked.
    #[error("{what}: {reason}")]
    Invalid {
        /// Which part of it.
        what: &'static str,
        /// Why, and what would be taken.
        reason: String,
    },
    /// The owner has as many chunks as one may have.
    #[error("{owner} has {limit} chunks already, which is the most: forget sources that nobody asks for")]
    Full {
        /// Whose memory.
        owner: String,
        /// The bound.
        limit: u64,
    },
    /// The file is not a healthy database.
    #[error(
        "the memory {path} is damaged ({detail}): stop the platform, move the file aside and import the latest export, \
         or begin with an empty one and let the sources be read again"
    )]
    Corrupt {
        /// Which file.
        path: PathBuf,
        /// What the engine said.
        detail: String,
    },
    /// The file is a database of something else.
    #[error("{path} is a database, but no memory of Echo's: move it away; it was left as it is")]
    Foreign {
        /// Which file.
        path: PathBuf,
    },
    /// The file was written by a later Echo.
    #[error(
        "the memory {path} was written by a newer Echo (its version is {version}, the newest known here is {known}): \
         start that one; the file was left as it is"
    )]
    Newer {
        /// Which file.
        path: PathBuf,
        /// Its version.
        version: i64,
        /// The newest version that this program knows.
        known: i64,
    },
    /// An export that does not hold what it says.
    #[error("{path}, line {line}: {reason}; nothing was imported")]
    Altered {
        /// Which file.
        path: PathBuf,
        /// Which line, from 1.
        line: u64,
        /// What does not hold.
        reason: String,
    },
    /// The disk is full; nothing was changed.
    #[error("the disk that holds the memory is full: free some space and try again; nothing was lost")]
    DiskFull,
    /// The database stayed busy for too long.
    #[error("the memory is busy: try again in a moment")]
    Busy,
    /// A file or folder could not be read or written.
    #[error(transparent)]
    File(#[from] DurableError),
    /// Any other answer of the engine.
    #[error("the memory's database refused: {0}")]
    Engine(sqlx::Error),
}

impl MemoryError {
    /// Names the file in what speaks of a damaged one.
    pub(crate) fn of(self, file: &Path) -> Self {
        match self {
            Self::Corrupt { detail, .. } => Self::Corrupt { path: file.to_owned(), detail },
            other => other,
        }
    }
}

impl From<sqlx::Error> for MemoryError {
    fn from(error: sqlx::Error) -> Self {
        if matches!(error, sqlx::Error::PoolTimedOut) {
            return Self::Busy;
        }
        // SQLite's primary result codes (https://www.sqlite.org/rescode.html) are the low byte.
        let code = error
            .as_database_error()
            .and_then(sqlx::error::DatabaseError::code)
            .and_then(|c| c.parse::<u32>().ok());
        match code.map(|c| c & 0xff) {
            Some(13) => Self::DiskFull,
            Some(5 | 6) => Self::Busy,
            Some(11 | 26) => Self::Corrupt { path: PathBuf::from("memory.db"), detail: error.to_string() },
            _ => Self::Engine(error),
        }
    }
}
