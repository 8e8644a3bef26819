//! The book's entries on their way to the disk, one after the other, beside the loop: a slow or full disk holds up what rests
//! on an entry and nothing else.

use std::{collections::VecDeque, sync::Arc, time::Duration};

use echo_core::Digest;
use mesh::{Input, book::Entry};
use tokio::{
    task::JoinHandle,
    time::{Instant, sleep_until},
};

use crate::BookFolder;

/// How long to wait before an answer that could not be written is tried again.
const AGAIN: Duration = Duration::from_secs(1);

/// What waits for the disk. The node's book bounds it: there is at most one entry of a call.
#[derive(Debug)]
pub(crate) struct Shelf {
    book: Arc<BookFolder>,
    fresh: VecDeque<Entry>,
    /// Answers and settlements that could not be written: tried until they are.
    failed: VecDeque<Entry>,
    again: Instant,
    /// What is being written.
    busy: Option<(Entry, JoinHandle<Result<(), String>>)>,
    /// Whether the last one could not be written.
    troubled: bool,
}

impl Shelf {
    pub(crate) fn new(book: BookFolder) -> Self {
        Self {
            book: Arc::new(book),
            fresh: VecDeque::new(),
            failed: VecDeque::new(),
            again: Instant::now(),
            busy: None,
            troubled: false,
        }
    }

    /// Takes an entry to write. An older one of the same call need not be written any more.
    pub(crate) fn keep(&mut self, entry: Entry) {
        self.drop_waiting(&entry.call);
        self.fresh.push_back(entry);
    }

    /// Forgets a call's entry, here and on the disk.
    pub(crate) fn forget(&mut self, call: &Digest) {
        self.drop_waiting(call);
        self.book.forget(call);
    }

    /// The next entry that was written or given up, for the node. Waits for ever while there is none. May be dropped and
    /// called again at any time.
    pub(crate) async fn next(&mut self) -> Input {
        loop {
            if self.busy.is_none() {
                let entry = self.take().await;
                let (book, written) = (Arc::clone(&self.book), entry.clone());
                let task =
                    tokio::task::spawn_blocking(move || book.keep(&written).map_err(|why| why.to_string()));
                self.busy = Some((entry, task));
            }
            let Some((_, task)) = &mut self.busy else { continue };
            let done = task.await.unwrap_or_else(|why| Err(why.to_string()));
            let Some((entry, _)) = self.busy.take() else { continue };
            if let Some(input) = self.written(entry, done) {
                return input;
            }
        }
    }

    /// Writes what waits, until all is written: the program stops, and drops this when it cannot wait longer.
    pub(crate) async fn finish(mut self) {
        self.again = Instant::now();
        while self.busy.is_some() || !self.fresh.is_empty() || !self.failed.is_empty() {
            let _ = self.next().await;
        }
    }

    async fn take(&mut self) -> Entry {
        if let Some(entry) = self.fresh.pop_front() {
            return entry;
        }
        if self.failed.is_empty() {
            std::future::pending::<()>().await;
        }
        sleep_until(self.again).await;
        match self.failed.pop_front() {
            Some(entry) => entry,
            None => std::future::pending().await,
        }
    }

    fn written(&mut self, entry: Entry, done: Result<(), String>) -> Option<Input> {
        let call = entry.call;
        let Err(why) = done else {
            if std::mem::take(&mut self.troubled) {
                tracing::info!("calls can be written down again");
            }
            return Some(Input::EntryKept(call));
        };
        if !std::mem::replace(&mut self.troubled, true) {
            tracing::error!(
                why,
                "calls cannot be written down: new ones are refused, and answers wait, until they can; is the disk full?"
            );
        }
        if entry.answer.is_none() {
            return Some(Input::EntryLost { call, why });
        }
        self.again = Instant::now() + AGAIN;
        if !self.fresh.iter().any(|newer| newer.call == call) {
            self.failed.push_back(entry);
        }
        None
    }

    fn drop_waiting(&mut self, call: &Digest) {
        for waiting in [&mut self.fresh, &mut self.failed] {
            waiting.retain(|entry| entry.call != *call);
        }
    }
}
