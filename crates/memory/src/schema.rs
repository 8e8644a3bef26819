//! The tables. Each migration runs once, in order, and is never edited after it has shipped.

use std::path::Path;

use sqlx::{Connection as _, SqliteConnection};

use crate::MemoryError;

/// Says in the file's header whose database it is (<https://www.sqlite.org/pragma.html#pragma_application_id>): "Echm".
pub(crate) const APPLICATION: i64 = 0x4563_686d;
/// The migrations in order; the version of a database (`user_version`) is how many of them it has seen.
const MIGRATIONS: &[&[&str]] = &[FIRST];

const FIRST: &[&str] = &[
    // A number is never given twice, so that nobody inherits another owner's place in the index.
    "CREATE TABLE owners (
        nr INTEGER PRIMARY KEY AUTOINCREMENT, name TEXT NOT NULL UNIQUE, key BLOB NOT NULL,
        chunks INTEGER NOT NULL DEFAULT 0, words INTEGER NOT NULL DEFAULT 0)",
    "CREATE TABLE sources (
        nr INTEGER PRIMARY KEY, owner INTEGER NOT NULL REFERENCES owners (nr), id TEXT NOT NULL, kind INTEGER NOT NULL,
        title TEXT NOT NULL, digest TEXT NOT NULL, at_ms INTEGER NOT NULL, expires_ms INTEGER, UNIQUE (owner, id))",
    "CREATE INDEX sources_by_id ON sources (id)",
    "CREATE INDEX sources_by_end ON sources (expires_ms) WHERE expires_ms IS NOT NULL",
    // `terms` are the chunk's words as its owner spells them: what the index holds.
    "CREATE TABLE chunks (
        nr INTEGER PRIMARY KEY, owner INTEGER NOT NULL REFERENCES owners (nr),
        source INTEGER NOT NULL REFERENCES sources (nr), id TEXT NOT NULL UNIQUE, heading TEXT NOT NULL,
        text TEXT NOT NULL, words INTEGER NOT NULL, terms TEXT NOT NULL)",
    "CREATE INDEX chunks_by_owner ON chunks (owner, source)",
    "CREATE INDEX chunks_by_source ON chunks (source)",
    // The index answers only which chunks hold a term; how often is read from `terms`, so it keeps no positions.
    "CREATE VIRTUAL TABLE words USING fts5 (
        terms, content = 'chunks', content_rowid = 'nr', tokenize = 'ascii', detail = 'none', columnsize = 0)",
    "CREATE TRIGGER chunks_in AFTER INSERT ON chunks BEGIN
        INSERT INTO words (rowid, terms) VALUES (new.nr, new.terms);
        INSERT INTO waiting (chunk) VALUES (new.nr);
        UPDATE owners SET chunks = chunks + 1, words = words + new.words WHERE nr = new.owner;
     END",
    "CREATE TRIGGER chunks_out AFTER DELETE ON chunks BEGIN
        INSERT INTO words (words, rowid, terms) VALUES ('delete', old.nr, old.terms);
        DELETE FROM vectors WHERE owner = old.owner AND chunk = old.nr;
        DELETE FROM waiting WHERE chunk = old.nr;
        UPDATE owners SET chunks = chunks - 1, words = words - old.words WHERE nr = old.owner;
     END",
    // One model at a time; an owner's vectors lie together and are read by owner alone.
    "CREATE TABLE model (only INTEGER PRIMARY KEY CHECK (only = 1), name TEXT NOT NULL, dimensions INTEGER NOT NULL)",
    "CREATE TABLE vectors (
        owner INTEGER NOT NULL, chunk INTEGER NOT NULL, bytes BLOB NOT NULL, PRIMARY KEY (owner, chunk)) WITHOUT ROWID",
    // Chunks without a vector of the model.
    "CREATE TABLE waiting (chunk INTEGER PRIMARY KEY)",
];

/// The newest version that this program knows.
pub(crate) fn known() -> i64 {
    i64::try_from(MIGRATIONS.len()).unwrap_or(i64::MAX)
}

/// Refuses what is no memory of ours, and brings an older one to the latest version.
pub(crate) async fn migrate(connection: &mut SqliteConnection, path: &Path) -> Result<(), MemoryError> {
    let known = known();
    let mut tx = connection.begin_with("BEGIN IMMEDIATE").await?;
    let application: i64 = sqlx::query_scalar("PRAGMA application_id").fetch_one(&mut *tx).await?;
    let tables: i64 = sqlx::query_scalar("SELECT COUNT(*) FROM sqlite_schema").fetch_one(&mut *tx).await?;
    if application != APPLICATION && (application != 0 || tables > 0) {
        return Err(MemoryError::Foreign { path: path.to_owned() });
    }
    let version: i64 = sqlx::query_scalar("PRAGMA user_version").fetch_one(&mut *tx).await?;
    if version > known {
        return Err(MemoryError::Newer { path: path.to_owned(), version, known });
    }
    let seen = usize::try_from(version).unwrap_or(0);
    for statement in MIGRATIONS.iter().skip(seen).flat_map(|statements| statements.iter()) {
        sqlx::query(*statement).execute(&mut *tx).await?;
    }
    if version < known {
        // A pragma takes no parameters; both numbers are our own.
        let statements = format!("PRAGMA application_id = {APPLICATION}; PRAGMA user_version = {known}");
        sqlx::raw_sql(sqlx::AssertSqlSafe(statements)).execute(&mut *tx).await?;
    }
    tx.commit().await?;
    Ok(())
}
