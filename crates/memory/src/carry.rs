//! Carries what is remembered from one machine to another: JSON Lines, each line with its digest, the last with the
//! digest of all.

use std::{
    fs::{self, File, Permissions},
    io::{BufRead as _, BufReader, BufWriter, Read as _, Write as _},
    os::unix::fs::PermissionsExt as _,
    path::Path,
};

use base64::{Engine as _, engine::general_purpose::STANDARD as BASE64};
use durable::DurableError;
use echo_core::{Digest, Timestamp, clock};
use serde::{Deserialize, Serialize};
use sqlx::{Row as _, SqliteConnection, sqlite::SqliteRow};

use crate::{
    ChunkId, MAX_CHUNKS, Memory, MemoryError, Owner, Piece, Source, SourceKind, chunk, place,
    remember::{self, SourceRow},
    source,
    vector::Small,
};

/// The format of an export.
const VERSION: u32 = 1;
/// The most bytes of a line.
const MAX_LINE: u64 = 128 * 1024;
/// The most bytes of a chunk's text, and of the headings above it, in an import.
const MAX_CHUNK_BYTES: usize = 8 * 1024;

/// What was carried.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Carried {
    /// How many sources.
    pub sources: u64,
    /// How many chunks.
    pub chunks: u64,
    /// Of all lines but the last, which holds it.
    pub digest: Digest,
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Line {
    /// Of the body's compact JSON.
    digest: Digest,
    body: Body,
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "snake_case")]
enum Body {
    /// The first line.
    Memory { version: u32, model: Option<Model> },
    /// A source; its chunks follow.
    Source(SourceLine),
    /// A chunk of the source before.
    Chunk { heading: String, text: String, vector: Option<String> },
    /// The last line.
    End { sources: u64, chunks: u64, all: Digest },
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Model {
    name: String,
    dimensions: usize,
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct SourceLine {
    owner: String,
    id: String,
    kind: SourceKind,
    title: String,
    text: Digest,
    at: Timestamp,
    expires: Option<Timestamp>,
}

impl Memory {
    /// Writes what is remembered to a file (0600): all of it, or one owner's. The file is there as a whole or not at all.
    pub async fn export(&self, to: &Path, whose: Option<&Owner>) -> Result<Carried, MemoryError> {
        let folder = to.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
        let failed =
            |source| MemoryError::from(DurableError::Io { action: "write", path: to.to_owned(), source });
        let file = tempfile::Builder::new()
            .prefix(".echo-")
            .permissions(Permissions::from_mode(0o600))
            .tempfile_in(folder)
            .map_err(failed)?;
        let mut out = Out { to: BufWriter::new(file), all: Vec::new() };
        let mut connection = self.read().await?;
        // One picture of it all, whatever is remembered meanwhile.
        let mut tx = sqlx::Connection::begin(&mut *connection).await.map_err(|error| self.named(error))?;
        let (sources, chunks) = export_all(&mut tx, whose, &mut out).await.map_err(|error| match error {
            Failed::Engine(error) => self.named(error),
            Failed::Memory(error) => error,
            Failed::File(error) => failed(error),
        })?;
        let digest = Digest::of(&out.all);
        out.line(Body::End { sources, chunks, all: digest }).map_err(failed)?;
        let file = out.to.into_inner().map_err(|error| failed(error.into_error()))?;
        file.as_file().sync_all().map_err(failed)?;
        file.persist(to).map_err(|error| failed(error.error))?;
        durable::sync_folder(folder)?;
        Ok(Carried { sources, chunks, digest })
    }

    /// Remembers what another memory exported, each source in place of what is here under its id. Nothing of it stays
    /// unless every line holds. Vectors are taken over when they are of the model whose vectors are kept here.
    pub async fn import(&self, from: &Path) -> Result<Carried, MemoryError> {
        let failed =
            |source| MemoryError::from(DurableError::Io { action: "read", path: from.to_owned(), source });
        let file = fs::File::open(from).map_err(failed)?;
        let _alone = self.alone().await;
        let mut tx = self.write().await?;
        let mut import = Import { from: BufReader::new(file), path: from, line: 0, all: Vec::new() };
        let carried = import.all(&mut tx).await?;
        tx.commit().await.map_err(|error| self.named(error))?;
        self.0.held.drop_all();
        Ok(carried)
    }
}

struct Out {
    to: BufWriter<tempfile::NamedTempFile>,
    /// The digests of all lines so far, one after the other.
    all: Vec<u8>,
}

impl Out {
    fn line(&mut self, body: Body) -> std::io::Result<()> {
        let digest = Digest::of(&serde_json::to_vec(&body)?);
        self.all.extend_from_slice(digest.hex().as_bytes());
        serde_json::to_writer(&mut self.to, &Line { digest, body })?;
        self.to.write_all(b"\n")
    }
}

enum Failed {
    Engine(sqlx::Error),
    Memory(MemoryError),
    File(std::io::Error),
}

impl From<sqlx::Error> for Failed {
    fn from(error: sqlx::Error) -> Self {
        Self::Engine(error)
    }
}

impl From<MemoryError> for Failed {
    fn from(error: MemoryError) -> Self {
        Self::Memory(error)
    }
}

impl From<std::io::Error> for Failed {
    fn from(error: std::io::Error) -> Self {
        Self::File(error)
    }
}

async fn export_all(
    connection: &mut SqliteConnection,
    whose: Option<&Owner>,
    out: &mut Out,
) -> Result<(u64, u64), Failed> {
    let model = place::model(connection).await?;
    let model = model.map(|model| Model { name: model.name, dimensions: model.dimensions });
    out.line(Body::Memory { version: VERSION, model })?;
    let sources = sqlx::query(
        "SELECT s.nr, s.id, s.kind, s.title, s.digest, s.at_ms, s.expires_ms, o.name FROM sources s
         JOIN owners o ON o.nr = s.owner WHERE ?1 IS NULL OR o.name = ?1 ORDER BY o.name, s.id",
    )
    .bind(whose.map(Owner::name))
    .fetch_all(&mut *connection)
    .await?;
    let mut count = 0;
    for source in &sources {
        out.line(Body::Source(source_line(source)?))?;
        let chunks = sqlx::query(
            "SELECT c.heading, c.text, v.bytes FROM chunks c LEFT JOIN vectors v ON v.owner = c.owner AND v.chunk = c.nr
             WHERE c.source = ?1 ORDER BY c.nr",
        )
        .bind(source.try_get::<i64, _>("nr")?)
        .fetch_all(&mut *connection)
        .await?;
        for chunk in chunks {
            let vector: Option<&[u8]> = chunk.try_get("bytes")?;
            let vector = vector.map(|bytes| BASE64.encode(bytes));
            out.line(Body::Chunk {
                heading: chunk.try_get("heading")?,
                text: chunk.try_get("text")?,
                vector,
            })?;
            count += 1;
        }
    }
    Ok((sources.len() as u64, count))
}

fn source_line(row: &SqliteRow) -> Result<SourceLine, sqlx::Error> {
    let decode = |what: &'static str| sqlx::Error::Decode(what.into());
    let digest: &str = row.try_get("digest")?;
    let expires: Option<i64> = row.try_get("expires_ms")?;
    Ok(SourceLine {
        owner: row.try_get("name")?,
        id: row.try_get("id")?,
        kind: SourceKind::of_code(row.try_get("kind")?).ok_or_else(|| decode("a source's kind"))?,
        title: row.try_get("title")?,
        text: digest.parse().map_err(|_| decode("a source's digest"))?,
        at: clock::from_millis(row.try_get("at_ms")?),
        expires: expires.map(clock::from_millis),
    })
}

struct Import<'a> {
    from: BufReader<File>,
    path: &'a Path,
    line: u64,
    all: Vec<u8>,
}

/// A source that is being imported.
struct Open {
    source: Source,
    row: SourceRow,
    /// The chunks that were here before and have not come again, by id.
    old: std::collections::HashMap<String, i64>,
}

impl Import<'_> {
    async fn all(&mut self, connection: &mut SqliteConnection) -> Result<Carried, MemoryError> {
        let Some(Body::Memory { version: VERSION, model }) = self.next()? else {
            return Err(self.altered(format!("it does not begin like an export of version {VERSION}")));
        };
        let dimensions = self.take_model(connection, model).await?;
        let (mut sources, mut chunks, mut open) = (0, 0, None);
        let mut counter = remember::next_counter(connection).await?;
        loop {
            let all = Digest::of(&self.all);
            match self.next()? {
                Some(Body::Source(line)) => {
                    self.shut(connection, open.take()).await?;
                    open = Some(self.open(connection, line).await?);
                    sources += 1;
                }
                Some(Body::Chunk { heading, text, vector }) => {
                    let Some(open) = &mut open else {
                        return Err(self.altered("a chunk of no source".to_owned()));
                    };
                    let vector = self.vector(vector, dimensions)?;
                    self.chunk(connection, open, counter, Piece { heading, text }, vector).await?;
                    (counter, chunks) = (counter + 1, chunks + 1);
                }
                Some(Body::End { sources: s, chunks: c, all: digest }) => {
                    self.shut(connection, open.take()).await?;
                    if (s, c, digest) != (sources, chunks, all) || self.next()?.is_some() {
                        return Err(self.altered("lines are missing, added or in another order".to_owned()));
                    }
                    return Ok(Carried { sources, chunks, digest });
                }
                Some(Body::Memory { .. }) => return Err(self.altered("a second beginning".to_owned())),
                None => return Err(self.altered("it ends too early".to_owned())),
            }
        }
    }

