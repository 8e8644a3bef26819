//! Finds the chunks that answer a question: by words and by vector at once, for one asker.

use std::collections::HashMap;

use echo_core::{CustomerId, Digest};
use sqlx::{Row as _, SqliteConnection, sqlite::SqliteRow};

use crate::{
    ChunkId, Memory, MemoryError, Owner, SourceKind,
    again::again,
    chunk,
    held::Best,
    owner::{self, OwnerRow},
    place,
    question::{COMMON, NEAR_COMMON, Question},
    rank::{self, Ranked},
    source::invalid,
    vector::{Asked, Small},
};

/// The most hits of one question.
pub const MAX_HITS: usize = 50;
/// How many candidates by words are ranked in full.
const CANDIDATES: usize = 96;
/// How many of each ranking are brought together.
const RANKED: usize = 64;
/// Of so many hits, one source has this many at most, or half of them where that is more.
const OF_ONE_SOURCE: usize = 4;
/// One section has one of so many hits: chunks of a section say much the same, and the answer may stand elsewhere.
const PER_SECTION: usize = 6;

/// A question.
#[derive(Debug, Clone, Copy)]
pub struct Query<'a> {
    /// Whose chunks may be read beside the shared ones; nobody's when there is none.
    pub customer: Option<&'a CustomerId>,
    /// What is asked, in words. The first 8 KiB and 24 telling words count.
    pub text: &'a str,
    /// The question as a vector of the model whose vectors were placed; without it words alone decide.
    pub vector: Option<&'a [f32]>,
    /// Only sources of these kinds; of all when it is empty.
    pub kinds: &'a [SourceKind],
    /// How many hits at most, up to [`MAX_HITS`].
    pub limit: usize,
}

/// A chunk that answers, with where it is from.
#[derive(Debug, Clone, PartialEq)]
pub struct Hit {
    /// Which chunk.
    pub chunk: ChunkId,
    /// The id of its source.
    pub source: String,
    /// The kind of its source.
    pub kind: SourceKind,
    /// Whose it is.
    pub owner: Owner,
    /// The title of its source.
    pub title: String,
    /// The headings above it, the outermost first, with ` > ` between them.
    pub heading: String,
    /// What it says.
    pub text: String,
    /// Of the text.
    pub digest: Digest,
    /// How well it answers by words and vector together, 1 at most; comparable within one answer only.
    pub score: f64,
    /// Its rank by words, from 1.
    pub words_rank: Option<u32>,
    /// Its rank by vector, from 1.
    pub vector_rank: Option<u32>,
    /// The cosine of the angle between its vector and the question's, when it was among the closest.
    pub similarity: Option<f32>,
    /// Which share of the question's rare words it holds, 0 to 1, each by how rare it is.
    pub coverage: f64,
}

impl Memory {
    /// The chunks that answer best, the best first. Only the shared chunks and the customer's own are looked up and
    /// compared; no other row has a part in it, not even in how rare a word is.
    pub async fn search(&self, query: &Query<'_>) -> Result<Vec<Hit>, MemoryError> {
        let limit = query.limit.min(MAX_HITS);
        let owners = {
            let mut connection = self.read().await?;
            owner::readable(&mut connection, query.customer).await?
        };
        if limit == 0 || owners.is_empty() {
            return Ok(Vec::new());
        }
        let ((question, by_words), by_vector) =
            tokio::try_join!(self.by_words(query, &owners), self.by_vector(query, &owners))?;
        let mut ranked = rank::fuse(&by_words, &by_vector);
        if let Some(asked) = query.vector.and_then(Small::of) {
            let chunks = ranked.iter().map(|ranked| ranked.nr);
            let vectors = self.vectors_of(chunks, owners.iter().map(|owner| owner.nr)).await?;
            again(&mut ranked, &asked, &vectors);
        }
        // Enough to choose from when a source has too many.
        let considered = &ranked[..ranked.len().min(8 * limit)];
        let rows = self.rows(considered.iter().map(|ranked| ranked.nr), &owners).await?;
        let mut chosen = Chosen::new(limit);
        let mut hits = Vec::new();
        for ranked in considered {
            let Some(row) = rows.get(&ranked.nr) else { continue };
            let hit = hit(row, ranked, &owners, &question)?;
            if chosen.takes(row.try_get("source_nr")?, &hit) {
                hits.push(hit);
            }
        }
        Ok(hits)
    }

