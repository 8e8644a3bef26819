//! The models that are loaded: one thread each, with a queue before it, and a bound on all of them together.
//!
//! A question finds its model's room, or opens one. The room's thread checks the file, makes place (the rooms that were
//! asked longest ago close first), loads, answers one question after the other, and closes when nobody asks. Questions
//! are put into a queue, and rooms taken off the list, under one lock: no question gets lost in a room that closes.

use std::{
    any::Any,
    cell::Cell,
    collections::HashMap,
    panic::{AssertUnwindSafe, catch_unwind},
    path::{Path, PathBuf},
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicUsize, Ordering},
        mpsc::{Receiver, RecvTimeoutError, SyncSender, TrySendError, sync_channel},
    },
    thread::{self, JoinHandle},
    time::{Duration, Instant},
};

use echo_core::Digest;

use crate::{
    Card, Embedder, Kind, ModelError, ModelRef, TextModel,
    engine::{Engine, Loading},
    gguf::Header,
    question::{Listener, Question},
    shelf::{Shelf, Stamp},
};

/// The most questions that wait for one model.
pub const QUEUE: usize = 16;
/// A model answers with less context than it could rather than with more memory: the most tokens.
pub const MAX_CONTEXT: u32 = 8192;

/// How models are loaded.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Limits {
    /// Bytes of all loaded models together.
    pub resident: u64,
    /// How long a model stays loaded that nobody asks.
    pub idle: Duration,
    /// On how many threads one computes.
    pub threads: u32,
}

/// Every loaded model.
#[derive(Debug)]
pub(crate) struct Rooms {
    engine: Arc<dyn Engine>,
    limits: Limits,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    open: Vec<Room>,
    /// Files whose hash was right, by what the system says about them.
    checked: HashMap<PathBuf, (Digest, Stamp)>,
    next: u64,
}

#[derive(Debug)]
struct Room {
    id: u64,
    model: Digest,
    queue: SyncSender<Question>,
    waiting: Arc<AtomicUsize>,
    /// Bytes of memory; 0 before its place was made.
    bytes: u64,
    asked: Instant,
    thread: JoinHandle<()>,
}

impl Rooms {
    /// No model is loaded yet.
    pub fn new(engine: Arc<dyn Engine>, limits: Limits) -> Arc<Self> {
        Arc::new(Self { engine, limits, state: Mutex::default() })
    }

    /// Puts a question to a model of the shelf.
    pub fn ask(self: &Arc<Self>, place: &Shelf, card: &Card, question: Question) -> Result<(), ModelError> {
        let mut state = self.state();
        let nth = match state.open.iter().position(|room| room.model == card.sha256) {
            Some(nth) => nth,
            None => self.open(&mut state, place, card)?,
        };
        let room = &mut state.open[nth];
        room.asked = Instant::now();
        room.waiting.fetch_add(1, Ordering::Relaxed);
        match room.queue.try_send(question) {
            Ok(()) => Ok(()),
            Err(TrySendError::Full(_)) => {
                room.waiting.fetch_sub(1, Ordering::Relaxed);
                Err(ModelError::Busy { waiting: QUEUE })
            }
            // Its thread ended by a panic before it could leave the list.
            Err(TrySendError::Disconnected(_)) => {
                state.open.remove(nth);
                Err(failed(&card.reference(), "its thread ended: ask again".to_owned()))
            }
        }
    }

    /// The models that are loaded, or about to be.
    pub fn loaded(&self) -> Vec<Digest> {
        self.state().open.iter().map(|room| room.model).collect()
    }

    fn open(self: &Arc<Self>, state: &mut State, place: &Shelf, card: &Card) -> Result<usize, ModelError> {
        let (queue, inbox) = sync_channel(QUEUE);
        let (id, waiting) = (state.next, Arc::new(AtomicUsize::new(0)));
        let inside = Inside {
            rooms: self.clone(),
            id,
            shelf: place.clone(),
            card: card.clone(),
            inbox,
            waiting: waiting.clone(),
            answering: Cell::new(false),
        };
        let thread = thread::Builder::new()
            .name("model".to_owned())
            .spawn(move || inside.run())
            .map_err(|e| failed(&card.reference(), format!("no thread could be started: {e}")))?;
        state.next += 1;
        let room = Room { id, model: card.sha256, queue, waiting, bytes: 0, asked: Instant::now(), thread };
        state.open.push(room);
        Ok(state.open.len() - 1)
    }

    /// Makes place for `bytes`: rooms that were asked longest ago close, those without questions first. Returns when they
    /// are closed.
    fn make_place(&self, id: u64, model: &ModelRef, bytes: u64) -> Result<(), ModelError> {
        let most = self.limits.resident;
        if bytes > most {
            let (needs, has) = (bytes.div_ceil(1 << 20), most >> 20);
            return Err(failed(
                model,
                format!(
                    "it needs {needs} MiB of memory, and {has} MiB are allowed: raise `resident_mib` in echo.toml"
                ),
            ));
        }
        let mut closing = Vec::new();
        {
            let mut state = self.state();
            while state.open.iter().map(|room| room.bytes).sum::<u64>().saturating_add(bytes) > most {
                let others =
                    state.open.iter().enumerate().filter(|(_, room)| room.id != id && room.bytes > 0);
                let busy = |room: &Room| room.waiting.load(Ordering::Relaxed) > 0;
                let Some((nth, _)) = others.min_by_key(|(_, room)| (busy(room), room.asked)) else { break };
                closing.push(state.open.swap_remove(nth));
            }
            if let Some(room) = state.open.iter_mut().find(|room| room.id == id) {
                room.bytes = bytes;
            }
        }
        for room in closing {
            drop(room.queue);
            // A thread that panicked is closed, too.
            let _ = room.thread.join();
        }
        Ok(())
    }

