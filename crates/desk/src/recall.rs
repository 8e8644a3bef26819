//! The memory's room: what is remembered, what waits to be, and how it gets there.
//!
//! A record says for each source whether the memory holds it. A step of the flow marks a source as due in its own unit of
//! work; a turn in the background reads what the source is now, takes secrets, personal data and whatever speaks to a
//! model out of it, remembers it, and gives vectors to chunks that have none. Customers' texts are remembered as theirs.

use std::{
    path::Path,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicI64, AtomicU64, Ordering},
    },
    time::Duration,
};

use echo_core::{CustomerId, Digest, Timestamp};
use memory::{Memory, Owner, Source, SourceKind};
use models::ModelRef;
use serde::{Deserialize, Serialize};
use store::{Filter, Record, Scope};
use tokio::{sync::Mutex as AsyncMutex, time::timeout};

use crate::{Desk, DeskError, desk::blocking, witness_policy::put, work::Work};

/// Where the memory lies in a home.
pub(crate) const FOLDER: &str = "memory";
/// How many sources one turn remembers.
const SOURCES: usize = 16;
/// How many chunks get their vectors at once, and how many times in one turn.
const CHUNKS: usize = 32;
const BATCHES: usize = 4;
/// The longest that a turn waits for the vectors of one batch.
const EMBED: Duration = Duration::from_mins(1);
/// How long no vectors are asked for after the model failed, in seconds.
const REST_SECONDS: i64 = 300;
/// The longest that stopping waits for a turn.
const STOP: Duration = Duration::from_secs(5);
/// The most bytes of a title.
const MAX_TITLE: usize = 200;

/// The memory with what goes on about it.
#[derive(Debug)]
pub(crate) struct MemoryRoom {
    pub(crate) memory: Memory,
    /// How many days a customer's source is kept; for ever without it.
    pub(crate) keep_days: Option<u32>,
    /// Whether the database was made by this start.
    fresh: bool,
    /// Held by the one turn that may go on.
    turn: Arc<AsyncMutex<()>>,
    quarantined: AtomicU64,
    /// Until when no vectors are asked for, in seconds since 1970.
    rests: AtomicI64,
    /// How the prompt departs from its signed template.
    drift: Mutex<Option<String>>,
    /// When the documents' folder was changed, as it was looked at last.
    pub(crate) folder_seen: AtomicI64,
}

impl MemoryRoom {
    pub(crate) async fn open(home: &Path, keep_days: Option<u32>) -> Result<Self, DeskError> {
        let folder = home.join(FOLDER);
        let fresh = !folder.join("memory.db").exists();
        let memory = Memory::open(&folder).await.map_err(|e| DeskError::Home(e.to_string()))?;
        let (turn, quarantined, rests) = (Arc::default(), AtomicU64::new(0), AtomicI64::new(0));
        Ok(Self {
            memory,
            keep_days,
            fresh,
            turn,
            quarantined,
            rests,
            drift: Mutex::default(),
            folder_seen: AtomicI64::new(0),
        })
    }

    pub(crate) fn drift(&self) -> MutexGuard<'_, Option<String>> {
        // Nothing panics while it holds the lock.
        self.drift.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Whether the memory holds a source.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum RecallState {
    /// It has to be read anew.
    Due,
    /// It is remembered as it was read last.
    Kept,
    /// It is there no more.
    Gone,
}

/// What is known about one source of the memory.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct Recall {
    /// The source's id in the memory: `case/…`, `device/…`, `document/…`, `playbook/…`.
    pub(crate) id: String,
    pub(crate) customer: Option<CustomerId>,
    pub(crate) state: RecallState,
    /// What is to be remembered, where no other record holds it.
    pub(crate) note: Option<String>,
    /// Of the text that was read last.
    pub(crate) digest: Option<Digest>,
    /// By which rules it was cleaned.
    pub(crate) rules: u32,
    /// How many passages were left out because they speak to a model.
    pub(crate) quarantined: u32,
}

impl Recall {
    pub(crate) fn due(id: String, customer: Option<CustomerId>) -> Self {
        let state = RecallState::Due;
        Self { id, customer, state, note: None, digest: None, rules: 0, quarantined: 0 }
    }
}

impl Record for Recall {
    const KIND: &'static str = "recall";

    fn id(&self) -> &str {
        &self.id
    }

