//! Opens the database and hands out transactions.

use std::{fs, io::Read as _, os::unix::fs::OpenOptionsExt as _, path::Path, time::Duration};

use sqlx::{AnyPool, Connection as _, Executor as _, any::AnyPoolOptions};

use crate::{StoreError, Tx, schema};

/// One writer and a few readers: SQLite serialises writers anyway.
const MAX_CONNECTIONS: u32 = 8;
/// How long a caller waits for a connection or a lock before it is told that the database is busy.
const WAIT: Duration = Duration::from_secs(10);

/// The database.
#[derive(Debug, Clone)]
pub struct Store {
    pub(crate) pool: AnyPool,
}

impl Store {
    /// Opens the SQLite database at `path`, making it when there is none.
    pub async fn open(path: &Path) -> Result<Self, StoreError> {
        sqlx::any::install_default_drivers();
        // SQLite would create the file readable by everybody.
        if let Err(error) = fs::OpenOptions::new().append(true).create(true).mode(0o600).open(path) {
            return Err(StoreError::Engine(sqlx::Error::Io(std::io::Error::new(
                error.kind(),
                format!("cannot open {}: {error}", path.display()),
            ))));
        }
        check_header(path)?;
        let named = |error: sqlx::Error| match StoreError::from(error) {
            StoreError::Corrupt { detail, .. } => {
                StoreError::Corrupt { path: path.display().to_string(), detail }
            }
            other => other,
        };
        let pool = AnyPoolOptions::new()
            .max_connections(MAX_CONNECTIONS)
            .acquire_timeout(WAIT)
            .after_connect(|connection, _| {
                Box::pin(async move {
                    // FULL: what was acknowledged is on the disk, not only in the WAL's page cache. What is deleted is
                    // overwritten in its page: see `Store::scrub` for the rest.
                    connection
                        .execute(
                            "PRAGMA busy_timeout = 10000; PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL; \
                             PRAGMA foreign_keys = ON; PRAGMA secure_delete = ON; PRAGMA cache_size = -2048;",
                        )
                        .await?;
                    Ok(())
                })
            })
            // A commit that failed, on a full disk for one, can leave a connection inside its transaction.
            .before_acquire(|connection, _| Box::pin(async move { Ok(!connection.is_in_transaction()) }))
            .connect(&format!("sqlite://{}", path.display()))
            .await
            .map_err(named)?;
        let mut connection = pool.acquire().await.map_err(named)?;
        schema::migrate(&mut connection).await?;
        drop(connection);
        Ok(Self { pool })
    }

    /// A transaction that may write. Writers wait for one another here, so none fails half-way for a lock.
    pub async fn write(&self) -> Result<Tx, StoreError> {
        Ok(Tx::new(self.pool.begin_with("BEGIN IMMEDIATE").await?))
    }

    /// A transaction that only reads: a consistent picture, never blocked by a writer.
    pub async fn read(&self) -> Result<Tx, StoreError> {
        Ok(Tx::new(self.pool.begin().await?))
    }

    /// Closes all connections and folds the write-ahead log into the database.
    pub async fn close(&self) {
        self.pool.close().await;
    }
}

/// Refuses a file that SQLite did not write before a pool would try it again and again until its time is up
/// (the file's first 16 bytes, <https://www.sqlite.org/fileformat.html> section 1.3.1).
fn check_header(path: &Path) -> Result<(), StoreError> {
    let mut header = Vec::with_capacity(16);
    let read = fs::File::open(path).and_then(|file| file.take(16).read_to_end(&mut header));
    let detail = match read {
        Ok(0) => return Ok(()),
        Ok(_) if header == b"SQLite format 3\0" => return Ok(()),
        Ok(_) => "file is not a database".to_owned(),
        Err(error) => error.to_string(),
    };
    Err(StoreError::Corrupt { path: path.display().to_string(), detail })
}
