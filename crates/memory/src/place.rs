//! Vectors: which chunks wait for one, and where they go.

use std::{
    collections::{BTreeMap, HashMap},
    sync::{Arc, RwLock},
};

use sqlx::{Row as _, SqliteConnection, sqlite::SqliteRow};

use crate::{ChunkId, Memory, MemoryError, held::Vectors, search, source::invalid, vector::Small};

/// The most numbers of a vector.
pub const MAX_DIMENSIONS: usize = 4096;
/// The most bytes of a model's name.
const MAX_MODEL_BYTES: usize = 200;

/// A chunk that waits for its vector.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Waiting {
    /// Which one.
    pub chunk: ChunkId,
    /// What its vector is to be made of: the source's title and the headings above it, twice, and its text, each on a
    /// line of its own. What a chunk is about often stands in its heading alone; said twice, it counts.
    pub text: String,
}

/// The model whose vectors are kept.
pub(crate) struct ModelRow {
    pub(crate) name: String,
    pub(crate) dimensions: usize,
}

/// The model whose vectors are kept, if any.
pub(crate) async fn model(connection: &mut SqliteConnection) -> Result<Option<ModelRow>, MemoryError> {
    let row = sqlx::query("SELECT name, dimensions FROM model").fetch_optional(connection).await?;
    let read = |row: sqlx::sqlite::SqliteRow| {
        let dimensions: i64 = row.try_get("dimensions")?;
        Ok(ModelRow { name: row.try_get("name")?, dimensions: usize::try_from(dimensions).unwrap_or(0) })
    };
    Ok(row.map(read).transpose().map_err(|error: sqlx::Error| error)?)
}

impl Memory {
    /// Up to `limit` chunks that have no vector of that model yet, the oldest first.
    pub async fn waiting(&self, model: &str, limit: usize) -> Result<Vec<Waiting>, MemoryError> {
        let mut connection = self.read().await?;
        let kept = self::model(&mut connection).await?;
        let same = kept.is_none_or(|kept| kept.name == model);
        // Vectors of another model count for nothing, so every chunk waits for this one.
        let sql = if same {
            "SELECT c.id, c.heading, c.text, s.title FROM waiting w JOIN chunks c ON c.nr = w.chunk
             JOIN sources s ON s.nr = c.source ORDER BY w.chunk LIMIT ?1"
        } else {
            "SELECT c.id, c.heading, c.text, s.title FROM chunks c JOIN sources s ON s.nr = c.source
             ORDER BY c.nr LIMIT ?1"
        };
        let rows = sqlx::query(sql)
            .bind(i64::try_from(limit).unwrap_or(i64::MAX))
            .fetch_all(&mut *connection)
            .await
            .map_err(|error| self.named(error))?;
        rows.iter().map(read_waiting).collect()
    }

    /// Keeps vectors that a model made of [`Waiting::text`]. The first vector of another model than before puts all
    /// earlier ones aside, so that no two models' are ever compared; chunks that are gone meanwhile are passed over.
    pub async fn place(&self, model: &str, vectors: Vec<(ChunkId, Vec<f32>)>) -> Result<(), MemoryError> {
        let Some((_, first)) = vectors.first() else { return Ok(()) };
        let dimensions = first.len();
        if model.is_empty() || model.len() > MAX_MODEL_BYTES || model.chars().any(char::is_control) {
            return Err(invalid("model", format!("give its name, 1 to {MAX_MODEL_BYTES} bytes on one line")));
        }
        let small = small_ones(vectors, dimensions)?;
        let _alone = self.alone().await;
        let mut tx = self.write().await?;
        let kept = self::model(&mut tx).await?;
        let same = kept.as_ref().is_some_and(|kept| kept.name == model);
        if let Some(kept) = kept.filter(|kept| same && kept.dimensions != dimensions) {
            return Err(invalid(
                "vector",
                format!("{model} makes {} numbers, not {dimensions}", kept.dimensions),
            ));
        }
        if !same {
            begin_model(&mut tx, model, dimensions).await?;
        }
        let mut placed: BTreeMap<i64, Vec<(i64, Small)>> = BTreeMap::new();
        for (id, vector) in small {
            let row = sqlx::query("SELECT nr, owner FROM chunks WHERE id = ?1")
                .bind(id.as_str())
                .fetch_optional(&mut *tx)
                .await?;
            let Some(row) = row else { continue };
            let (nr, owner): (i64, i64) = (row.try_get("nr")?, row.try_get("owner")?);
            put_vector(&mut tx, owner, nr, &vector.to_bytes()).await?;
            placed.entry(owner).or_default().push((nr, vector));
        }
        tx.commit().await.map_err(|error| self.named(error))?;
        if !same {
            self.0.held.drop_all();
        }
        for (owner, vectors) in placed {
            self.0
                .held
                .change(owner, |held| vectors.iter().for_each(|(nr, vector)| held.put(*nr, vector, true)));
        }
        Ok(())
    }

