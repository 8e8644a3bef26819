//! The event stream: what happened, in order, so that a reader that lost its connection can catch up.

use echo_core::{CustomerId, Id as _, Timestamp};
use sqlx::Row as _;

use crate::{Scope, StoreError, Tx};

/// The most events handed out at once.
const MAX_BATCH: i64 = 500;

/// One event.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoredEvent {
    /// Its place in the stream, from 1.
    pub seq: i64,
    /// Its JSON body.
    pub body: String,
}

impl Tx {
    /// Adds an event to the stream of `customer` (or of the operator alone).
    pub async fn emit(
        &mut self,
        customer: Option<&CustomerId>,
        now: Timestamp,
        body: &str,
    ) -> Result<i64, StoreError> {
        let seq = self.next("events").await?;
        sqlx::query("INSERT INTO events (seq, customer, at_ms, body) VALUES ($1, $2, $3, $4)")
            .bind(seq)
            .bind(customer.map(|c| c.as_str().to_owned()))
            .bind(now.as_millisecond())
            .bind(body)
            .execute(&mut *self.inner)
            .await?;
        Ok(seq)
    }

    /// The events after `seq` that `scope` may see, oldest first.
    pub async fn events_after(&mut self, scope: &Scope, seq: i64) -> Result<Vec<StoredEvent>, StoreError> {
        let rows = sqlx::query(
            "SELECT seq, body FROM events
             WHERE seq > $1 AND (CAST($2 AS TEXT) IS NULL OR customer = $2) ORDER BY seq LIMIT $3",
        )
        .bind(seq)
        .bind(scope.customer().map(str::to_owned))
        .bind(MAX_BATCH)
        .fetch_all(&mut *self.inner)
        .await?;
        rows.iter()
            .map(|row| Ok(StoredEvent { seq: row.try_get("seq")?, body: row.try_get("body")? }))
            .collect()
    }

    /// The place of the newest event, 0 when there is none.
    pub async fn last_event(&mut self) -> Result<i64, StoreError> {
        let row =
            sqlx::query("SELECT COALESCE(MAX(seq), 0) AS n FROM events").fetch_one(&mut *self.inner).await?;
        Ok(row.try_get("n")?)
    }

    /// Forgets events older than `before`.
    pub async fn forget_events(&mut self, before: Timestamp) -> Result<u64, StoreError> {
        let done = sqlx::query("DELETE FROM events WHERE at_ms < $1")
            .bind(before.as_millisecond())
            .execute(&mut *self.inner)
            .await?;
        Ok(done.rows_affected())
    }
}
