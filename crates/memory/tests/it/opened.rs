//! What is opened, and what is left alone.

use std::{fs, os::unix::fs::PermissionsExt as _};

use memory::{Memory, MemoryError, Owner};

use crate::{ask, open, source};

#[tokio::test]
async fn what_was_remembered_is_there_after_a_restart_and_only_its_owner_can_read_it() {
    let (home, memory) = open().await;
    memory.remember(&source(Owner::Shared, "a", "the kettle is descaled")).await.unwrap();
    let folder = home.path().join("memory");
    let mode = |path: &std::path::Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
    assert_eq!(mode(&folder), 0o700);
    for entry in fs::read_dir(&folder).unwrap() {
        let path = entry.unwrap().path();
        assert_eq!(mode(&path), 0o600, "{}", path.display());
    }
    memory.close().await;
    let memory = Memory::open(&folder).await.unwrap();
    assert_eq!(ask(&memory, None, "kettle", None).await.len(), 1);
}

#[tokio::test]
async fn a_file_that_is_no_database_is_left_as_it_is() {
    let home = tempfile::tempdir().unwrap();
    let file = home.path().join("memory.db");
    for bytes in [&b"not a database at all"[..], &[7; 5000]] {
        fs::write(&file, bytes).unwrap();
        let error = Memory::open(home.path()).await.unwrap_err();
        assert!(matches!(error, MemoryError::Corrupt { .. }), "{error}");
        assert!(error.to_string().contains("memory.db"), "{error}");
        assert_eq!(fs::read(&file).unwrap(), bytes);
    }
}

#[tokio::test]
async fn a_database_of_something_else_and_a_newer_one_are_left_as_they_are() {
    use sqlx::Connection as _;
    let home = tempfile::tempdir().unwrap();
    let file = home.path().join("memory.db");
    let options = sqlx::sqlite::SqliteConnectOptions::new().filename(&file).create_if_missing(true);
    let mut connection = sqlx::SqliteConnection::connect_with(&options).await.unwrap();
    sqlx::raw_sql("CREATE TABLE recipes (name TEXT)").execute(&mut connection).await.unwrap();
    connection.close().await.unwrap();
    let before = fs::read(&file).unwrap();
    assert!(matches!(Memory::open(home.path()).await, Err(MemoryError::Foreign { .. })));
    assert_eq!(fs::read(&file).unwrap(), before);

    let home = tempfile::tempdir().unwrap();
    let memory = Memory::open(home.path()).await.unwrap();
    memory.remember(&source(Owner::Shared, "a", "words")).await.unwrap();
    memory.close().await;
    let file = home.path().join("memory.db");
    let mut bytes = fs::read(&file).unwrap();
    bytes[60..64].copy_from_slice(&99_u32.to_be_bytes());
    fs::write(&file, &bytes).unwrap();
    let error = Memory::open(home.path()).await.unwrap_err();
    assert!(matches!(error, MemoryError::Newer { version: 99, .. }), "{error}");
    assert_eq!(fs::read(&file).unwrap(), bytes);
}

#[tokio::test]
async fn a_damaged_database_says_so_and_panics_nowhere() {
    let home = tempfile::tempdir().unwrap();
    let memory = Memory::open(home.path()).await.unwrap();
    let long: String = (0..200).map(|at| format!("## Part {at}\nkettle {at}\n")).collect();
    memory.remember(&source(Owner::Shared, "a", &long)).await.unwrap();
    memory.close().await;
    let file = home.path().join("memory.db");
    let whole = fs::read(&file).unwrap();
    let damaged = |error: &MemoryError| {
        assert!(matches!(error, MemoryError::Corrupt { .. } | MemoryError::Engine(_)), "{error}");
    };
    fs::write(&file, &whole[..whole.len() / 2]).unwrap();
    match Memory::open(home.path()).await {
        Err(error) => damaged(&error),
        Ok(memory) => damaged(&memory.remember(&source(Owner::Shared, "b", &long)).await.unwrap_err()),
    }
    let mut torn = whole.clone();
    torn[4096..].iter_mut().for_each(|byte| *byte ^= 0x5a);
    fs::write(&file, &torn).unwrap();
    match Memory::open(home.path()).await {
        Err(error) => damaged(&error),
        Ok(memory) => damaged(&memory.remember(&source(Owner::Shared, "b", &long)).await.unwrap_err()),
    }
}
