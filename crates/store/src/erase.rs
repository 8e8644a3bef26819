//! Forgetting a customer: the rows of theirs, what others' rows say of them, and after that every byte of it.

use std::time::Duration;

use echo_core::{CustomerId, Id as _};
use sqlx::{AnyConnection, Executor as _, Row as _};
use tokio::time::sleep;

use crate::{Store, StoreError, Tx};

/// How many rows are looked at, at once.
const BATCH: i64 = 500;
/// How often the database is asked to be written anew, and its log to be empty, before it counts as busy.
const TRIES: usize = 50;
/// How long between two tries.
const PAUSE: Duration = Duration::from_millis(200);

/// A record, by kind and id.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Owned {
    /// Its kind.
    pub kind: String,
    /// Its id.
    pub id: String,
}

impl Tx {
    /// Everything that `customer` owns, by kind and id.
    pub async fn owned(&mut self, customer: &CustomerId) -> Result<Vec<Owned>, StoreError> {
        let rows = sqlx::query("SELECT kind, id FROM records WHERE customer = $1 ORDER BY kind, id")
            .bind(customer.as_str())
            .fetch_all(&mut *self.inner)
            .await?;
        rows.iter().map(|row| Ok(Owned { kind: row.try_get("kind")?, id: row.try_get("id")? })).collect()
    }

    /// Forgets a customer's records but those that `stays` says yes to, and its events. Answers how many records went.
    pub async fn forget_owned(
        &mut self,
        customer: &CustomerId,
        stays: impl Fn(&Owned) -> bool,
    ) -> Result<u64, StoreError> {
        let mut gone = 0;
        for owned in self.owned(customer).await? {
            if stays(&owned) {
                continue;
            }
            sqlx::query("DELETE FROM records WHERE kind = $1 AND id = $2")
                .bind(owned.kind)
                .bind(owned.id)
                .execute(&mut *self.inner)
                .await?;
            gone += 1;
        }
        sqlx::query("DELETE FROM events WHERE customer = $1")
            .bind(customer.as_str())
            .execute(&mut *self.inner)
            .await?;
        Ok(gone)
    }

    /// Forgets the kept answers, the operator's events and nobody's records of `kinds` whose text `speaks` of somebody.
    pub async fn forget_mentions(
        &mut self,
        kinds: &[&str],
        speaks: impl Fn(&str) -> bool,
    ) -> Result<(), StoreError> {
        self.forget_replies_that(&speaks).await?;
        self.forget_events_that(&speaks).await?;
        for kind in kinds {
            self.forget_nobodys_that(kind, &speaks).await?;
        }
        Ok(())
    }

    async fn forget_replies_that(&mut self, speaks: &impl Fn(&str) -> bool) -> Result<(), StoreError> {
        let (mut caller, mut key) = (String::new(), String::new());
        loop {
            let rows = sqlx::query(
                "SELECT caller, idem_key, body FROM idempotency
                 WHERE caller > $1 OR (caller = $1 AND idem_key > $2) ORDER BY caller, idem_key LIMIT $3",
            )
            .bind(caller.clone())
            .bind(key.clone())
            .bind(BATCH)
            .fetch_all(&mut *self.inner)
            .await?;
            for row in &rows {
                (caller, key) = (row.try_get("caller")?, row.try_get("idem_key")?);
                if speaks(&caller) || speaks(&row.try_get::<String, _>("body")?) {
                    sqlx::query("DELETE FROM idempotency WHERE caller = $1 AND idem_key = $2")
                        .bind(caller.clone())
                        .bind(key.clone())
                        .execute(&mut *self.inner)
                        .await?;
                }
            }
            if rows.is_empty() {
                return Ok(());
            }
        }
    }

    async fn forget_events_that(&mut self, speaks: &impl Fn(&str) -> bool) -> Result<(), StoreError> {
        let mut seq = 0_i64;
        loop {
            let rows = sqlx::query(
                "SELECT seq, body FROM events WHERE seq > $1 AND customer IS NULL ORDER BY seq LIMIT $2",
            )
            .bind(seq)
            .bind(BATCH)
            .fetch_all(&mut *self.inner)
            .await?;
            for row in &rows {
                seq = row.try_get("seq")?;
                if speaks(&row.try_get::<String, _>("body")?) {
                    sqlx::query("DELETE FROM events WHERE seq = $1")
                        .bind(seq)
                        .execute(&mut *self.inner)
                        .await?;
                }
            }
            if rows.is_empty() {
                return Ok(());
            }
        }
    }

    async fn forget_nobodys_that(
        &mut self,
        kind: &str,
        speaks: &impl Fn(&str) -> bool,
    ) -> Result<(), StoreError> {
        let mut id = String::new();
        loop {
            let rows = sqlx::query(
                "SELECT id, body FROM records
                 WHERE kind = $1 AND customer IS NULL AND id > $2 ORDER BY id LIMIT $3",
            )
            .bind(kind)
            .bind(id.clone())
            .bind(BATCH)
            .fetch_all(&mut *self.inner)
            .await?;
            for row in &rows {
                id = row.try_get("id")?;
                if speaks(&row.try_get::<String, _>("body")?) {
                    sqlx::query("DELETE FROM records WHERE kind = $1 AND id = $2")
                        .bind(kind)
                        .bind(id.clone())
                        .execute(&mut *self.inner)
                        .await?;
                }
            }
            if rows.is_empty() {
                return Ok(());
            }
        }
    }
}

impl Store {
    /// Leaves no byte of what was deleted in the database's files: the database is written anew without its free pages
    /// (SQLite, VACUUM), and the write-ahead log is emptied. It takes as much disk as the database has, and writers wait.
    ///
    /// # Errors
    /// [`StoreError::Busy`] when a reader holds on to the write-ahead log: try again later.
    pub async fn scrub(&self) -> Result<(), StoreError> {
        let mut connection = self.pool.acquire().await?;
        for _ in 0..TRIES {
            if vacuum(&mut connection).await? && empty_log(&mut connection).await? {
                return Ok(());
            }
            sleep(PAUSE).await;
        }
        Err(StoreError::Busy)
    }
}

/// Writes the database anew. Whether it could: a writer who comes between its first look and its lock makes it fail.
async fn vacuum(connection: &mut AnyConnection) -> Result<bool, StoreError> {
    match connection.execute("VACUUM").await.map_err(StoreError::from) {
        Ok(_) => Ok(true),
        Err(StoreError::Busy) => Ok(false),
        Err(error) => Err(error),
    }
}

/// Moves everything from the write-ahead log into the database. Whether it is empty then: the first column says whether
/// somebody stood in the way (<https://www.sqlite.org/pragma.html#pragma_wal_checkpoint>).
async fn empty_log(connection: &mut AnyConnection) -> Result<bool, StoreError> {
    let row = connection.fetch_one("PRAGMA wal_checkpoint(TRUNCATE)").await?;
    Ok(row.try_get::<i64, _>(0)? == 0)
}
