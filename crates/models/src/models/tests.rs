use std::{
    ops::ControlFlow,
    path::Path,
    sync::atomic::{AtomicUsize, Ordering},
};

use durable::Mode;
use echo_core::clock::from_millis;

use super::*;
use crate::{
    About, Embedder, Finish, Message, Speaker, TextModel, draft::Draft, engine::Loading, rooms::QUEUE,
};

/// Answers with what it is asked, and counts how often a model was loaded. `wait` waits until nobody listens, `panic`
/// panics.
#[derive(Debug, Default)]
struct Parrot {
    loads: AtomicUsize,
    loaded: Arc<AtomicUsize>,
}

struct Loaded(ModelRef, Arc<AtomicUsize>);

impl Drop for Loaded {
    fn drop(&mut self) {
        self.1.fetch_sub(1, Ordering::SeqCst);
    }
}

impl Parrot {
    fn load(&self, file: &Loading<'_>) -> Loaded {
        self.loads.fetch_add(1, Ordering::SeqCst);
        self.loaded.fetch_add(1, Ordering::SeqCst);
        Loaded(file.card.reference(), self.loaded.clone())
    }
}

impl Engine for Parrot {
    fn text(&self, file: &Loading<'_>, serve: &mut dyn FnMut(&mut dyn TextModel)) -> Result<(), ModelError> {
        if file.card.name == "broken" {
            let reason = "its weights do not fit".to_owned();
            return Err(ModelError::Unfit { path: file.path.to_owned(), reason });
        }
        serve(&mut self.load(file));
        Ok(())
    }

    fn embedding(
        &self,
        file: &Loading<'_>,
        serve: &mut dyn FnMut(&mut dyn Embedder),
    ) -> Result<(), ModelError> {
        serve(&mut self.load(file));
        Ok(())
    }
}

impl TextModel for Loaded {
    fn reference(&self) -> &ModelRef {
        &self.0
    }

    fn context(&self) -> u32 {
        64
    }

    fn complete(
        &mut self,
        chat: &Chat,
        each: &mut dyn FnMut(&str) -> ControlFlow<()>,
    ) -> Result<Completion, ModelError> {
        let text = chat.messages.last().map(|message| message.content.clone()).unwrap_or_default();
        assert_ne!(text, "panic", "as it was told");
        let mut finish = Finish::Stop;
        while text == "wait" && finish == Finish::Stop {
            std::thread::sleep(Duration::from_millis(1));
            if each("").is_break() {
                finish = Finish::Cancelled;
            }
        }
        for word in text.split_inclusive(' ') {
            if each(word).is_break() {
                finish = Finish::Cancelled;
            }
        }
        let model = self.0.clone();
        Ok(Completion { model, text, prompt_tokens: 1, completion_tokens: 1, finish })
    }
}

impl Embedder for Loaded {
    fn reference(&self) -> &ModelRef {
        &self.0
    }

    fn dimensions(&self) -> usize {
        1
    }

    fn embed(&mut self, texts: &[&str]) -> Result<Embedded, ModelError> {
        let vectors = texts.iter().map(|_| vec![1.0]).collect();
        Ok(Embedded { model: self.0.clone(), vectors, tokens: 1 })
    }
}

/// A home with models, and the engine that runs them.
struct Home {
    folder: tempfile::TempDir,
    parrot: Arc<Parrot>,
    models: Models,
}

fn add(folder: &Path, name: &str, architecture: &str) -> Card {
    let path = folder.join("draft");
    // Another name in the file, so that no two have the same hash.
    let draft = Draft::of(architecture).with("general.name", 8, crate::draft::text(name));
    durable::write(&path, &draft.bytes(), Mode::Public).unwrap();
    let about = About { name: Some(name.to_owned()), ..About::default() };
    Shelf::open(folder).unwrap().add(&path, &about, from_millis(0)).unwrap()
}

fn home(idle: Duration, resident_bytes: u64) -> Home {
    let folder = tempfile::tempdir().unwrap();
    add(folder.path(), "second", "gemma");
    add(folder.path(), "vectors", "bert");
    add(folder.path(), "first", "llama");
    let parrot = Arc::new(Parrot::default());
    let settings = Settings { resident_bytes, idle, ..Settings::new(folder.path().to_owned()) };
    let models = Models::with(settings, Some(parrot.clone())).unwrap();
    Home { folder, parrot, models }
}

