//! Opens the memory and hands out connections.

use std::{
    fs,
    io::Read as _,
    os::unix::fs::OpenOptionsExt as _,
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};

use durable::DurableError;
use sqlx::{
    Connection as _, Sqlite, SqlitePool, Transaction,
    pool::PoolConnection,
    sqlite::{SqliteConnectOptions, SqliteJournalMode, SqlitePoolOptions, SqliteSynchronous},
};
use tokio::sync::{Mutex, MutexGuard};

use crate::{MemoryError, held::Held, schema};

/// One writer and a few readers: SQLite serialises writers anyway.
const MAX_CONNECTIONS: u32 = 4;
/// How long a caller waits for a connection or a lock before it is told that the memory is busy.
const WAIT: Duration = Duration::from_secs(10);
/// The most bytes of vectors that are held in memory.
const HELD_BYTES: usize = 256 * 1024 * 1024;
/// The database's name in its folder.
const FILE: &str = "memory.db";

/// What is remembered, in a folder of its own. Cheap to clone; all clones are one memory.
#[derive(Debug, Clone)]
pub struct Memory(pub(crate) Arc<Inner>);

#[derive(Debug)]
pub(crate) struct Inner {
    pool: SqlitePool,
    file: PathBuf,
    /// Whoever writes, and whoever reads vectors into memory, does so alone: what is held is what was committed.
    alone: Mutex<()>,
    pub(crate) held: Held,
}

impl Memory {
    /// Opens the memory in that folder, making it where there is none. Only its owner can read it (0700, 0600).
    pub async fn open(folder: &Path) -> Result<Self, MemoryError> {
        Self::open_with(folder, HELD_BYTES).await
    }

    pub(crate) async fn open_with(folder: &Path, held_bytes: usize) -> Result<Self, MemoryError> {
        durable::create_folder(folder)?;
        let file = folder.join(FILE);
        // SQLite would create the file readable by everybody; what it puts beside gets the same mode.
        let refused = |source| DurableError::Io { action: "open", path: file.clone(), source };
        fs::OpenOptions::new().append(true).create(true).mode(0o600).open(&file).map_err(refused)?;
        check_header(&file)?;
        let options = SqliteConnectOptions::new()
            .filename(&file)
            .busy_timeout(WAIT)
            .journal_mode(SqliteJournalMode::Wal)
            // FULL: what was acknowledged is on the disk, not only in the WAL's page cache.
            .synchronous(SqliteSynchronous::Full)
            .foreign_keys(true)
            // Deleted content is overwritten with zeros.
            .pragma("secure_delete", "ON")
            .pragma("cache_size", "-8192");
        let pool = SqlitePoolOptions::new()
            .max_connections(MAX_CONNECTIONS)
            .acquire_timeout(WAIT)
            // A commit that failed, on a full disk for one, can leave a connection inside its transaction.
            .before_acquire(|connection, _| Box::pin(async move { Ok(!connection.is_in_transaction()) }))
            .connect_with(options)
            .await
            .map_err(|error| MemoryError::from(error).of(&file))?;
        let memory = Self(Arc::new(Inner { pool, file, alone: Mutex::new(()), held: Held::new(held_bytes) }));
        let mut connection = memory.read().await?;
        schema::migrate(&mut connection, &memory.0.file).await.map_err(|error| error.of(&memory.0.file))?;
        drop(connection);
        Ok(memory)
    }

    /// Closes all connections and folds the write-ahead log into the database.
    pub async fn close(&self) {
        self.0.held.drop_all();
        self.0.pool.close().await;
    }

    /// A connection to read by.
    pub(crate) async fn read(&self) -> Result<PoolConnection<Sqlite>, MemoryError> {
        self.0.pool.acquire().await.map_err(|error| self.named(error))
    }

    /// A transaction that may write.
    pub(crate) async fn write(&self) -> Result<Transaction<'static, Sqlite>, MemoryError> {
        self.0.pool.begin_with("BEGIN IMMEDIATE").await.map_err(|error| self.named(error))
    }

    /// The right to write, or to read vectors into memory.
    pub(crate) async fn alone(&self) -> MutexGuard<'_, ()> {
        self.0.alone.lock().await
    }

    /// The engine's answer, with the file's name where it matters.
    pub(crate) fn named(&self, error: sqlx::Error) -> MemoryError {
        MemoryError::from(error).of(&self.0.file)
    }
}

/// Refuses what is no memory of ours before it is opened, so that it stays as it is. Whatever passes is looked at again by
/// [`schema::migrate`]. (The file's header: <https://www.sqlite.org/fileformat.html> section 1.3.)
fn check_header(path: &Path) -> Result<(), MemoryError> {
    let corrupt = |detail: String| MemoryError::Corrupt { path: path.to_owned(), detail };
    let mut header = Vec::with_capacity(100);
    let file = fs::File::open(path).map_err(|error| corrupt(error.to_string()))?;
    let bytes = file.metadata().map_err(|error| corrupt(error.to_string()))?.len();
    file.take(100).read_to_end(&mut header).map_err(|error| corrupt(error.to_string()))?;
    if header.is_empty() {
        return Ok(());
    }
    if header.len() < 100 || !header.starts_with(b"SQLite format 3\0") {
        return Err(corrupt("file is not a database".to_owned()));
    }
    let number = |at: usize| {
        i64::from(u32::from_be_bytes([header[at], header[at + 1], header[at + 2], header[at + 3]]))
    };
    // Ours has a write-ahead log from its first page on, and its id once that log was folded in.
    let (logged, application) = (header[18] == 2, number(68));
    if application != schema::APPLICATION && (application != 0 || (!logged && bytes > 4096)) {
        return Err(MemoryError::Foreign { path: path.to_owned() });
    }
    if application == schema::APPLICATION && number(60) > schema::known() {
        return Err(MemoryError::Newer {
            path: path.to_owned(),
            version: number(60),
            known: schema::known(),
        });
    }
    Ok(())
}
