//! One unit of work.

use echo_core::{Id as _, Page, PageRequest};
use sqlx::{Any, Row as _, Transaction, any::AnyRow};

use crate::{Filter, Record, Scope, StoreError};

/// The most records that [`Tx::all`] hands out.
const MAX_ALL: i64 = 10_000;

/// A transaction. Dropped without [`Tx::commit`], it changes nothing.
#[derive(Debug)]
pub struct Tx {
    pub(crate) inner: Transaction<'static, Any>,
}

impl Tx {
    pub(crate) fn new(inner: Transaction<'static, Any>) -> Self {
        Self { inner }
    }

    /// Makes everything done here durable.
    pub async fn commit(self) -> Result<(), StoreError> {
        Ok(self.inner.commit().await?)
    }

    /// Keeps a new record.
    pub async fn insert<R: Record>(&mut self, record: &R) -> Result<(), StoreError> {
        let done = sqlx::query(
            "INSERT INTO records (kind, id, customer, parent, state, uniq, body)
             VALUES ($1, $2, $3, $4, $5, $6, $7)",
        )
        .bind(R::KIND)
        .bind(record.id())
        .bind(record.customer().map(|c| c.as_str().to_owned()))
        .bind(record.parent().map(str::to_owned))
        .bind(record.state())
        .bind(record.unique())
        .bind(body(record)?)
        .execute(&mut *self.inner)
        .await;
        match done {
            Err(error)
                if error.as_database_error().is_some_and(sqlx::error::DatabaseError::is_unique_violation) =>
            {
                Err(StoreError::Duplicate { kind: R::KIND, what: "id or unique key" })
            }
            other => other.map(drop).map_err(StoreError::from),
        }
    }

    /// Replaces a record that exists.
    pub async fn update<R: Record>(&mut self, record: &R) -> Result<(), StoreError> {
        let done = sqlx::query(
            "UPDATE records SET customer = $3, parent = $4, state = $5, uniq = $6, body = $7
             WHERE kind = $1 AND id = $2",
        )
        .bind(R::KIND)
        .bind(record.id())
        .bind(record.customer().map(|c| c.as_str().to_owned()))
        .bind(record.parent().map(str::to_owned))
        .bind(record.state())
        .bind(record.unique())
        .bind(body(record)?)
        .execute(&mut *self.inner)
        .await?;
        if done.rows_affected() == 1 {
            Ok(())
        } else {
            Err(StoreError::Missing { kind: R::KIND, id: record.id().to_owned() })
        }
    }

    /// The record with this id, if there is one in `scope`.
    pub async fn get<R: Record>(&mut self, scope: &Scope, id: &str) -> Result<Option<R>, StoreError> {
        let row = sqlx::query(
            "SELECT id, body FROM records
             WHERE kind = $1 AND id = $2 AND (CAST($3 AS TEXT) IS NULL OR customer = $3)",
        )
        .bind(R::KIND)
        .bind(id)
        .bind(scope.customer().map(str::to_owned))
        .fetch_optional(&mut *self.inner)
        .await?;
        row.as_ref().map(read).transpose()
    }

    /// The record with this unique key, if there is one in `scope`.
    pub async fn get_unique<R: Record>(&mut self, scope: &Scope, key: &str) -> Result<Option<R>, StoreError> {
        let row = sqlx::query(
            "SELECT id, body FROM records
             WHERE kind = $1 AND uniq = $2 AND (CAST($3 AS TEXT) IS NULL OR customer = $3)",
        )
        .bind(R::KIND)
        .bind(key)
        .bind(scope.customer().map(str::to_owned))
        .fetch_optional(&mut *self.inner)
        .await?;
        row.as_ref().map(read).transpose()
    }

