//! Takes a source in: what did not change keeps its place and its vector.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};

use echo_core::{Digest, Timestamp};
use sqlx::{Row as _, SqliteConnection};

use crate::{
    ChunkId, Memory, MemoryError, Piece, Source, chunk, chunks,
    owner::{self, OwnerRow},
    words,
};

/// The most chunks of one owner: their vectors have to fit into memory.
pub const MAX_CHUNKS: u64 = 400_000;

/// What remembering a source did.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Remembered {
    /// How many chunks the source has.
    pub chunks: usize,
    /// How many of them were not there before, and wait for a vector.
    pub new: usize,
    /// How many are there no more.
    pub removed: usize,
}

/// A source as it stands in the database.
pub(crate) struct SourceRow {
    pub(crate) nr: i64,
    pub(crate) owner: OwnerRow,
}

impl Memory {
    /// Remembers a source, in place of what was remembered under its id for its owner. Chunks that did not change keep
    /// their vectors; a text of which nothing is new costs next to nothing.
    pub async fn remember(&self, source: &Source) -> Result<Remembered, MemoryError> {
        source.check()?;
        let mut seen = HashSet::new();
        let pieces: Vec<(ChunkId, Piece)> = chunks(&source.title, &source.text)?
            .into_iter()
            .map(|piece| (ChunkId::of(source, &piece), piece))
            .filter(|(id, _)| seen.insert(id.clone()))
            .collect();
        let _alone = self.alone().await;
        let mut tx = self.write().await?;
        let row = put_source(&mut tx, source, Digest::of(source.text.as_bytes())).await?;
        let mut old = chunks_of(&mut tx, row.nr).await?;
        let new: Vec<_> = pieces.iter().filter(|(id, _)| old.remove(id.as_str()).is_none()).collect();
        let gone: Vec<i64> = old.into_values().collect();
        let after = row.owner.chunks.unsigned_abs() + new.len() as u64 - gone.len() as u64;
        if after > MAX_CHUNKS && !new.is_empty() {
            return Err(MemoryError::Full { owner: source.owner.to_string(), limit: MAX_CHUNKS });
        }
        remove(&mut tx, &gone).await?;
        let mut counter = next_counter(&mut tx).await?;
        for (id, piece) in &new {
            let nr = chunk::number(counter, source.kind);
            insert(&mut tx, &row, nr, id, &source.title, piece).await?;
            counter += 1;
        }
        tx.commit().await.map_err(|error| self.named(error))?;
        self.0.held.change(row.owner.nr, |vectors| gone.iter().for_each(|nr| vectors.remove(*nr)));
        Ok(Remembered { chunks: pieces.len(), new: new.len(), removed: gone.len() })
    }
}

/// Writes the source's row, with its owner's.
pub(crate) async fn put_source(
    connection: &mut SqliteConnection,
    source: &Source,
    digest: Digest,
) -> Result<SourceRow, MemoryError> {
    let owner = owner::find_or_make(connection, &source.owner).await?;
    let nr = sqlx::query_scalar(
        "INSERT INTO sources (owner, id, kind, title, digest, at_ms, expires_ms) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)
         ON CONFLICT (owner, id) DO UPDATE SET kind = excluded.kind, title = excluded.title, digest = excluded.digest,
             at_ms = excluded.at_ms, expires_ms = excluded.expires_ms
         RETURNING nr",
    )
    .bind(owner.nr)
    .bind(&source.id)
    .bind(source.kind.code())
    .bind(&source.title)
    .bind(digest.to_string())
    .bind(source.at.as_millisecond())
    .bind(source.expires.map(Timestamp::as_millisecond))
    .fetch_one(connection)
    .await?;
    Ok(SourceRow { nr, owner })
}

/// The chunks of a source: id and number.
pub(crate) async fn chunks_of(
    connection: &mut SqliteConnection,
    source: i64,
) -> Result<HashMap<String, i64>, MemoryError> {
    let rows =
        sqlx::query("SELECT id, nr FROM chunks WHERE source = ?1").bind(source).fetch_all(connection).await?;
    Ok(rows
        .iter()
        .map(|row| Ok((row.try_get("id")?, row.try_get("nr")?)))
        .collect::<Result<_, sqlx::Error>>()?)
}

/// Removes chunks; the counts, the index, their vectors and what waits for one follow by trigger.
pub(crate) async fn remove(connection: &mut SqliteConnection, chunks: &[i64]) -> Result<(), MemoryError> {
    for nr in chunks {
        sqlx::query("DELETE FROM chunks WHERE nr = ?1").bind(nr).execute(&mut *connection).await?;
    }
    Ok(())
}

/// The counter of the next new chunk (see [`chunk::number`]).
pub(crate) async fn next_counter(connection: &mut SqliteConnection) -> Result<i64, MemoryError> {
    let last: Option<i64> = sqlx::query_scalar("SELECT MAX(nr) FROM chunks").fetch_one(connection).await?;
    Ok(last.map_or(0, |last| chunk::counter(last) + 1))
}

/// Writes a new chunk; it is counted, put into the index and waits for a vector by trigger.
pub(crate) async fn insert(
    connection: &mut SqliteConnection,
    source: &SourceRow,
    nr: i64,
    id: &ChunkId,
    title: &str,
    piece: &Piece,
) -> Result<(), MemoryError> {
    let (terms, words) = terms(&source.owner, title, piece);
    sqlx::query(
        "INSERT INTO chunks (nr, owner, source, id, heading, text, words, terms) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)",
    )
    .bind(nr)
    .bind(source.owner.nr)
    .bind(source.nr)
    .bind(id.as_str())
    .bind(&piece.heading)
    .bind(&piece.text)
    .bind(words)
    .bind(terms)
    .execute(connection)
    .await?;
    Ok(())
}

/// How often a word counts that stands in a heading above, and one that stands in the title, beside once for each time in
/// the text.
const HEADING_COUNTS: usize = 2;
const TITLE_COUNTS: usize = 1;
/// A word that stands more often than this in a chunk counts this often.
const MOST_OFTEN: usize = 4;

fn once(text: &str) -> BTreeSet<String> {
    words::words(text).into_iter().collect()
}

/// A chunk's words as its owner spells them, each as often as it counts; and how many words they are.
fn terms(owner: &OwnerRow, title: &str, piece: &Piece) -> (String, i64) {
    let body = words::words(&piece.text);
    let words = body.len();
    let (headings, title) = (once(&piece.heading), once(title));
    // In order, so that the same chunk has the same terms everywhere.
    let mut counts: BTreeMap<&str, usize> = BTreeMap::new();
    for word in title.difference(&headings) {
        counts.insert(word, TITLE_COUNTS);
    }
    for word in &headings {
        counts.insert(word, HEADING_COUNTS);
    }
    for word in &body {
        *counts.entry(word).or_default() += 1;
    }
    let mut terms = String::new();
    for (word, count) in counts {
        let spelled = owner.spell(word);
        for _ in 0..count.min(MOST_OFTEN) {
            terms.push_str(&spelled);
            terms.push(' ');
        }
    }
    (terms, i64::try_from(words).unwrap_or(i64::MAX))
}
