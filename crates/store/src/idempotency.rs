//! Answers kept under the caller's `Idempotency-Key`.

use echo_core::{Digest, Timestamp};
use sqlx::Row as _;

use crate::{StoreError, Tx};

/// What was answered the first time.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoredReply {
    /// Digest of the request it answered: method, path and body.
    pub fingerprint: String,
    /// The HTTP status.
    pub status: u16,
    /// The JSON body.
    pub body: String,
}

impl Tx {
    /// The answer given to `caller` under `key`, if there was one.
    pub async fn reply(&mut self, caller: &str, key: &str) -> Result<Option<StoredReply>, StoreError> {
        let row = sqlx::query(
            "SELECT fingerprint, status, body FROM idempotency WHERE caller = $1 AND idem_key = $2",
        )
        .bind(caller)
        .bind(key)
        .fetch_optional(&mut *self.inner)
        .await?;
        row.map(|row| {
            Ok(StoredReply {
                fingerprint: row.try_get("fingerprint")?,
                status: u16::try_from(row.try_get::<i64, _>("status")?).unwrap_or(500),
                body: row.try_get("body")?,
            })
        })
        .transpose()
    }

    /// Keeps an answer; fails with [`StoreError::Duplicate`] when another request took the key meanwhile.
    pub async fn keep_reply(
        &mut self,
        caller: &str,
        key: &str,
        reply: &StoredReply,
        now: Timestamp,
    ) -> Result<(), StoreError> {
        let done = sqlx::query(
            "INSERT INTO idempotency (caller, idem_key, fingerprint, status, body, at_ms)
             VALUES ($1, $2, $3, $4, $5, $6) ON CONFLICT (caller, idem_key) DO NOTHING",
        )
        .bind(caller)
        .bind(key)
        .bind(reply.fingerprint.clone())
        .bind(i64::from(reply.status))
        .bind(reply.body.clone())
        .bind(now.as_millisecond())
        .execute(&mut *self.inner)
        .await?;
        if done.rows_affected() == 1 {
            Ok(())
        } else {
            Err(StoreError::Duplicate { kind: "request", what: "idempotency key" })
        }
    }

    /// Forgets answers older than `before`.
    pub async fn forget_replies(&mut self, before: Timestamp) -> Result<u64, StoreError> {
        let done = sqlx::query("DELETE FROM idempotency WHERE at_ms < $1")
            .bind(before.as_millisecond())
            .execute(&mut *self.inner)
            .await?;
        Ok(done.rows_affected())
    }
}

impl StoredReply {
    /// The fingerprint of a request.
    pub fn fingerprint(method: &str, path: &str, body: &[u8]) -> String {
        Digest::of(format!("{method} {path} {}", Digest::of(body)).as_bytes()).hex()
    }
}