    /// A page of records, newest first.
    pub async fn list<R: Record>(
        &mut self,
        scope: &Scope,
        filter: &Filter<'_>,
        page: &PageRequest,
    ) -> Result<Page<R>, StoreError> {
        let limit = page.limit();
        let rows = sqlx::query(
            "SELECT id, body FROM records
             WHERE kind = $1 AND (CAST($2 AS TEXT) IS NULL OR customer = $2)
               AND (CAST($3 AS TEXT) IS NULL OR parent = $3) AND (CAST($4 AS TEXT) IS NULL OR state = $4)
               AND (CAST($5 AS TEXT) IS NULL OR id < $5)
             ORDER BY id DESC LIMIT $6",
        )
        .bind(R::KIND)
        .bind(scope.customer().map(str::to_owned))
        .bind(filter.parent.map(str::to_owned))
        .bind(filter.state.map(str::to_owned))
        .bind(page.cursor.clone())
        .bind(i64::from(limit) + 1)
        .fetch_all(&mut *self.inner)
        .await?;
        let more = rows.len() > limit as usize;
        let mut last = None;
        let mut items = Vec::with_capacity(rows.len());
        for row in rows.iter().take(limit as usize) {
            last = Some(row.try_get::<String, _>("id")?);
            items.push(read(row)?);
        }
        Ok(Page { items, next: last.filter(|_| more) })
    }

    /// All records that match, oldest first, for what is bounded by nature (the events of one case).
    pub async fn all<R: Record>(&mut self, scope: &Scope, filter: &Filter<'_>) -> Result<Vec<R>, StoreError> {
        let rows = sqlx::query(
            "SELECT id, body FROM records
             WHERE kind = $1 AND (CAST($2 AS TEXT) IS NULL OR customer = $2)
               AND (CAST($3 AS TEXT) IS NULL OR parent = $3) AND (CAST($4 AS TEXT) IS NULL OR state = $4)
             ORDER BY id LIMIT $5",
        )
        .bind(R::KIND)
        .bind(scope.customer().map(str::to_owned))
        .bind(filter.parent.map(str::to_owned))
        .bind(filter.state.map(str::to_owned))
        .bind(MAX_ALL)
        .fetch_all(&mut *self.inner)
        .await?;
        rows.iter().map(read).collect()
    }

    /// How many records match.
    pub async fn count<R: Record>(&mut self, scope: &Scope, filter: &Filter<'_>) -> Result<u64, StoreError> {
        let row = sqlx::query(
            "SELECT COUNT(*) AS n FROM records
             WHERE kind = $1 AND (CAST($2 AS TEXT) IS NULL OR customer = $2)
               AND (CAST($3 AS TEXT) IS NULL OR parent = $3) AND (CAST($4 AS TEXT) IS NULL OR state = $4)",
        )
        .bind(R::KIND)
        .bind(scope.customer().map(str::to_owned))
        .bind(filter.parent.map(str::to_owned))
        .bind(filter.state.map(str::to_owned))
        .fetch_one(&mut *self.inner)
        .await?;
        Ok(u64::try_from(row.try_get::<i64, _>("n")?).unwrap_or(0))
    }

    /// The next number of a gapless counter, from 1.
    pub async fn next(&mut self, counter: &str) -> Result<i64, StoreError> {
        let row = sqlx::query(
            "INSERT INTO counters (name, value) VALUES ($1, 1)
             ON CONFLICT (name) DO UPDATE SET value = counters.value + 1 RETURNING value",
        )
        .bind(counter)
        .fetch_one(&mut *self.inner)
        .await?;
        Ok(row.try_get("value")?)
    }
}

fn body<R: Record>(record: &R) -> Result<String, StoreError> {
    serde_json::to_string(record).map_err(|source| StoreError::Unwritable { kind: R::KIND, source })
}

fn read<R: Record>(row: &AnyRow) -> Result<R, StoreError> {
    let body: String = row.try_get("body")?;
    serde_json::from_str(&body).map_err(|source| StoreError::Unreadable {
        kind: R::KIND,
        id: row.try_get("id").unwrap_or_default(),
        source,
    })
}
