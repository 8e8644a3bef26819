//! The store's suite, on a real database file.

#![expect(clippy::unwrap_used, reason = "all of this is test code, not only its test functions")]

use echo_core::{CaseId, CustomerId, Mint, PageRequest, Timestamp};
use serde::{Deserialize, Serialize};
use store::{Filter, LogHead, Record, Scope, Store, StoreError, StoredReply};

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct Note {
    id: CaseId,
    customer: CustomerId,
    state: String,
    key: Option<String>,
}

impl Record for Note {
    const KIND: &'static str = "note";
    fn id(&self) -> &str {
        echo_core::Id::as_str(&self.id)
    }
    fn customer(&self) -> Option<&CustomerId> {
        Some(&self.customer)
    }
    fn state(&self) -> &str {
        &self.state
    }
    fn unique(&self) -> Option<String> {
        self.key.clone()
    }
}

async fn open() -> (tempfile::TempDir, Store) {
    let home = tempfile::tempdir().unwrap();
    let store = Store::open(&home.path().join("echo.db")).await.unwrap();
    (home, store)
}

fn note(mint: &Mint, customer: &CustomerId) -> Note {
    Note { id: mint.id(), customer: customer.clone(), state: "open".into(), key: None }
}

#[tokio::test]
async fn only_what_was_committed_stays() {
    let (home, store) = open().await;
    let mint = Mint::system();
    let (kept, lost) = (note(&mint, &mint.id()), note(&mint, &mint.id()));
    let mut tx = store.write().await.unwrap();
    tx.insert(&kept).await.unwrap();
    tx.commit().await.unwrap();
    let mut tx = store.write().await.unwrap();
    tx.insert(&lost).await.unwrap();
    drop(tx);
    store.close().await;

    let store = Store::open(&home.path().join("echo.db")).await.unwrap();
    let mut tx = store.read().await.unwrap();
    assert_eq!(tx.get::<Note>(&Scope::All, kept.id()).await.unwrap(), Some(kept));
    assert_eq!(tx.get::<Note>(&Scope::All, lost.id()).await.unwrap(), None);
}

#[tokio::test]
async fn a_customer_s_scope_hides_everybody_else() {
    let (_home, store) = open().await;
    let mint = Mint::system();
    let (anna, ben): (CustomerId, CustomerId) = (mint.id(), mint.id());
    let (of_anna, of_ben) = (note(&mint, &anna), note(&mint, &ben));
    let mut tx = store.write().await.unwrap();
    tx.insert(&of_anna).await.unwrap();
    tx.insert(&of_ben).await.unwrap();
    let scope = Scope::Customer(anna);
    assert_eq!(tx.get::<Note>(&scope, of_ben.id()).await.unwrap(), None);
    assert_eq!(tx.all::<Note>(&scope, &Filter::default()).await.unwrap(), vec![of_anna]);
    assert_eq!(tx.count::<Note>(&Scope::All, &Filter::default()).await.unwrap(), 2);
}

#[tokio::test]
async fn a_unique_key_is_taken_once() {
    let (_home, store) = open().await;
    let mint = Mint::system();
    let mut tx = store.write().await.unwrap();
    let first = Note { key: Some("one".into()), ..note(&mint, &mint.id()) };
    let second = Note { key: Some("one".into()), ..note(&mint, &mint.id()) };
    tx.insert(&first).await.unwrap();
    assert!(matches!(tx.insert(&second).await, Err(StoreError::Duplicate { .. })));
    assert_eq!(tx.get_unique::<Note>(&Scope::All, "one").await.unwrap(), Some(first));
    let missing = note(&mint, &mint.id());
    assert!(matches!(tx.update(&missing).await, Err(StoreError::Missing { .. })));
}

#[tokio::test]
async fn pages_run_from_new_to_old_without_gaps() {
    let (_home, store) = open().await;
    let mint = Mint::system();
    let customer = mint.id();
    let mut tx = store.write().await.unwrap();
    let mut made = Vec::new();
    for _ in 0..7 {
        let note = note(&mint, &customer);
        tx.insert(&note).await.unwrap();
        made.push(note.id);
    }
    made.sort();
    made.reverse();
    let mut seen = Vec::new();
    let mut request = PageRequest { cursor: None, limit: Some(3) };
    loop {
        let page = tx.list::<Note>(&Scope::All, &Filter::in_state("open"), &request).await.unwrap();
        seen.extend(page.items.into_iter().map(|n| n.id));
        match page.next {
            Some(next) => request.cursor = Some(next),
            None => break,
        }
    }
    assert_eq!(seen, made);
}

