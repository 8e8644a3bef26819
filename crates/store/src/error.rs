//! What can go wrong with the database, in words that say what to do.

/// Why the store could not do it.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// Another record already holds this id or unique key.
    #[error("a {kind} with this {what} exists already")]
    Duplicate {
        /// The kind of record.
        kind: &'static str,
        /// What clashed.
        what: &'static str,
    },
    /// The record to be changed is not there.
    #[error("there is no {kind} {id}")]
    Missing {
        /// The kind of record.
        kind: &'static str,
        /// Its id.
        id: String,
    },
    /// The disk is full; the transaction was rolled back.
    #[error("the disk that holds the database is full: free some space and try again; nothing was lost")]
    DiskFull,
    /// The file is not a healthy database.
    #[error(
        "the database {path} is damaged ({detail}): stop the platform, move the file aside and restore the latest \
         backup of it; what was billed and proven can be read back from genesis_ledger/ and aeterna_ledger/"
    )]
    Corrupt {
        /// Which file.
        path: String,
        /// What the engine said.
        detail: String,
    },
    /// A stored body does not read as what it should be.
    #[error("the stored {kind} {id} cannot be read ({source}): restore the latest backup of the database")]
    Unreadable {
        /// The kind of record.
        kind: &'static str,
        /// Its id.
        id: String,
        /// Why.
        source: serde_json::Error,
    },
    /// A value could not be written as JSON.
    #[error("a {kind} cannot be stored: {source}")]
    Unwritable {
        /// The kind of record.
        kind: &'static str,
        /// Why.
        source: serde_json::Error,
    },
    /// The database stayed busy for too long.
    #[error("the database is busy: try again in a moment")]
    Busy,
    /// Any other answer of the engine.
    #[error("the database refused: {0}")]
    Engine(sqlx::Error),
}

impl From<sqlx::Error> for StoreError {
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
            Some(11 | 26) => Self::Corrupt { path: "echo.db".to_owned(), detail: error.to_string() },
            _ => Self::Engine(error),
        }
    }
}