    /// The next line, when its digest holds.
    fn next(&mut self) -> Result<Option<Body>, MemoryError> {
        self.line += 1;
        let mut bytes = Vec::new();
        let read = (&mut self.from).take(MAX_LINE + 1).read_until(b'\n', &mut bytes);
        read.map_err(|source| DurableError::Io { action: "read", path: self.path.to_owned(), source })?;
        if bytes.is_empty() {
            return Ok(None);
        }
        if bytes.len() as u64 > MAX_LINE {
            return Err(self.altered(format!("it has more than {MAX_LINE} bytes")));
        }
        let line: Line = serde_json::from_slice(&bytes).map_err(|error| self.altered(error.to_string()))?;
        let body = serde_json::to_vec(&line.body).map_err(|error| self.altered(error.to_string()))?;
        if Digest::of(&body) != line.digest {
            return Err(self.altered("its digest does not hold".to_owned()));
        }
        self.all.extend_from_slice(line.digest.hex().as_bytes());
        Ok(Some(line.body))
    }

    fn altered(&self, reason: String) -> MemoryError {
        MemoryError::Altered { path: self.path.to_owned(), line: self.line, reason }
    }

    /// How many numbers the export's vectors have, when they are of the model whose vectors are kept here.
    async fn take_model(
        &self,
        connection: &mut SqliteConnection,
        model: Option<Model>,
    ) -> Result<Option<usize>, MemoryError> {
        let Some(model) = model else { return Ok(None) };
        if model.dimensions == 0
            || model.dimensions > place::MAX_DIMENSIONS
            || source::check_id(&model.name).is_err()
        {
            return Err(self.altered("it names no model".to_owned()));
        }
        match place::model(connection).await? {
            None => place::begin_model(connection, &model.name, model.dimensions).await?,
            Some(kept) if kept.name != model.name || kept.dimensions != model.dimensions => return Ok(None),
            Some(_) => {}
        }
        Ok(Some(model.dimensions))
    }

