//! Whose a chunk is, and how the words of each owner are spelled in the index.

use echo_core::{CustomerId, Entropy as _, Id as _, OsEntropy};
use sha2::{Digest as _, Sha256};
use sqlx::{Row as _, SqliteConnection, sqlite::SqliteRow};

use crate::MemoryError;

/// Whose a source is.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Owner {
    /// The operator's: every question may read it.
    Shared,
    /// One customer's: no question of another customer reads it.
    Customer(CustomerId),
}

/// How the shared owner is named in the database and in exports; no customer's id looks like this.
const SHARED: &str = "shared";

impl Owner {
    /// As it stands in the database and in exports.
    pub(crate) fn name(&self) -> &str {
        match self {
            Self::Shared => SHARED,
            Self::Customer(customer) => customer.as_str(),
        }
    }

    /// The owner of that name.
    pub(crate) fn named(name: &str) -> Option<Self> {
        if name == SHARED { Some(Self::Shared) } else { name.parse().ok().map(Self::Customer) }
    }
}

impl std::fmt::Display for Owner {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Shared => f.write_str("the shared memory"),
            Self::Customer(customer) => write!(f, "the memory of {customer}"),
        }
    }
}

/// An owner as the database knows it.
#[derive(Debug, Clone)]
pub(crate) struct OwnerRow {
    /// The owner's number, never given to another one.
    pub(crate) nr: i64,
    /// Who it is.
    pub(crate) owner: Owner,
    /// What the owner's words are spelled with; it goes when the owner is forgotten.
    key: Vec<u8>,
    /// How many chunks the owner has.
    pub(crate) chunks: i64,
    /// How many words all of them have together.
    pub(crate) words: i64,
}

impl OwnerRow {
    /// A word as it stands in the index: the owner's number and 40 bits of a keyed digest. No two owners' words are
    /// spelled the same, and without the key nobody reads a word from its spelling.
    pub(crate) fn spell(&self, word: &str) -> String {
        const LETTERS: &[u8; 32] = b"abcdefghijklmnopqrstuvwxyz234567";
        let digest = Sha256::new().chain_update(&self.key).chain_update(word).finalize();
        let bits = digest[..5].iter().fold(0_u64, |bits, byte| bits << 8 | u64::from(*byte));
        let mut spelled = self.nr.to_string();
        // The digest's part has eight letters always, so the number before it is read in one way only.
        spelled.extend((0..8).map(|at| char::from(LETTERS[(bits >> (35 - 5 * at) & 31) as usize])));
        spelled
    }

    fn read(row: &SqliteRow) -> Result<Self, sqlx::Error> {
        let name: String = row.try_get("name")?;
        let owner = Owner::named(&name).ok_or_else(|| sqlx::Error::Decode("an owner's name".into()))?;
        Ok(Self {
            nr: row.try_get("nr")?,
            owner,
            key: row.try_get("key")?,
            chunks: row.try_get("chunks")?,
            words: row.try_get("words")?,
        })
    }
}

/// The owner's row, if it has ever remembered anything.
pub(crate) async fn find(
    connection: &mut SqliteConnection,
    owner: &Owner,
) -> Result<Option<OwnerRow>, MemoryError> {
    let row = sqlx::query("SELECT nr, name, key, chunks, words FROM owners WHERE name = ?1")
        .bind(owner.name())
        .fetch_optional(connection)
        .await?;
    Ok(row.as_ref().map(OwnerRow::read).transpose()?)
}

/// The owner's row, made where there is none.
pub(crate) async fn find_or_make(
    connection: &mut SqliteConnection,
    owner: &Owner,
) -> Result<OwnerRow, MemoryError> {
    if let Some(row) = find(connection, owner).await? {
        return Ok(row);
    }
    let row =
        sqlx::query("INSERT INTO owners (name, key) VALUES (?1, ?2) RETURNING nr, name, key, chunks, words")
            .bind(owner.name())
            .bind(OsEntropy.bytes::<16>().to_vec())
            .fetch_one(connection)
            .await?;
    Ok(OwnerRow::read(&row)?)
}

/// The rows whose words a question of that customer may meet: the shared one and the customer's own.
pub(crate) async fn readable(
    connection: &mut SqliteConnection,
    customer: Option<&CustomerId>,
) -> Result<Vec<OwnerRow>, MemoryError> {
    let rows = sqlx::query("SELECT nr, name, key, chunks, words FROM owners WHERE name IN (?1, ?2)")
        .bind(SHARED)
        .bind(customer.map_or(SHARED, |customer| customer.as_str()))
        .fetch_all(connection)
        .await?;
    Ok(rows.iter().map(OwnerRow::read).collect::<Result<_, _>>()?)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(nr: i64, key: &[u8]) -> OwnerRow {
        OwnerRow { nr, owner: Owner::Shared, key: key.to_vec(), chunks: 0, words: 0 }
    }

    #[test]
    fn a_word_is_spelled_the_same_by_one_owner_and_never_by_another() {
        let (a, b) = (row(1, b"one"), row(2, b"two"));
        assert_eq!(a.spell("printer"), a.spell("printer"));
        assert_ne!(a.spell("printer"), a.spell("printers"));
        assert_ne!(a.spell("printer"), b.spell("printer"));
        assert_ne!(a.spell("printer"), row(1, b"two").spell("printer"));
        // The number alone keeps two owners apart, whatever their keys.
        assert_ne!(row(1, b"one").spell("printer"), row(11, b"one").spell("printer"));
        assert!(a.spell("drucker ü 漢字").bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit()));
    }

    #[test]
    fn names_read_back() {
        let customer: CustomerId = "cus_0197c3f0a1b27c3d8e4f5a6b7c8d9e0f".parse().unwrap();
        for owner in [Owner::Shared, Owner::Customer(customer)] {
            assert_eq!(Owner::named(owner.name()), Some(owner.clone()));
        }
        assert_eq!(Owner::named("somebody"), None);
    }
}