    async fn by_words(
        &self,
        query: &Query<'_>,
        owners: &[OwnerRow],
    ) -> Result<(Question, Vec<(i64, f64)>), MemoryError> {
        let mut question = Question::new(query.text, owners);
        let mut connection = self.read().await?;
        let own = self.holding(&mut connection, &question.own(), COMMON).await?;
        let near = self.holding(&mut connection, &question.near(), NEAR_COMMON).await?;
        question.found(&own, COMMON);
        question.found(&near, NEAR_COMMON);
        let candidates = question.candidates(query.kinds, CANDIDATES);
        let rows = sqlx::query(
            "SELECT nr, words, terms FROM chunks
             WHERE nr IN (SELECT value FROM json_each(?1)) AND owner IN (SELECT value FROM json_each(?2))",
        )
        .bind(list(candidates))
        .bind(list(owners.iter().map(|owner| owner.nr)))
        .fetch_all(&mut *connection)
        .await
        .map_err(|error| self.named(error))?;
        let mut ranked = Vec::with_capacity(rows.len());
        for row in &rows {
            let (nr, words, terms): (i64, i64, &str) =
                (row.try_get("nr")?, row.try_get("words")?, row.try_get("terms")?);
            ranked.push((nr, question.score(terms, words)));
        }
        ranked.sort_by(|a, b| b.1.total_cmp(&a.1).then(b.0.cmp(&a.0)));
        ranked.truncate(RANKED);
        Ok((question, ranked))
    }

    /// Which chunks hold each of these spellings, at most so many of each. A spelling names its owner, so no row of
    /// another owner is met, let alone ranked.
    async fn holding(
        &self,
        connection: &mut SqliteConnection,
        spelled: &[&str],
        most: usize,
    ) -> Result<Vec<(String, Vec<i64>)>, MemoryError> {
        let found = sqlx::query(
            "SELECT term.key AS at, (SELECT group_concat(rowid) FROM
                (SELECT rowid FROM words WHERE words MATCH term.value LIMIT ?2)) AS chunks
             FROM json_each(?1) AS term",
        )
        .bind(list(spelled.iter().map(|term| format!("\"\\\"{term}\\\"\""))))
        .bind(i64::try_from(most).unwrap_or(i64::MAX))
        .fetch_all(connection)
        .await
        .map_err(|error| self.named(error))?;
        let mut holding = Vec::with_capacity(found.len());
        for row in &found {
            let (at, chunks): (i64, Option<&str>) = (row.try_get("at")?, row.try_get("chunks")?);
            let chunks = chunks.unwrap_or_default().split(',').filter_map(|nr| nr.parse().ok()).collect();
            let spelled = usize::try_from(at).ok().and_then(|at| spelled.get(at));
            holding.extend(spelled.map(|spelled| ((*spelled).to_owned(), chunks)));
        }
        Ok(holding)
    }

    async fn by_vector(
        &self,
        query: &Query<'_>,
        owners: &[OwnerRow],
    ) -> Result<Vec<(i64, f32)>, MemoryError> {
        let Some(vector) = query.vector else { return Ok(Vec::new()) };
        let vector = Small::of(vector)
            .ok_or_else(|| invalid("vector", "give finite numbers that are not all 0".to_owned()))?;
        let mut held = Vec::new();
        for owner in owners {
            held.extend(self.vectors(owner.nr).await?);
        }
        if let Some(model) = { place::model(&mut *self.read().await?).await? }
            && model.dimensions != vector.numbers.len()
        {
            let reason = format!(
                "it has {} numbers, and those that are kept {}",
                vector.numbers.len(),
                model.dimensions
            );
            return Err(invalid("vector", reason));
        }
        let kinds = query.kinds.to_vec();
        // Comparing takes milliseconds of the processor: not on a thread that others wait for.
        let compared = tokio::task::spawn_blocking(move || {
            let mut best = Best::new(RANKED);
            let asked = Asked::new(&vector);
            for vectors in held {
                vectors
                    .read()
                    .unwrap_or_else(std::sync::PoisonError::into_inner)
                    .nearest(&asked, &kinds, &mut best);
            }
            best.in_order()
        });
        let near = compared.await.map_err(|error| sqlx::Error::Io(std::io::Error::other(error)))?;
        Ok(near.into_iter().map(|near| (near.nr, near.similarity)).collect())
    }

    async fn rows(
        &self,
        chunks: impl Iterator<Item = i64>,
        owners: &[OwnerRow],
    ) -> Result<HashMap<i64, SqliteRow>, MemoryError> {
        let mut connection = self.read().await?;
        let rows = sqlx::query(
            "SELECT c.nr, c.owner, c.id, c.heading, c.text, c.terms, s.nr AS source_nr, s.id AS source, s.title
             FROM chunks c JOIN sources s ON s.nr = c.source
             WHERE c.nr IN (SELECT value FROM json_each(?1)) AND c.owner IN (SELECT value FROM json_each(?2))",
        )
        .bind(list(chunks))
        .bind(list(owners.iter().map(|owner| owner.nr)))
        .fetch_all(&mut *connection)
        .await
        .map_err(|error| self.named(error))?;
        Ok(rows.into_iter().map(|row| Ok((row.try_get("nr")?, row))).collect::<Result<_, sqlx::Error>>()?)
    }
}