#[tokio::test]
async fn an_answer_is_kept_once_for_each_caller_and_key() {
    let (_home, store) = open().await;
    let reply = StoredReply { fingerprint: "f".into(), status: 201, body: "{}".into() };
    let mut tx = store.write().await.unwrap();
    tx.keep_reply("user", "k", &reply, Timestamp::UNIX_EPOCH).await.unwrap();
    let again = tx.keep_reply("user", "k", &reply, Timestamp::UNIX_EPOCH).await;
    assert!(matches!(again, Err(StoreError::Duplicate { .. })));
    assert_eq!(tx.reply("user", "k").await.unwrap(), Some(reply));
    assert_eq!(tx.reply("another", "k").await.unwrap(), None);
}

#[tokio::test]
async fn the_outbox_is_a_queue_and_the_index_keeps_the_first_position() {
    let (_home, store) = open().await;
    let mut tx = store.write().await.unwrap();
    for leaf in ["a", "b"] {
        tx.owe("genesis", leaf, "{}").await.unwrap();
    }
    let owed = tx.owed().await.unwrap();
    assert_eq!(owed.iter().map(|o| o.leaf.as_str()).collect::<Vec<_>>(), ["a", "b"]);
    tx.settled(owed[0].seq).await.unwrap();
    assert_eq!(tx.owed().await.unwrap().len(), 1);
    tx.index_leaf("genesis", "a", 4).await.unwrap();
    tx.index_leaf("genesis", "a", 9).await.unwrap();
    assert_eq!(tx.leaf_index("genesis", "a").await.unwrap(), Some(4));
    assert_eq!(tx.followed("genesis").await.unwrap(), 0);
    tx.note_followed("genesis", 10).await.unwrap();
    assert_eq!(tx.followed("genesis").await.unwrap(), 10, "past the second position of a leaf too");
    assert_eq!(tx.followed("aeterna").await.unwrap(), 0);
}

#[tokio::test]
async fn the_head_of_a_log_is_swapped_only_by_who_knows_the_last_one() {
    let (_home, store) = open().await;
    let mut tx = store.write().await.unwrap();
    let head = |size: u64, root: &str| LogHead { size, root: root.to_owned() };
    let (one, two, other) = (head(1, "aa"), head(2, "bb"), head(2, "cc"));
    assert_eq!(tx.log_head("genesis").await.unwrap(), None);
    assert!(tx.swap_log_head("genesis", None, &one).await.unwrap());
    assert!(!tx.swap_log_head("genesis", None, &other).await.unwrap(), "there is one already");
    assert!(tx.swap_log_head("genesis", Some(&one), &two).await.unwrap());
    assert!(!tx.swap_log_head("genesis", Some(&one), &other).await.unwrap(), "it is no longer the last one");
    assert_eq!(tx.log_head("genesis").await.unwrap(), Some(two));
    assert_eq!(tx.log_head("aeterna").await.unwrap(), None);
}

#[tokio::test]
async fn events_reach_only_those_who_may_see_them() {
    let (_home, store) = open().await;
    let mint = Mint::system();
    let anna: CustomerId = mint.id();
    let mut tx = store.write().await.unwrap();
    tx.emit(Some(&anna), mint.now(), "1").await.unwrap();
    tx.emit(None, mint.now(), "2").await.unwrap();
    let all = tx.events_after(&Scope::All, 0).await.unwrap();
    assert_eq!(all.len(), 2);
    assert_eq!(tx.events_after(&Scope::Customer(anna), 0).await.unwrap().len(), 1);
    assert_eq!(tx.events_after(&Scope::All, all[1].seq).await.unwrap(), vec![]);
}

