//! Forgets: a source, a customer, what has expired.

use echo_core::{CustomerId, Timestamp};
use sqlx::{Row as _, SqliteConnection};

use crate::{Memory, MemoryError, Owner, owner, remember};

impl Memory {
    /// Forgets the sources of that id, whosever they are, with their chunks and vectors.
    pub async fn forget_source(&self, id: &str) -> Result<(), MemoryError> {
        let _alone = self.alone().await;
        let mut tx = self.write().await?;
        let sources =
            sqlx::query("SELECT nr, owner FROM sources WHERE id = ?1").bind(id).fetch_all(&mut *tx).await?;
        let gone = forget(&mut tx, &sources).await?;
        tx.commit().await.map_err(|error| self.named(error))?;
        self.let_go(&gone);
        Ok(())
    }

    /// Forgets all that is a customer's, and says how many chunks that was. Afterwards no byte of it is in the memory's
    /// files: the index is written anew, and so is the database, which takes some seconds where much is kept.
    pub async fn forget_customer(&self, customer: &CustomerId) -> Result<u64, MemoryError> {
        let _alone = self.alone().await;
        let mut tx = self.write().await?;
        let row = owner::find(&mut tx, &Owner::Customer(customer.clone())).await?;
        let mut chunks = 0;
        if let Some(row) = &row {
            chunks = sqlx::query("DELETE FROM chunks WHERE owner = ?1")
                .bind(row.nr)
                .execute(&mut *tx)
                .await?
                .rows_affected();
            for statement in [
                "DELETE FROM vectors WHERE owner = ?1",
                "DELETE FROM sources WHERE owner = ?1",
                "DELETE FROM owners WHERE nr = ?1",
            ] {
                sqlx::query(statement).bind(row.nr).execute(&mut *tx).await?;
            }
        }
        tx.commit().await.map_err(|error| self.named(error))?;
        if let Some(row) = row {
            self.0.held.drop_owner(row.nr);
        }
        // Also when there was nothing: an earlier try may have been cut off before the files were clean.
        self.scrub().await?;
        Ok(chunks)
    }

    /// Forgets the sources whose time is over, and says how many chunks that was. Nothing of them stays in the files.
    pub async fn expire(&self, now: Timestamp) -> Result<u64, MemoryError> {
        let _alone = self.alone().await;
        let mut tx = self.write().await?;
        let sources = sqlx::query("SELECT nr, owner FROM sources WHERE expires_ms <= ?1")
            .bind(now.as_millisecond())
            .fetch_all(&mut *tx)
            .await?;
        let gone = forget(&mut tx, &sources).await?;
        tx.commit().await.map_err(|error| self.named(error))?;
        self.let_go(&gone);
        if !sources.is_empty() {
            self.scrub().await?;
        }
        Ok(gone.len() as u64)
    }

    fn let_go(&self, gone: &[(i64, i64)]) {
        for (owner, chunk) in gone {
            self.0.held.change(*owner, |vectors| vectors.remove(*chunk));
        }
    }

    /// Gives free pages back to the disk, and merges the index of words.
    pub async fn compact(&self) -> Result<(), MemoryError> {
        let _alone = self.alone().await;
        self.scrub().await
    }

    /// Reads every page and index of the database; what is wrong with it, in the engine's words, at most twenty lines
    /// (<https://www.sqlite.org/pragma.html#pragma_integrity_check>).
    pub async fn faults(&self) -> Result<Vec<String>, MemoryError> {
        let mut connection = self.read().await?;
        let rows = sqlx::query("PRAGMA integrity_check(20)")
            .fetch_all(&mut *connection)
            .await
            .map_err(|error| self.named(error))?;
        let said: Vec<String> = rows.iter().map(|row| row.try_get(0)).collect::<Result<_, _>>()?;
        Ok(if said == ["ok"] { Vec::new() } else { said })
    }

    /// Writes index and database anew, and empties the write-ahead log. `secure_delete` overwrites what was deleted, but
    /// a page that SQLite balanced before may hold a second copy; and the index only marks what was deleted until its
    /// parts are merged.
    async fn scrub(&self) -> Result<(), MemoryError> {
        let mut connection = self.read().await?;
        for statement in ["INSERT INTO words (words) VALUES ('optimize')", "VACUUM"] {
            sqlx::query(statement).execute(&mut *connection).await.map_err(|error| self.named(error))?;
        }
        let row = sqlx::query("PRAGMA wal_checkpoint(TRUNCATE)")
            .fetch_one(&mut *connection)
            .await
            .map_err(|error| self.named(error))?;
        // Somebody else read for longer than the engine waits.
        if row.try_get::<i64, _>(0)? != 0 {
            return Err(MemoryError::Busy);
        }
        Ok(())
    }
}

/// Removes sources with their chunks; answers owner and number of each chunk.
async fn forget(
    connection: &mut SqliteConnection,
    sources: &[sqlx::sqlite::SqliteRow],
) -> Result<Vec<(i64, i64)>, MemoryError> {
    let mut gone = Vec::new();
    for source in sources {
        let (nr, owner): (i64, i64) = (source.try_get("nr")?, source.try_get("owner")?);
        let chunks: Vec<i64> = remember::chunks_of(connection, nr).await?.into_values().collect();
        remember::remove(connection, &chunks).await?;
        sqlx::query("DELETE FROM sources WHERE nr = ?1").bind(nr).execute(&mut *connection).await?;
        gone.extend(chunks.into_iter().map(|chunk| (owner, chunk)));
    }
    Ok(gone)
}
