//! The last head of each log that answers rest on, kept apart from the log, so that a log that was set back or
//! told another history is noticed.

use sqlx::Row as _;

use crate::{StoreError, Tx};

/// The head of a log: how long it was, and what it held.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LogHead {
    /// Entries in the log.
    pub size: u64,
    /// The RFC 6962 root hash in hexadecimal.
    pub root: String,
}

impl Tx {
    /// The last head of `log` that was kept.
    pub async fn log_head(&mut self, log: &str) -> Result<Option<LogHead>, StoreError> {
        let row = sqlx::query("SELECT size, root FROM log_heads WHERE log = $1")
            .bind(log)
            .fetch_optional(&mut *self.inner)
            .await?;
        row.map(|row| {
            let size = u64::try_from(row.try_get::<i64, _>("size")?).unwrap_or(0);
            Ok(LogHead { size, root: row.try_get("root")? })
        })
        .transpose()
    }

    /// Keeps `new` in place of `old`. Whether `old` was still the kept one; when it was not, somebody else writes
    /// this log, and nothing was changed.
    pub async fn swap_log_head(
        &mut self,
        log: &str,
        old: Option<&LogHead>,
        new: &LogHead,
    ) -> Result<bool, StoreError> {
        let size = |head: &LogHead| i64::try_from(head.size).unwrap_or(i64::MAX);
        let done = match old {
            None => sqlx::query(
                "INSERT INTO log_heads (log, size, root) VALUES ($1, $2, $3) ON CONFLICT (log) DO NOTHING",
            )
            .bind(log)
            .bind(size(new))
            .bind(&new.root)
            .execute(&mut *self.inner)
            .await?,
            Some(old) => {
                sqlx::query(
                    "UPDATE log_heads SET size = $1, root = $2 WHERE log = $3 AND size = $4 AND root = $5",
                )
                .bind(size(new))
                .bind(&new.root)
                .bind(log)
                .bind(size(old))
                .bind(&old.root)
                .execute(&mut *self.inner)
                .await?
            }
        };
        Ok(done.rows_affected() == 1)
    }
}
