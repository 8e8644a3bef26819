//! Ledger entries owed: written with the change they record, entered into the log after the commit.
//!
//! A crash in between leaves the entry here; on start it is entered, unless the log already holds it. The index
//! from leaf to position, filled by following the log, is what makes that "unless" cheap.

use sqlx::Row as _;

use crate::{StoreError, Tx};

/// The most entries handed out at once, which is also the largest batch of the log.
const MAX_BATCH: i64 = 512;

/// One entry that is owed to a log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OutboxEntry {
    /// Its place in the queue.
    pub seq: i64,
    /// Which log: `genesis` or `aeterna`.
    pub log: String,
    /// The RFC 6962 leaf hash in hexadecimal.
    pub leaf: String,
    /// The entry's bytes, which are text.
    pub entry: String,
}

impl Tx {
    /// Owes `entry` to `log`.
    pub async fn owe(&mut self, log: &str, leaf: &str, entry: &str) -> Result<(), StoreError> {
        let seq = self.next("outbox").await?;
        sqlx::query("INSERT INTO outbox (seq, log, leaf, entry) VALUES ($1, $2, $3, $4)")
            .bind(seq)
            .bind(log)
            .bind(leaf)
            .bind(entry)
            .execute(&mut *self.inner)
            .await?;
        Ok(())
    }

    /// The oldest entries owed.
    pub async fn owed(&mut self) -> Result<Vec<OutboxEntry>, StoreError> {
        let rows = sqlx::query("SELECT seq, log, leaf, entry FROM outbox ORDER BY seq LIMIT $1")
            .bind(MAX_BATCH)
            .fetch_all(&mut *self.inner)
            .await?;
        rows.iter()
            .map(|row| {
                Ok(OutboxEntry {
                    seq: row.try_get("seq")?,
                    log: row.try_get("log")?,
                    leaf: row.try_get("leaf")?,
                    entry: row.try_get("entry")?,
                })
            })
            .collect()
    }

    /// Strikes an entry off: it is in the log.
    pub async fn settled(&mut self, seq: i64) -> Result<(), StoreError> {
        sqlx::query("DELETE FROM outbox WHERE seq = $1").bind(seq).execute(&mut *self.inner).await?;
        Ok(())
    }

    /// Notes that `log` holds `leaf` at `index`. The first position wins.
    pub async fn index_leaf(&mut self, log: &str, leaf: &str, index: u64) -> Result<(), StoreError> {
        sqlx::query(
            "INSERT INTO ledger_index (log, leaf, entry_index) VALUES ($1, $2, $3)
             ON CONFLICT (log, leaf) DO NOTHING",
        )
        .bind(log)
        .bind(leaf)
        .bind(i64::try_from(index).unwrap_or(i64::MAX))
        .execute(&mut *self.inner)
        .await?;
        Ok(())
    }

    /// Where `log` holds `leaf`.
    pub async fn leaf_index(&mut self, log: &str, leaf: &str) -> Result<Option<u64>, StoreError> {
        let row = sqlx::query("SELECT entry_index FROM ledger_index WHERE log = $1 AND leaf = $2")
            .bind(log)
            .bind(leaf)
            .fetch_optional(&mut *self.inner)
            .await?;
        Ok(row
            .map(|row| row.try_get::<i64, _>("entry_index"))
            .transpose()?
            .and_then(|i| u64::try_from(i).ok()))
    }

    /// How far the index has followed `log`: the size of the log when it was last read to its end.
    pub async fn followed(&mut self, log: &str) -> Result<u64, StoreError> {
        let row = sqlx::query("SELECT value FROM counters WHERE name = $1")
            .bind(followed_counter(log))
            .fetch_optional(&mut *self.inner)
            .await?;
        Ok(row
            .map(|row| row.try_get::<i64, _>("value"))
            .transpose()?
            .and_then(|n| u64::try_from(n).ok())
            .unwrap_or(0))
    }

    /// Notes that the index has followed `log` up to `size` entries. Kept apart from the index, because a leaf that
    /// stands in the log twice has one position there.
    pub async fn note_followed(&mut self, log: &str, size: u64) -> Result<(), StoreError> {
        sqlx::query(
            "INSERT INTO counters (name, value) VALUES ($1, $2)
             ON CONFLICT (name) DO UPDATE SET value = $2",
        )
        .bind(followed_counter(log))
        .bind(i64::try_from(size).unwrap_or(i64::MAX))
        .execute(&mut *self.inner)
        .await?;
        Ok(())
    }
}

fn followed_counter(log: &str) -> String {
    format!("followed/{log}")
}
