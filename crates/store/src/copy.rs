//! A copy of the database while it is in use.

use std::{fs, os::unix::fs::OpenOptionsExt as _, path::Path};

use crate::{Store, StoreError};

impl Store {
    /// Writes a copy of one moment into a new file that only its owner can read. Writers are not kept
    /// (<https://www.sqlite.org/lang_vacuum.html#vacuuminto>); what was deleted is not in it.
    pub async fn copy_into(&self, file: &Path) -> Result<(), StoreError> {
        let refused = |error: std::io::Error| {
            let said = std::io::Error::new(error.kind(), format!("cannot make {}: {error}", file.display()));
            StoreError::Engine(sqlx::Error::Io(said))
        };
        // SQLite takes an empty file as it is, and would make one that everybody can read.
        fs::OpenOptions::new().write(true).create_new(true).mode(0o600).open(file).map_err(refused)?;
        let name = file.to_str().ok_or_else(|| refused(std::io::Error::other("its name is not UTF-8")))?;
        let mut connection = self.pool.acquire().await?;
        sqlx::query("VACUUM INTO $1").bind(name.to_owned()).execute(&mut *connection).await?;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt as _;

    use super::*;

    #[tokio::test]
    async fn a_copy_holds_what_was_committed_and_nothing_else() {
        let home = tempfile::tempdir().unwrap();
        let store = Store::open(&home.path().join("echo.db")).await.unwrap();
        let mut tx = store.write().await.unwrap();
        assert_eq!(tx.next("x").await.unwrap(), 1);
        tx.commit().await.unwrap();
        let mut open = store.write().await.unwrap();
        open.next("x").await.unwrap();
        let copy = home.path().join("copy.db");
        store.copy_into(&copy).await.unwrap();
        assert_eq!(fs::metadata(&copy).unwrap().permissions().mode() & 0o777, 0o600);
        drop(open);
        assert!(store.copy_into(&copy).await.is_err(), "nothing is overwritten");
        let copied = Store::open(&copy).await.unwrap();
        assert!(copied.faults().await.unwrap().is_empty());
        assert_eq!(copied.write().await.unwrap().next("x").await.unwrap(), 2);
    }
}
