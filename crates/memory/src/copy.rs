//! A copy of the memory while it is in use.

use std::{fs, os::unix::fs::OpenOptionsExt as _, path::Path};

use durable::DurableError;

use crate::{Memory, MemoryError};

impl Memory {
    /// Writes a copy of one moment into a new file that only its owner can read
    /// (<https://www.sqlite.org/lang_vacuum.html#vacuuminto>).
    pub async fn copy_into(&self, file: &Path) -> Result<(), MemoryError> {
        let refused = |source| DurableError::Io { action: "make", path: file.to_owned(), source };
        // SQLite takes an empty file as it is, and would make one that everybody can read.
        fs::OpenOptions::new().write(true).create_new(true).mode(0o600).open(file).map_err(refused)?;
        let name = file.to_str().ok_or_else(|| refused(std::io::Error::other("its name is not UTF-8")))?;
        let mut connection = self.read().await?;
        sqlx::query("VACUUM INTO ?1")
            .bind(name)
            .execute(&mut *connection)
            .await
            .map_err(|error| self.named(error))?;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_copy_is_a_memory_of_its_own() {
        let (home, other) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        let memory = Memory::open(home.path()).await.unwrap();
        let copy = other.path().join("memory.db");
        memory.copy_into(&copy).await.unwrap();
        assert!(memory.copy_into(&copy).await.is_err(), "nothing is overwritten");
        let copied = Memory::open(other.path()).await.unwrap();
        assert!(copied.faults().await.unwrap().is_empty());
    }
}