    fn customer(&self) -> Option<&CustomerId> {
        self.customer.as_ref()
    }

    fn state(&self) -> &str {
        match self.state {
            RecallState::Due => "due",
            RecallState::Kept => "kept",
            RecallState::Gone => "gone",
        }
    }
}

/// A source as it was read, before it is cleaned.
pub(crate) struct Read {
    pub(crate) kind: SourceKind,
    pub(crate) owner: Owner,
    pub(crate) title: String,
    pub(crate) text: String,
    pub(crate) at: Timestamp,
    pub(crate) expires: Option<Timestamp>,
}

impl Read {
    pub(crate) fn digest(&self) -> Digest {
        Digest::of(format!("{}\n{}", self.title, self.text).as_bytes())
    }
}

impl Work<'_> {
    /// Marks a source of a customer as due.
    pub(crate) async fn recall(
        &mut self,
        customer: &CustomerId,
        id: String,
        note: Option<String>,
    ) -> Result<(), DeskError> {
        put(&mut self.tx, &Recall { note, ..Recall::due(id, Some(customer.clone())) }).await
    }
}

impl Desk {
    /// What the platform remembers in words.
    pub fn memory(&self) -> &Memory {
        &self.memory_room().memory
    }

    /// How many passages are kept out of the memory because they speak to a model.
    pub(crate) fn quarantined(&self) -> u64 {
        self.memory_room().quarantined.load(Ordering::Relaxed)
    }

    /// Marks everything as due when the memory's database was made anew: what it held is gone.
    pub(crate) async fn open_memory(&self) -> Result<(), DeskError> {
        if self.memory_room().fresh {
            let mut tx = self.store().write().await?;
            for kept in tx.all::<Recall>(&Scope::All, &Filter::in_state("kept")).await? {
                tx.update(&Recall { state: RecallState::Due, digest: None, ..kept }).await?;
            }
            tx.commit().await?;
        }
        self.count_quarantined().await
    }

    /// Lets a turn begin in the background, unless one goes on.
    pub(crate) fn remember_in_background(&self) {
        let desk = self.clone();
        let Ok(turn) = self.memory_room().turn.clone().try_lock_owned() else { return };
        tokio::spawn(async move {
            let _turn = turn;
            let looked = desk.look_at_documents().await;
            if let Err(error) = looked.and(desk.remember_turn().await) {
                tracing::warn!(%error, "the memory is not up to date");
            }
        });
    }

    /// Remembers what is due, and gives vectors to chunks that have none. Each turn does a bounded part; the background
    /// takes one every few seconds.
    pub async fn remember_due(&self) -> Result<(), DeskError> {
        let _turn = self.memory_room().turn.lock().await;
        self.remember_turn().await
    }

    /// How many sources wait to be remembered.
    pub(crate) async fn sources_due(&self) -> Result<u64, DeskError> {
        let mut tx = self.store().read().await?;
        Ok(tx.count::<Recall>(&Scope::All, &Filter::in_state("due")).await?)
    }

    async fn remember_turn(&self) -> Result<(), DeskError> {
        let mut tx = self.store().read().await?;
        let mut due = tx.all::<Recall>(&Scope::All, &Filter::in_state("due")).await?;
        drop(tx);
        due.truncate(SOURCES);
        let any = !due.is_empty();
        for recall in due {
            self.remember_one(recall).await?;
        }
        if any {
            self.count_quarantined().await?;
        }
        self.place_vectors().await
    }

    /// Reads a source and remembers it. An erasure waits meanwhile, or what it forgot would come back.
    async fn remember_one(&self, mut recall: Recall) -> Result<(), DeskError> {
        let _no_erasure = self.erasing().lock().await;
        let mut tx = self.store().read().await?;
        if tx.get::<Recall>(&Scope::All, &recall.id).await?.is_none() {
            return Ok(());
        }
        drop(tx);
        let read = self.read_source(&recall).await?;
        let now = self.now();
        match read.filter(|read| read.expires.is_none_or(|expires| expires > now)) {
            None => {
                self.memory().forget_source(&recall.id).await.map_err(memory_error)?;
                recall.state = RecallState::Gone;
                (recall.note, recall.digest, recall.quarantined) = (None, None, 0);
            }
            Some(read) => {
                recall.digest = Some(read.digest());
                let id = recall.id.clone();
                let (source, quarantined) = blocking(move || Ok(cleaned(id, read))).await?;
                recall.quarantined = quarantined;
                recall.state = RecallState::Kept;
                match self.memory().remember(&source).await {
                    Ok(_) => {}
                    // A text that cannot be remembered, such as a binary file, must not hold up the others.
                    Err(memory::MemoryError::Invalid { what, reason }) => {
                        tracing::warn!(source = %recall.id, what, reason, "not remembered");
                    }
                    Err(error) => return Err(memory_error(error)),
                }
            }
        }
        recall.rules = hygiene::RULES;
        let mut tx = self.store().write().await?;
        tx.update(&recall).await?;
        Ok(tx.commit().await?)
    }

