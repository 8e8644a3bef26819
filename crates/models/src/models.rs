//! The one handle to every model.

use std::{
    fmt,
    path::PathBuf,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use tokio::sync::{Semaphore, mpsc, oneshot};

use crate::{
    Card, Chat, Completion, Embedded, Endpoint, Kind, ModelError, ModelRef,
    engine::{self, Engine},
    limits::{check_chat, check_texts},
    question::{Listener, Question},
    rooms::{Limits, Rooms},
    shelf::{LIST, Shelf, Stamp},
};

/// The most questions that the endpoint answers at a time.
pub const MAX_CALLS: usize = 4;

/// Where models are, and what they may take.
#[derive(Debug, Clone)]
pub struct Settings {
    /// The folder with `models.json`; it need not be there.
    pub folder: PathBuf,
    /// The most bytes of all loaded models together.
    pub resident_bytes: u64,
    /// How long a model stays loaded that nobody asks.
    pub idle: Duration,
    /// On how many threads a model computes.
    pub threads: u32,
    /// A model somewhere else. Where there is one it answers, unless a model of the shelf is asked by its name.
    pub endpoint: Option<Arc<dyn Endpoint>>,
}

impl Settings {
    /// 2 GiB, ten minutes, no endpoint, and a thread for each core but one, 8 at most: the engine's threads wait for one
    /// another at every step, so that one which shares its core with other work holds up all.
    pub fn new(folder: PathBuf) -> Self {
        let cores = std::thread::available_parallelism().map_or(2, std::num::NonZero::get);
        Self {
            folder,
            resident_bytes: 2 << 30,
            idle: Duration::from_mins(10),
            threads: u32::try_from((cores - 1).clamp(1, 8)).unwrap_or(1),
            endpoint: None,
        }
    }
}

/// Every model that can be asked. Cheap to clone; all clones share what is loaded.
#[derive(Clone)]
pub struct Models(Arc<Inner>);

struct Inner {
    /// Nothing when there is no folder.
    shelf: Option<Mutex<Seen>>,
    rooms: Option<Arc<Rooms>>,
    endpoint: Option<Arc<dyn Endpoint>>,
    calls: Arc<Semaphore>,
}

/// The shelf as it was when its list looked like this.
struct Seen {
    folder: PathBuf,
    stamp: Option<Stamp>,
    shelf: Shelf,
}

impl fmt::Debug for Models {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names: Vec<String> = self.cards().into_iter().map(|card| card.name).collect();
        f.debug_struct("Models")
            .field("shelf", &names)
            .field("endpoint", &self.0.endpoint)
            .finish_non_exhaustive()
    }
}

impl Models {
    /// No model: every question is answered with [`ModelError::Missing`].
    pub fn none() -> Self {
        Self(Arc::new(Inner { shelf: None, rooms: None, endpoint: None, calls: Arc::new(Semaphore::new(1)) }))
    }

    /// What is in a folder and at an endpoint. Nothing is loaded before it is asked. A model that is added to the folder
    /// later is seen; only a list that cannot be read now is an error.
    pub fn open(settings: Settings) -> Result<Self, ModelError> {
        Self::with(settings, engine::built_in())
    }

    pub(crate) fn with(settings: Settings, engine: Option<Arc<dyn Engine>>) -> Result<Self, ModelError> {
        let Settings { folder, resident_bytes, idle, threads, endpoint } = settings;
        let limits = Limits { resident: resident_bytes, idle, threads };
        let seen = Seen { stamp: Stamp::of(&folder.join(LIST)), shelf: Shelf::open(&folder)?, folder };
        Ok(Self(Arc::new(Inner {
            shelf: Some(Mutex::new(seen)),
            rooms: engine.map(|engine| Rooms::new(engine, limits)),
            endpoint,
            calls: Arc::new(Semaphore::new(MAX_CALLS)),
        })))
    }

    /// What is on the shelf, the last one added first.
    pub fn cards(&self) -> Vec<Card> {
        self.shelf().map(|shelf| shelf.cards().to_vec()).unwrap_or_default()
    }

    /// The text model that answers when no name is said; nothing when none can.
    pub fn text(&self) -> Option<ModelRef> {
        self.0.endpoint.as_ref().and_then(|endpoint| endpoint.text()).or_else(|| self.first(Kind::Text))
    }

    /// The model that makes vectors; nothing when none can.
    pub fn embedder(&self) -> Option<ModelRef> {
        self.0
            .endpoint
            .as_ref()
            .and_then(|endpoint| endpoint.embedder())
            .or_else(|| self.first(Kind::Embedding))
    }