/// What was chosen so far, so that one source or section does not crowd out all others.
struct Chosen {
    limit: usize,
    hits: usize,
    of_source: HashMap<i64, usize>,
    of_section: HashMap<(i64, String), usize>,
}

impl Chosen {
    fn new(limit: usize) -> Self {
        Self { limit, hits: 0, of_source: HashMap::new(), of_section: HashMap::new() }
    }

    /// Whether this hit is taken: there is room, and its source and its section have not had their share. What stands
    /// under the title alone is no section.
    fn takes(&mut self, source: i64, hit: &Hit) -> bool {
        let of_source = self.of_source.entry(source).or_default();
        let most = OF_ONE_SOURCE.max(self.limit.div_ceil(2));
        if self.hits == self.limit || *of_source == most {
            return false;
        }
        let of_section = self.of_section.entry((source, hit.heading.clone())).or_default();
        if hit.heading != hit.title && *of_section == self.limit.div_ceil(PER_SECTION) {
            return false;
        }
        *of_section += 1;
        *of_source += 1;
        self.hits += 1;
        true
    }
}

/// A JSON array of things that need no escaping.
pub(crate) fn list<T: ToString>(items: impl IntoIterator<Item = T>) -> String {
    format!("[{}]", items.into_iter().map(|item| item.to_string()).collect::<Vec<_>>().join(","))
}

fn hit(
    row: &SqliteRow,
    ranked: &Ranked,
    owners: &[OwnerRow],
    question: &Question,
) -> Result<Hit, MemoryError> {
    let decode = |what: &'static str| sqlx::Error::Decode(what.into());
    let owner: i64 = row.try_get("owner")?;
    let owner = owners.iter().find(|known| known.nr == owner).ok_or_else(|| decode("a chunk's owner"))?;
    let (id, text): (&str, String) = (row.try_get("id")?, row.try_get("text")?);
    Ok(Hit {
        chunk: id.parse().map_err(|_| decode("a chunk's id"))?,
        source: row.try_get("source")?,
        kind: chunk::kind(ranked.nr).ok_or_else(|| decode("a chunk's kind"))?,
        owner: owner.owner.clone(),
        title: row.try_get("title")?,
        heading: row.try_get("heading")?,
        digest: Digest::of(text.as_bytes()),
        text,
        score: ranked.score,
        words_rank: ranked.by_words,
        vector_rank: ranked.by_vector.map(|(rank, _)| rank),
        similarity: ranked.by_vector.map(|(_, similarity)| similarity),
        coverage: question.coverage(row.try_get("terms")?),
    })
}