    /// Counts anew what is kept out of the memory.
    async fn count_quarantined(&self) -> Result<(), DeskError> {
        let mut tx = self.store().read().await?;
        let kept = tx.all::<Recall>(&Scope::All, &Filter::in_state("kept")).await?;
        let sum = kept.iter().map(|one| u64::from(one.quarantined)).sum();
        self.memory_room().quarantined.store(sum, Ordering::Relaxed);
        Ok(())
    }

    /// Gives vectors to chunks that have none, when an embedding model is here. After a failure it rests: words still find
    /// what has no vector.
    async fn place_vectors(&self) -> Result<(), DeskError> {
        let Some(model) = self.models().embedder() else { return Ok(()) };
        let rests = &self.memory_room().rests;
        if self.now().as_second() < rests.load(Ordering::Relaxed) {
            return Ok(());
        }
        let placed = self.place_batches(&model).await;
        if placed.is_err() {
            rests.store(self.now().as_second().saturating_add(REST_SECONDS), Ordering::Relaxed);
        }
        placed
    }

    async fn place_batches(&self, model: &ModelRef) -> Result<(), DeskError> {
        let name = vectors_of(model);
        for _ in 0..BATCHES {
            let waiting = self.memory().waiting(&name, CHUNKS).await.map_err(memory_error)?;
            if waiting.is_empty() {
                return Ok(());
            }
            let (chunks, texts): (Vec<_>, Vec<_>) =
                waiting.into_iter().map(|one| (one.chunk, one.text)).unzip();
            let embedded = timeout(EMBED, self.models().embed(texts))
                .await
                .map_err(|_| DeskError::Internal(format!("{} took too long for vectors", model.name)))?
                .map_err(|error| DeskError::Internal(error.to_string()))?;
            let vectors = chunks.into_iter().zip(embedded.vectors).collect();
            self.memory().place(&name, vectors).await.map_err(memory_error)?;
        }
        Ok(())
    }

    /// Waits for the turn that goes on, and closes the memory.
    pub(crate) async fn close_memory(&self) {
        let turn = timeout(STOP, self.memory_room().turn.lock()).await;
        self.memory().close().await;
        drop(turn);
    }
}

/// The name under which a model's vectors are placed: vectors of another file are no neighbours of these.
pub(crate) fn vectors_of(model: &ModelRef) -> String {
    let file = model.file.map(|digest| digest.hex()[..16].to_owned()).unwrap_or_default();
    format!("{}:{file}", model.name)
}

/// The source without secrets, personal data and what speaks to a model; how many passages were left out.
fn cleaned(id: String, read: Read) -> (Source, u32) {
    let (title, text) = (hygiene::sift(&read.title), hygiene::sift(&read.text));
    let quarantined = title.quarantined.len() + text.quarantined.len();
    let mut title = hygiene::redact(&title.text).text.split_whitespace().collect::<Vec<_>>().join(" ");
    title.truncate(title.floor_char_boundary(MAX_TITLE));
    if title.is_empty() {
        title.clone_from(&id);
    }
    let text = hygiene::redact(&text.text).text;
    let Read { kind, owner, at, expires, .. } = read;
    (Source { id, kind, owner, title, text, at, expires }, u32::try_from(quarantined).unwrap_or(u32::MAX))
}

pub(crate) fn memory_error(error: memory::MemoryError) -> DeskError {
    match error {
        memory::MemoryError::DiskFull => DeskError::DiskFull,
        memory::MemoryError::Busy => DeskError::Busy,
        other => DeskError::Home(other.to_string()),
    }
}
