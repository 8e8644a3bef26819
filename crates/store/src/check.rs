//! Whether the database's file is whole.

use sqlx::{Executor as _, Row as _};

use crate::{Store, StoreError};

/// The most faults that one check lists.
const MAX_FAULTS: usize = 20;

impl Store {
    /// Reads every page and index of the database; what is wrong with it, in the engine's words
    /// (<https://www.sqlite.org/pragma.html#pragma_integrity_check>). Time grows with the database; writers are not kept.
    pub async fn faults(&self) -> Result<Vec<String>, StoreError> {
        let mut connection = self.pool.acquire().await?;
        let rows = connection.fetch_all("PRAGMA integrity_check(20)").await?;
        let said = rows.iter().take(MAX_FAULTS).map(|row| row.try_get::<String, _>(0));
        let said: Vec<String> = said.collect::<Result<_, _>>()?;
        Ok(if said == ["ok"] { Vec::new() } else { said })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_sound_database_has_no_faults() {
        let home = tempfile::tempdir().unwrap();
        let store = Store::open(&home.path().join("echo.db")).await.unwrap();
        assert_eq!(store.faults().await.unwrap(), Vec::<String>::new());
    }

    #[tokio::test]
    async fn a_page_that_was_overwritten_is_a_fault() {
        use std::os::unix::fs::FileExt as _;
        let home = tempfile::tempdir().unwrap();
        let path = home.path().join("echo.db");
        let store = Store::open(&path).await.unwrap();
        let mut tx = store.write().await.unwrap();
        tx.next("events").await.unwrap();
        tx.commit().await.unwrap();
        store.close().await;
        let file = std::fs::OpenOptions::new().read(true).write(true).open(&path).unwrap();
        let pages = file.metadata().unwrap().len() / 4096;
        // Every page behind the first two, which the opening itself reads.
        for page in 3..pages {
            file.write_all_at(&[0xA5; 64], page * 4096).unwrap();
        }
        let sound = match Store::open(&path).await {
            Ok(store) => store.faults().await.is_ok_and(|faults| faults.is_empty()),
            Err(_) => false,
        };
        assert!(!sound);
    }
}
