//! An answer piece by piece: server-sent events (WHATWG HTML section 9.2), as the `OpenAI` API writes them.

use std::{collections::VecDeque, convert::Infallible, time::Duration};

use access::Principal;
use axum::response::{
    IntoResponse, Response, Sse,
    sse::{Event, KeepAlive},
};
use desk::{Desk, ModelChat};
use futures::Stream;
use serde_json::Value;

use crate::{failure::Failure, receipt, shape::Frame};

/// How often a stream that waits says that it is alive.
const KEEP_ALIVE: Duration = Duration::from_secs(15);
/// What stands after the last event.
const DONE: &str = "[DONE]";

/// One who is told an answer. Dropped when the caller goes away, and with it the chat, which cancels the model.
struct Telling {
    desk: Desk,
    principal: Principal,
    frame: Frame,
    include_usage: bool,
    chat: Option<ModelChat>,
    waiting: VecDeque<String>,
}

/// Tells an answer as it comes. Waits for its first piece, so that what fails before it is an ordinary error.
pub(crate) async fn tell(
    desk: Desk,
    principal: Principal,
    frame: Frame,
    mut chat: ModelChat,
    include_usage: bool,
) -> Result<Response, Failure> {
    let begin = frame.begin().map(|event| event.to_string());
    let mut telling =
        Telling { desk, principal, frame, include_usage, chat: None, waiting: begin.into_iter().collect() };
    match chat.pieces.recv().await {
        Some(piece) => {
            telling.waiting.push_back(telling.frame.piece(&piece).to_string());
            telling.chat = Some(chat);
        }
        None => telling.end(chat).await?,
    }
    Ok(Sse::new(telling.stream()).keep_alive(KeepAlive::new().interval(KEEP_ALIVE)).into_response())
}

impl Telling {
    fn stream(self) -> impl Stream<Item = Result<Event, Infallible>> {
        futures::stream::unfold(self, async |mut telling| {
            let data = telling.next().await?;
            Some((Ok(Event::default().data(data)), telling))
        })
    }

    async fn next(&mut self) -> Option<String> {
        if let Some(event) = self.waiting.pop_front() {
            return Some(event);
        }
        let mut chat = self.chat.take()?;
        if let Some(piece) = chat.pieces.recv().await {
            self.chat = Some(chat);
            return Some(self.frame.piece(&piece).to_string());
        }
        if let Err(failure) = self.end(chat).await {
            return Some(failure.body().to_string());
        }
        self.waiting.pop_front()
    }

    /// Puts the last events in line.
    async fn end(&mut self, chat: ModelChat) -> Result<(), Failure> {
        let ended = chat.end().await?;
        let echo: Value = receipt::of(&self.desk, &self.principal, &ended.call).await;
        self.waiting.push_back(self.frame.end(&ended.completion, echo).to_string());
        if self.include_usage {
            self.waiting.push_back(self.frame.usage(&ended.completion).to_string());
        }
        self.waiting.push_back(DONE.to_owned());
        Ok(())
    }
}