const LONG: Duration = Duration::from_mins(10);

fn chat(text: &str) -> Chat {
    Chat {
        messages: vec![Message { speaker: Speaker::User, content: text.to_owned() }],
        max_tokens: 8,
        temperature: 0.0,
        top_p: 1.0,
        seed: 1,
        stop: Vec::new(),
        budget_millis: 60_000,
    }
}

async fn until(what: impl Fn() -> bool) {
    for _ in 0..5000 {
        if what() {
            return;
        }
        tokio::time::sleep(Duration::from_millis(2)).await;
    }
    panic!("it did not come to pass within ten seconds");
}

#[tokio::test]
async fn a_model_is_loaded_once_and_answers_with_its_hash() {
    let home = home(LONG, 1 << 30);
    assert!(home.models.loaded().is_empty());
    for text in ["one", "two words"] {
        let said = home.models.chat(None, chat(text), None).await.unwrap();
        assert_eq!((said.text.as_str(), Some(&said.model)), (text, home.models.text().as_ref()));
        assert_eq!(said.model.name, "first");
    }
    let said = home.models.chat(Some("second"), chat("x"), None).await.unwrap();
    assert_eq!(said.model.name, "second");
    let vectors = home.models.embed(vec!["a".to_owned(), "b".to_owned()]).await.unwrap();
    assert_eq!((vectors.vectors.len(), vectors.model.name.as_str()), (2, "vectors"));
    assert_eq!(home.parrot.loads.load(Ordering::SeqCst), 3);
    assert_eq!(home.models.loaded().len(), 3);
}

#[tokio::test]
async fn pieces_come_in_order_and_make_the_text() {
    let home = home(LONG, 1 << 30);
    // A queue of one: the model waits for whoever reads.
    let (send, mut read) = mpsc::channel(1);
    let asked = home.models.chat(None, chat("a bird in the hand"), Some(send));
    let reader = async {
        let mut text = String::new();
        while let Some(piece) = read.recv().await {
            text += &piece;
        }
        text
    };
    let (said, heard) = tokio::join!(asked, reader);
    assert_eq!(said.unwrap().text, heard);
}

#[tokio::test]
async fn who_goes_away_cancels() {
    let home = home(LONG, 1 << 30);
    let (send, read) = mpsc::channel(1);
    drop(read);
    let said = home.models.chat(None, chat("wait"), Some(send)).await.unwrap();
    assert_eq!(said.finish, Finish::Cancelled);
    // The future itself dropped: the next asker does not wait for what nobody waits for.
    let asked =
        tokio::time::timeout(Duration::from_millis(20), home.models.chat(None, chat("wait"), None)).await;
    assert!(asked.is_err());
    assert_eq!(home.models.chat(None, chat("next"), None).await.unwrap().text, "next");
}

#[tokio::test]
async fn two_askers_queue_and_too_many_are_told_so() {
    let home = home(LONG, 1 << 30);
    let waiting: Vec<_> = (0..QUEUE + 2)
        .map(|nth| {
            let models = home.models.clone();
            let text = if nth == 0 { "wait".to_owned() } else { nth.to_string() };
            tokio::spawn(async move { models.chat(None, chat(&text), None).await })
        })
        .collect();
    // One is answered, as many as the queue holds wait, and one is too many.
    until(|| waiting.iter().any(tokio::task::JoinHandle::is_finished)).await;
    let mut ends = Vec::new();
    for (nth, task) in waiting.into_iter().enumerate() {
        if nth == 0 {
            task.abort();
        } else {
            ends.push(task.await.unwrap());
        }
    }
    let busy = ends.iter().filter(|end| matches!(end, Err(ModelError::Busy { waiting: QUEUE }))).count();
    let answered = ends.iter().filter_map(|end| end.as_ref().ok()).count();
    // The first may have been taken out of the queue before or after the last came.
    assert!(
        busy >= 1 && answered >= QUEUE - 1 && busy + answered == QUEUE + 1,
        "{busy} busy, {answered} answered"
    );
}