    /// The models that are in memory now.
    pub fn loaded(&self) -> Vec<ModelRef> {
        let loaded = self.0.rooms.as_ref().map(|rooms| rooms.loaded()).unwrap_or_default();
        self.cards().iter().filter(|card| loaded.contains(&card.sha256)).map(Card::reference).collect()
    }

    /// Goes on with a conversation: by the model of a name, else by [`Models::text`]. Each piece of the answer goes to
    /// `pieces` as it comes. Dropping the reader of the pieces, or this future, cancels.
    pub async fn chat(
        &self,
        model: Option<&str>,
        chat: Chat,
        pieces: Option<mpsc::Sender<String>>,
    ) -> Result<Completion, ModelError> {
        check_chat(&chat)?;
        let (answer, answered) = oneshot::channel();
        let far = self.0.endpoint.as_ref().and_then(|endpoint| Some((endpoint.clone(), endpoint.text()?)));
        let Some((endpoint, far)) = far.filter(|(_, far)| model.is_none_or(|name| name == far.name)) else {
            let asked = self.ask(model, Kind::Text, Question::Chat { chat, pieces, answer })?;
            return received(answered, &asked).await;
        };
        self.call(&far, move || {
            let gone = || answer.is_closed();
            let listener = Listener::new(pieces.as_ref(), &gone, chat.budget_millis);
            let said = endpoint.chat(&chat, &mut |piece| listener.hear(piece));
            // Whoever asked may have gone.
            drop(answer.send(said));
        })
        .await?;
        received(answered, &far).await
    }

    /// Turns texts into vectors of length 1, in their order, with [`Models::embedder`].
    pub async fn embed(&self, texts: Vec<String>) -> Result<Embedded, ModelError> {
        check_texts(&texts)?;
        let (answer, answered) = oneshot::channel();
        let far =
            self.0.endpoint.as_ref().and_then(|endpoint| Some((endpoint.clone(), endpoint.embedder()?)));
        let Some((endpoint, far)) = far else {
            let asked = self.ask(None, Kind::Embedding, Question::Embed { texts, answer })?;
            return received(answered, &asked).await;
        };
        self.call(&far, move || drop(answer.send(endpoint.embed(&texts)))).await?;
        received(answered, &far).await
    }

    fn ask(&self, name: Option<&str>, kind: Kind, question: Question) -> Result<ModelRef, ModelError> {
        let missing = || {
            let what = name.map_or_else(
                || format!("{} model", kind.word()),
                |name| format!("{} model `{name}`", kind.word()),
            );
            ModelError::Missing { what }
        };
        let Some(place) = self.shelf() else { return Err(missing()) };
        let card = place.find(name, kind).ok_or_else(missing)?;
        let rooms = self.0.rooms.as_ref().ok_or(ModelError::NoEngine)?;
        rooms.ask(&place, card, question)?;
        Ok(card.reference())
    }

    /// Calls the endpoint on a thread that may block.
    async fn call(&self, far: &ModelRef, work: impl FnOnce() + Send + 'static) -> Result<(), ModelError> {
        let Ok(permit) = self.0.calls.clone().try_acquire_owned() else {
            return Err(ModelError::Busy { waiting: MAX_CALLS });
        };
        let done = tokio::task::spawn_blocking(move || {
            let _permit = permit;
            work();
        });
        done.await.map_err(|e| ModelError::Failed { model: far.name.clone(), reason: e.to_string() })
    }

    fn first(&self, kind: Kind) -> Option<ModelRef> {
        self.0.rooms.as_ref()?;
        self.shelf()?.find(None, kind).map(Card::reference)
    }

    /// The shelf as it is now. A list that somebody broke meanwhile leaves it as it was.
    fn shelf(&self) -> Option<Shelf> {
        let mut seen: MutexGuard<'_, Seen> =
            self.0.shelf.as_ref()?.lock().unwrap_or_else(PoisonError::into_inner);
        let stamp = Stamp::of(&seen.folder.join(LIST));
        if stamp != seen.stamp {
            match Shelf::open(&seen.folder) {
                Ok(place) => seen.shelf = place,
                Err(error) => tracing::warn!(%error, "the models' list cannot be read: the last one stays"),
            }
            seen.stamp = stamp;
        }
        Some(seen.shelf.clone())
    }
}

async fn received<T>(
    answered: oneshot::Receiver<Result<T, ModelError>>,
    model: &ModelRef,
) -> Result<T, ModelError> {
    let lost =
        || ModelError::Failed { model: model.name.clone(), reason: "its thread ended: ask again".to_owned() };
    answered.await.unwrap_or_else(|_| Err(lost()))
}

#[cfg(test)]
mod tests;