#[tokio::test]
async fn a_damaged_file_is_named_with_the_way_out() {
    let home = tempfile::tempdir().unwrap();
    let path = home.path().join("echo.db");
    std::fs::OpenOptions::new().create(true).append(true).open(&path).unwrap();
    let junk = vec![0x55; 8192];
    std::io::Write::write_all(&mut std::fs::OpenOptions::new().append(true).open(&path).unwrap(), &junk)
        .unwrap();
    let error = Store::open(&path).await.unwrap_err().to_string();
    assert!(error.contains("echo.db") && error.contains("restore"), "{error}");
}

/// Whether any file of `home` holds `word`.
fn holds(home: &std::path::Path, word: &str) -> bool {
    let files = std::fs::read_dir(home).unwrap().map(|entry| std::fs::read(entry.unwrap().path()).unwrap());
    files.into_iter().any(|bytes| bytes.windows(word.len()).any(|at| at == word.as_bytes()))
}

#[tokio::test]
async fn of_a_forgotten_customer_no_byte_stays() {
    let (home, store) = open().await;
    let mint = Mint::system();
    let (anna, ben): (CustomerId, CustomerId) = (mint.id(), mint.id());
    let mut tx = store.write().await.unwrap();
    let mut ids = Vec::new();
    for n in 0..50 {
        // Long enough for pages of their own.
        let long = "x".repeat(n * 400);
        let of_anna = Note { state: format!("annas words {n}{long}"), ..note(&mint, &anna) };
        tx.insert(&of_anna).await.unwrap();
        tx.insert(&Note { state: format!("bens words {n}"), ..note(&mint, &ben) }).await.unwrap();
        ids.push(of_anna.id.to_string());
    }
    tx.emit(Some(&anna), mint.now(), "annas event").await.unwrap();
    tx.emit(None, mint.now(), &format!("annas secret {}", ids[0])).await.unwrap();
    tx.emit(None, mint.now(), "nobodys event").await.unwrap();
    for (caller, body) in [("annas user", "x"), ("operator", ids[1].as_str()), ("operator2", "bens")] {
        let reply = StoredReply { fingerprint: "f".into(), status: 200, body: body.to_owned() };
        tx.keep_reply(caller, "k", &reply, mint.now()).await.unwrap();
    }
    tx.commit().await.unwrap();
    assert!(holds(home.path(), "annas words") && holds(home.path(), "annas secret"));

    let mut tx = store.write().await.unwrap();
    assert_eq!(tx.owned(&anna).await.unwrap().len(), 50);
    let stays = |owned: &store::Owned| owned.id == ids[49];
    assert_eq!(tx.forget_owned(&anna, stays).await.unwrap(), 49);
    assert_eq!(tx.forget_owned(&anna, |_| false).await.unwrap(), 1);
    let names = |text: &str| text.contains("annas") || ids.iter().any(|id| text.contains(id.as_str()));
    tx.forget_mentions(&["note"], names).await.unwrap();
    tx.commit().await.unwrap();
    store.scrub().await.unwrap();
    for word in ["annas", ids[0].as_str(), ids[1].as_str(), echo_core::Id::as_str(&anna)] {
        assert!(!holds(home.path(), word), "{word}");
    }
    let mut tx = store.read().await.unwrap();
    assert_eq!(tx.count::<Note>(&Scope::Customer(ben), &Filter::default()).await.unwrap(), 50);
    assert_eq!(tx.events_after(&Scope::All, 0).await.unwrap().len(), 1);
    assert!(tx.reply("operator2", "k").await.unwrap().is_some());
    assert!(tx.reply("operator", "k").await.unwrap().is_none());
}

#[tokio::test]
async fn two_may_scrub_at_once() {
    let (home, store) = open().await;
    let mint = Mint::system();
    let anna: CustomerId = mint.id();
    let mut tx = store.write().await.unwrap();
    tx.insert(&Note { state: "annas words".into(), ..note(&mint, &anna) }).await.unwrap();
    tx.commit().await.unwrap();
    let mut tx = store.write().await.unwrap();
    tx.forget_owned(&anna, |_| false).await.unwrap();
    tx.commit().await.unwrap();
    let scrubbed = tokio::join!(store.scrub(), store.scrub());
    assert!(scrubbed.0.is_ok() && scrubbed.1.is_ok(), "{scrubbed:?}");
    assert!(!holds(home.path(), "annas words"));
}