#[tokio::test]
async fn a_model_that_nobody_asks_is_unloaded_and_comes_back() {
    let home = home(Duration::from_millis(20), 1 << 30);
    for loads in 1..=3 {
        assert_eq!(home.models.chat(None, chat("x"), None).await.unwrap().text, "x");
        assert_eq!(home.parrot.loads.load(Ordering::SeqCst), loads);
        until(|| home.parrot.loaded.load(Ordering::SeqCst) == 0).await;
        assert!(home.models.loaded().is_empty());
    }
}

#[tokio::test]
async fn questions_at_the_moment_of_unloading_are_all_answered() {
    let home = home(Duration::from_millis(1), 1 << 30);
    for nth in 0..300 {
        let text = nth.to_string();
        assert_eq!(home.models.chat(None, chat(&text), None).await.unwrap().text, text);
        tokio::time::sleep(Duration::from_micros(900 + 2 * nth)).await;
    }
}

#[tokio::test]
async fn no_more_is_resident_than_was_allowed() {
    let bytes = Draft::of("llama").bytes().len() as u64;
    // Each takes its file and the cache of 64 tokens: one fits, two do not.
    let home = home(LONG, 2 * (bytes + 64 * 64));
    let one = home.models.chat(Some("first"), chat("x"), None).await.unwrap();
    let two = home.models.chat(Some("second"), chat("x"), None).await.unwrap();
    home.models.embed(vec!["x".to_owned()]).await.unwrap();
    assert_ne!(one.model, two.model);
    until(|| home.parrot.loaded.load(Ordering::SeqCst) <= 2).await;
    assert!(!home.models.loaded().contains(&one.model), "the one asked longest ago went");
    let small = self::home(LONG, bytes);
    let error = small.models.chat(None, chat("x"), None).await.unwrap_err().to_string();
    assert!(error.contains("resident_mib"), "{error}");
    assert_eq!(small.parrot.loads.load(Ordering::SeqCst), 0);
}

#[tokio::test]
async fn a_panic_is_an_answer_and_the_model_comes_back() {
    let home = home(LONG, 1 << 30);
    let error = home.models.chat(None, chat("panic"), None).await.unwrap_err();
    assert!(
        matches!(&error, ModelError::Failed { reason, .. } if reason.contains("as it was told")),
        "{error}"
    );
    until(|| home.models.loaded().is_empty()).await;
    assert_eq!(home.models.chat(None, chat("x"), None).await.unwrap().text, "x");
}

#[tokio::test]
async fn a_file_that_changed_is_never_loaded() {
    let home = home(LONG, 1 << 30);
    let path = home.folder.path().join("first.gguf");
    durable::write(&path, &Draft::of("qwen2").bytes(), Mode::Public).unwrap();
    let error = home.models.chat(None, chat("x"), None).await.unwrap_err();
    assert!(
        matches!(&error, ModelError::Unfit { reason, .. } if reason.contains("the card says")),
        "{error}"
    );
    assert_eq!(home.parrot.loads.load(Ordering::SeqCst), 0);
}

#[tokio::test]
async fn a_model_that_does_not_load_says_why_to_whoever_asked() {
    let home = home(LONG, 1 << 30);
    add(home.folder.path(), "broken", "phi3");
    let error = home.models.chat(None, chat("x"), None).await.unwrap_err();
    assert!(matches!(&error, ModelError::Unfit { reason, .. } if reason.contains("do not fit")), "{error}");
    until(|| home.models.loaded().is_empty()).await;
}

#[tokio::test]
async fn a_model_added_later_is_seen() {
    let home = home(LONG, 1 << 30);
    let card = add(home.folder.path(), "later", "qwen3");
    assert_eq!(home.models.text(), Some(card.reference()));
    // A list that is broken meanwhile changes nothing.
    durable::write(&home.folder.path().join(LIST), b"{", Mode::Public).unwrap();
    assert_eq!(home.models.cards().len(), 4);
}