    async fn open(&self, connection: &mut SqliteConnection, line: SourceLine) -> Result<Open, MemoryError> {
        let owner =
            Owner::named(&line.owner).ok_or_else(|| self.altered(format!("{}: no owner", line.owner)))?;
        let SourceLine { id, kind, title, at, expires, text, .. } = line;
        let source = Source { id, kind, owner, title, text: String::new(), at, expires };
        source.check().map_err(|error| self.altered(error.to_string()))?;
        let row = remember::put_source(connection, &source, text).await?;
        let old = remember::chunks_of(connection, row.nr).await?;
        Ok(Open { source, row, old })
    }

    async fn chunk(
        &self,
        connection: &mut SqliteConnection,
        open: &mut Open,
        counter: i64,
        piece: Piece,
        vector: Option<Vec<u8>>,
    ) -> Result<(), MemoryError> {
        if piece.text.len() > MAX_CHUNK_BYTES || piece.heading.len() > MAX_CHUNK_BYTES {
            return Err(self.altered(format!("a chunk of more than {MAX_CHUNK_BYTES} bytes")));
        }
        let id = ChunkId::of(&open.source, &piece);
        let nr = if let Some(nr) = open.old.remove(id.as_str()) {
            nr
        } else {
            let nr = chunk::number(counter, open.source.kind);
            remember::insert(connection, &open.row, nr, &id, &open.source.title, &piece).await?;
            nr
        };
        match vector {
            Some(bytes) => place::put_vector(connection, open.row.owner.nr, nr, &bytes).await,
            None => Ok(()),
        }
    }

    /// The bytes of a vector of that many numbers; nothing where vectors are not taken over.
    fn vector(
        &self,
        vector: Option<String>,
        dimensions: Option<usize>,
    ) -> Result<Option<Vec<u8>>, MemoryError> {
        let (Some(vector), Some(dimensions)) = (vector, dimensions) else { return Ok(None) };
        let fits =
            |bytes: &Vec<u8>| Small::from_bytes(bytes).is_some_and(|small| small.numbers.len() == dimensions);
        let bytes = BASE64.decode(vector).ok().filter(fits);
        bytes.map(Some).ok_or_else(|| self.altered(format!("it has no vector of {dimensions} numbers")))
    }

    /// What was here and did not come goes, as when a source is remembered.
    async fn shut(&self, connection: &mut SqliteConnection, open: Option<Open>) -> Result<(), MemoryError> {
        let Some(open) = open else { return Ok(()) };
        let gone: Vec<i64> = open.old.into_values().collect();
        remember::remove(connection, &gone).await?;
        let chunks: i64 = sqlx::query_scalar("SELECT chunks FROM owners WHERE nr = ?1")
            .bind(open.row.owner.nr)
            .fetch_one(connection)
            .await?;
        if chunks.unsigned_abs() > MAX_CHUNKS {
            return Err(MemoryError::Full { owner: open.source.owner.to_string(), limit: MAX_CHUNKS });
        }
        Ok(())
    }
}