    fn leave(&self, id: u64) {
        self.state().open.retain(|room| room.id != id);
    }

    /// Nothing is half changed under the lock, so a panic elsewhere leaves the list good.
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A room from the inside.
struct Inside {
    rooms: Arc<Rooms>,
    id: u64,
    shelf: Shelf,
    card: Card,
    inbox: Receiver<Question>,
    waiting: Arc<AtomicUsize>,
    answering: Cell<bool>,
}

impl Inside {
    fn run(self) {
        let model = self.card.reference();
        let ended = catch_unwind(AssertUnwindSafe(|| self.serve()))
            .unwrap_or_else(|panic| Err(failed(&model, format!("it panicked: {}", said(panic.as_ref())))));
        // First off the list, so that no question comes after those that are refused here.
        self.rooms.leave(self.id);
        let reason =
            ended.as_ref().err().map_or("it was unloaded: ask again".to_owned(), ToString::to_string);
        let mut error = ended.err();
        if let Some(error) = &error {
            tracing::warn!(model = %model.name, %error, "a model could not be loaded");
        }
        while let Ok(question) = self.inbox.try_recv() {
            question.refuse(error.take().unwrap_or_else(|| failed(&model, reason.clone())));
        }
    }

    fn serve(&self) -> Result<(), ModelError> {
        let path = self.shelf.path(&self.card);
        let header = self.checked(&path)?;
        let model = self.card.reference();
        let context = u64::from(header.context.min(MAX_CONTEXT));
        // Vectors are made without a cache.
        let cache = if header.kind == Kind::Text { header.token_bytes.saturating_mul(context) } else { 0 };
        self.rooms.make_place(self.id, &model, self.card.bytes.saturating_add(cache))?;
        let threads = self.rooms.limits.threads;
        let file = Loading { card: &self.card, path: &path, header: &header, threads };
        match header.kind {
            Kind::Text => self.rooms.engine.text(&file, &mut |model| self.answer_chats(model)),
            Kind::Embedding => self.rooms.engine.embedding(&file, &mut |model| self.answer_texts(model)),
        }
    }

    /// The header of the file, whose hash is the card's: it is computed again when the system says that the file changed.
    fn checked(&self, path: &Path) -> Result<Header, ModelError> {
        let stamp = Stamp::of(path).map(|stamp| (self.card.sha256, stamp));
        if stamp.is_some() && self.rooms.state().checked.get(path) == stamp.as_ref() {
            return crate::shelf::open(path).map(|(header, _)| header);
        }
        let header = self.shelf.verify(&self.card)?;
        if let Some(stamp) = stamp {
            self.rooms.state().checked.insert(path.to_owned(), stamp);
        }
        Ok(header)
    }

    fn answer_chats(&self, model: &mut dyn TextModel) {
        while let Some(question) = self.next() {
            let Question::Chat { chat, pieces, answer } = question else {
                question.refuse(wrong_kind(Kind::Text));
                continue;
            };
            let gone = || answer.is_closed();
            let listener = Listener::new(pieces.as_ref(), &gone, chat.budget_millis);
            let said = guarded(&model.reference().clone(), || {
                model.complete(&chat, &mut |piece| listener.hear(piece))
            });
            let broken = matches!(said, Err(Broken(_)));
            // Whoever asked may have gone.
            drop(answer.send(said.unwrap_or_else(|Broken(error)| Err(error))));
            if broken {
                return;
            }
        }
    }

    fn answer_texts(&self, model: &mut dyn Embedder) {
        while let Some(question) = self.next() {
            let Question::Embed { texts, answer } = question else {
                question.refuse(wrong_kind(Kind::Embedding));
                continue;
            };
            let texts: Vec<&str> = texts.iter().map(String::as_str).collect();
            let said = guarded(&model.reference().clone(), || model.embed(&texts));
            let broken = matches!(said, Err(Broken(_)));
            drop(answer.send(said.unwrap_or_else(|Broken(error)| Err(error))));
            if broken {
                return;
            }
        }
    }

    /// The next question; nothing when the room closes.
    fn next(&self) -> Option<Question> {
        loop {
            // Whoever is answered waits too: a room that answers is closed last.
            if self.answering.replace(false) {
                self.waiting.fetch_sub(1, Ordering::Relaxed);
            }
            let question = match self.inbox.recv_timeout(self.rooms.limits.idle) {
                Ok(question) => question,
                Err(RecvTimeoutError::Disconnected) => return None,
                Err(RecvTimeoutError::Timeout) => {
                    let mut state = self.rooms.state();
                    let Ok(question) = self.inbox.try_recv() else {
                        state.open.retain(|room| room.id != self.id);
                        return None;
                    };
                    question
                }
            };
            self.answering.set(true);
            if !question.is_abandoned() {
                return Some(question);
            }
        }
    }
}

/// A model that panicked: what it holds may be half changed.
struct Broken(ModelError);

fn guarded<T>(model: &ModelRef, work: impl FnOnce() -> T) -> Result<T, Broken> {
    catch_unwind(AssertUnwindSafe(work))
        .map_err(|panic| Broken(failed(model, format!("it panicked: {}", said(panic.as_ref())))))
}

fn said(panic: &(dyn Any + Send)) -> String {
    let text = panic.downcast_ref::<String>().cloned();
    text.or_else(|| panic.downcast_ref::<&str>().map(|text| (*text).to_owned())).unwrap_or_default()
}

fn wrong_kind(kind: Kind) -> ModelError {
    ModelError::Invalid { what: "the question", reason: format!("this model is for {}", kind.word()) }
}

fn failed(model: &ModelRef, reason: String) -> ModelError {
    ModelError::Failed { model: model.name.clone(), reason }
}