#[tokio::test]
async fn without_a_model_or_an_engine_every_answer_says_so() {
    let none = Models::none();
    assert!(none.text().is_none() && none.embedder().is_none() && none.cards().is_empty());
    assert!(matches!(none.chat(None, chat("x"), None).await, Err(ModelError::Missing { .. })));
    assert!(matches!(none.embed(vec!["x".to_owned()]).await, Err(ModelError::Missing { .. })));
    let home = home(LONG, 1 << 30);
    let without = Models::with(Settings::new(home.folder.path().to_owned()), None).unwrap();
    assert!(without.text().is_none() && without.embedder().is_none());
    assert_eq!(without.cards().len(), 3);
    assert!(matches!(without.chat(None, chat("x"), None).await, Err(ModelError::NoEngine)));
    let error = home.models.chat(Some("nobody"), chat("x"), None).await.unwrap_err().to_string();
    assert!(error.contains("text model `nobody`"), "{error}");
    let error = home.models.chat(Some("vectors"), chat("x"), None).await.unwrap_err().to_string();
    assert!(error.contains("text model `vectors`"), "{error}");
}

#[tokio::test]
async fn questions_that_cannot_be_asked_are_refused_before_anything_is_loaded() {
    let home = home(LONG, 1 << 30);
    let change = |change: &dyn Fn(&mut Chat)| {
        let mut chat = chat("x");
        change(&mut chat);
        chat
    };
    let bad = [
        change(&|chat| chat.messages.clear()),
        change(&|chat| chat.messages[0].content = "x".repeat(1 << 20)),
        change(&|chat| chat.max_tokens = 0),
        change(&|chat| chat.temperature = f32::NAN),
        change(&|chat| chat.temperature = 2.5),
        change(&|chat| chat.top_p = 0.0),
        change(&|chat| chat.top_p = f32::NAN),
        change(&|chat| chat.stop = vec![String::new()]),
        change(&|chat| chat.stop = vec!["x".to_owned(); 9]),
        change(&|chat| chat.budget_millis = 0),
        change(&|chat| chat.budget_millis = u64::MAX),
    ];
    for chat in bad {
        let end = home.models.chat(None, chat.clone(), None).await;
        assert!(matches!(end, Err(ModelError::Invalid { .. })), "{chat:?}");
    }
    for texts in [Vec::new(), vec![String::new(); 5000], vec!["x".repeat(9 << 20)]] {
        assert!(matches!(home.models.embed(texts).await, Err(ModelError::Invalid { .. })));
    }
    assert_eq!(home.parrot.loads.load(Ordering::SeqCst), 0);
}

/// An endpoint that answers like a parrot, and waits when it is told to.
#[derive(Debug)]
struct Far;

impl Endpoint for Far {
    fn text(&self) -> Option<ModelRef> {
        Some(ModelRef { name: "far".to_owned(), file: None })
    }

    fn embedder(&self) -> Option<ModelRef> {
        None
    }

    fn chat(
        &self,
        chat: &Chat,
        each: &mut dyn FnMut(&str) -> ControlFlow<()>,
    ) -> Result<Completion, ModelError> {
        let mut here = Loaded(ModelRef { name: "far".to_owned(), file: None }, Arc::new(AtomicUsize::new(1)));
        here.complete(chat, each)
    }

    fn embed(&self, _: &[String]) -> Result<Embedded, ModelError> {
        Err(ModelError::Missing { what: "embedding model".to_owned() })
    }
}

#[tokio::test]
async fn an_endpoint_answers_before_the_shelf_and_the_shelf_by_name() {
    let home = home(LONG, 1 << 30);
    let settings = Settings { endpoint: Some(Arc::new(Far)), ..Settings::new(home.folder.path().to_owned()) };
    let models = Models::with(settings, Some(home.parrot.clone())).unwrap();
    assert_eq!(models.chat(None, chat("x"), None).await.unwrap().model.name, "far");
    assert_eq!(models.chat(Some("first"), chat("x"), None).await.unwrap().model.name, "first");
    // What the endpoint does not have, the shelf has.
    assert_eq!(models.embed(vec!["x".to_owned()]).await.unwrap().model.name, "vectors");
    let calls: Vec<_> = (0..=MAX_CALLS)
        .map(|_| {
            let models = models.clone();
            tokio::spawn(async move { models.chat(None, chat("wait"), None).await })
        })
        .collect();
    until(|| calls.iter().any(tokio::task::JoinHandle::is_finished)).await;
    for call in calls {
        if call.is_finished() {
            assert!(matches!(call.await.unwrap(), Err(ModelError::Busy { .. })));
        } else {
            call.abort();
        }
    }
}