    /// The vectors of these chunks, as far as they have one and are one of these owners'.
    pub(crate) async fn vectors_of(
        &self,
        chunks: impl Iterator<Item = i64>,
        owners: impl Iterator<Item = i64>,
    ) -> Result<HashMap<i64, Small>, MemoryError> {
        let mut connection = self.read().await?;
        let rows = sqlx::query(
            "SELECT chunk, bytes FROM vectors WHERE owner IN (SELECT value FROM json_each(?1))
             AND chunk IN (SELECT value FROM json_each(?2))",
        )
        .bind(search::list(owners))
        .bind(search::list(chunks))
        .fetch_all(&mut *connection)
        .await
        .map_err(|error| self.named(error))?;
        let read = |row: &SqliteRow| {
            Ok(Small::from_bytes(row.try_get("bytes")?).map(|vector| (row.try_get("chunk"), vector)))
        };
        let read: Vec<_> = rows.iter().map(read).collect::<Result<_, sqlx::Error>>()?;
        Ok(read
            .into_iter()
            .flatten()
            .map(|(nr, vector)| Ok((nr?, vector)))
            .collect::<Result<_, sqlx::Error>>()?)
    }

    /// The owner's vectors, read into memory where they are not there yet.
    pub(crate) async fn vectors(&self, owner: i64) -> Result<Option<Arc<RwLock<Vectors>>>, MemoryError> {
        if let Some(held) = self.0.held.get(owner) {
            return Ok(Some(held));
        }
        let _alone = self.alone().await;
        if let Some(held) = self.0.held.get(owner) {
            return Ok(Some(held));
        }
        let mut connection = self.read().await?;
        let Some(model) = self::model(&mut connection).await? else { return Ok(None) };
        let rows = sqlx::query("SELECT chunk, bytes FROM vectors WHERE owner = ?1 ORDER BY chunk")
            .bind(owner)
            .fetch_all(&mut *connection)
            .await
            .map_err(|error| self.named(error))?;
        let mut vectors = Vectors::new(model.dimensions);
        for row in rows {
            let bytes: &[u8] = row.try_get("bytes")?;
            if let Some(vector) = Small::from_bytes(bytes) {
                vectors.put(row.try_get("chunk")?, &vector, false);
            }
        }
        Ok(Some(self.0.held.put(owner, vectors)))
    }
}

fn read_waiting(row: &sqlx::sqlite::SqliteRow) -> Result<Waiting, MemoryError> {
    let (id, title, heading, text): (String, String, String, String) =
        (row.try_get("id")?, row.try_get("title")?, row.try_get("heading")?, row.try_get("text")?);
    let chunk = id.parse().map_err(|error| sqlx::Error::Decode(Box::new(error)))?;
    let above = if heading == title { heading } else { format!("{title} > {heading}") };
    Ok(Waiting { chunk, text: format!("{above}\n{above}\n{text}") })
}

fn small_ones(
    vectors: Vec<(ChunkId, Vec<f32>)>,
    dimensions: usize,
) -> Result<Vec<(ChunkId, Small)>, MemoryError> {
    if dimensions == 0 || dimensions > MAX_DIMENSIONS {
        return Err(invalid("vector", format!("it has {dimensions} numbers: give 1 to {MAX_DIMENSIONS}")));
    }
    let small = |(id, vector): (ChunkId, Vec<f32>)| {
        let small = Small::of(&vector).filter(|small| small.numbers.len() == dimensions);
        small.map(|small| (id, small))
    };
    let refused = || invalid("vector", format!("each needs {dimensions} finite numbers that are not all 0"));
    vectors.into_iter().map(|vector| small(vector).ok_or_else(refused)).collect()
}

/// From now on vectors are that model's: every chunk waits for one.
pub(crate) async fn begin_model(
    connection: &mut SqliteConnection,
    name: &str,
    dimensions: usize,
) -> Result<(), MemoryError> {
    sqlx::query("DELETE FROM vectors").execute(&mut *connection).await?;
    sqlx::query("INSERT OR IGNORE INTO waiting SELECT nr FROM chunks").execute(&mut *connection).await?;
    sqlx::query("INSERT OR REPLACE INTO model (only, name, dimensions) VALUES (1, ?1, ?2)")
        .bind(name)
        .bind(i64::try_from(dimensions).unwrap_or(i64::MAX))
        .execute(connection)
        .await?;
    Ok(())
}

/// Writes a chunk's vector.
pub(crate) async fn put_vector(
    connection: &mut SqliteConnection,
    owner: i64,
    chunk: i64,
    bytes: &[u8],
) -> Result<(), MemoryError> {
    sqlx::query("INSERT OR REPLACE INTO vectors (owner, chunk, bytes) VALUES (?1, ?2, ?3)")
        .bind(owner)
        .bind(chunk)
        .bind(bytes)
        .execute(&mut *connection)
        .await?;
    sqlx::query("DELETE FROM waiting WHERE chunk = ?1").bind(chunk).execute(connection).await?;
    Ok(())
}
