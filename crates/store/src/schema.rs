//! The tables. Each migration runs once, in order, and is never edited after it has shipped.

use sqlx::{AnyConnection, Connection as _, Row as _};

use crate::StoreError;

/// The migrations in order; the version of a database is how many of them it has seen.
const MIGRATIONS: &[&[&str]] = &[FIRST, LOG_HEADS];

const FIRST: &[&str] = &[
    // Owner, parent and state stand outside of the body so that queries can use them; `uniq` makes "at most one"
    // a fact of the database (one receipt a call, one invoice a case).
    "CREATE TABLE records (
        kind TEXT NOT NULL, id TEXT NOT NULL, customer TEXT, parent TEXT, state TEXT NOT NULL, uniq TEXT,
        body TEXT NOT NULL, PRIMARY KEY (kind, id), UNIQUE (kind, uniq))",
    "CREATE INDEX records_by_customer ON records (kind, customer, id)",
    "CREATE INDEX records_by_parent ON records (kind, parent, id)",
    "CREATE INDEX records_by_state ON records (kind, state, id)",
    "CREATE TABLE counters (name TEXT NOT NULL PRIMARY KEY, value BIGINT NOT NULL)",
    "CREATE TABLE idempotency (
        caller TEXT NOT NULL, idem_key TEXT NOT NULL, fingerprint TEXT NOT NULL, status BIGINT NOT NULL,
        body TEXT NOT NULL, at_ms BIGINT NOT NULL, PRIMARY KEY (caller, idem_key))",
    "CREATE INDEX idempotency_by_time ON idempotency (at_ms)",
    "CREATE TABLE outbox (seq BIGINT NOT NULL PRIMARY KEY, log TEXT NOT NULL, leaf TEXT NOT NULL, entry TEXT NOT NULL)",
    "CREATE TABLE ledger_index (
        log TEXT NOT NULL, leaf TEXT NOT NULL, entry_index BIGINT NOT NULL, PRIMARY KEY (log, leaf))",
    "CREATE TABLE events (
        seq BIGINT NOT NULL PRIMARY KEY, customer TEXT, at_ms BIGINT NOT NULL, body TEXT NOT NULL)",
];

const LOG_HEADS: &[&str] =
    &["CREATE TABLE log_heads (log TEXT NOT NULL PRIMARY KEY, size BIGINT NOT NULL, root TEXT NOT NULL)"];

/// Brings the database to the latest version.
pub(crate) async fn migrate(connection: &mut AnyConnection) -> Result<(), StoreError> {
    let mut tx = connection.begin().await?;
    sqlx::query("CREATE TABLE IF NOT EXISTS schema_version (version BIGINT NOT NULL)")
        .execute(&mut *tx)
        .await?;
    let row = sqlx::query("SELECT COALESCE(MAX(version), 0) AS version FROM schema_version")
        .fetch_one(&mut *tx)
        .await?;
    let seen = usize::try_from(row.try_get::<i64, _>("version")?).unwrap_or(usize::MAX);
    for (index, statements) in MIGRATIONS.iter().enumerate().skip(seen) {
        for statement in *statements {
            sqlx::query(*statement).execute(&mut *tx).await?;
        }
        sqlx::query("INSERT INTO schema_version (version) VALUES ($1)")
            .bind(i64::try_from(index + 1).unwrap_or(i64::MAX))
            .execute(&mut *tx)
            .await?;
    }
    tx.commit().await?;
    Ok(())
}
