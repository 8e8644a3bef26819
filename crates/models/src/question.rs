//! A question on its way to a model's thread.

use std::{
    ops::ControlFlow,
    thread,
    time::{Duration, Instant},
};

use tokio::sync::{mpsc, oneshot};

use crate::{Chat, Completion, Embedded, ModelError};

/// How often somebody who reads slowly is waited for.
const PAUSE: Duration = Duration::from_millis(2);

/// Where an answer goes. Dropped by the asker, the question is cancelled.
pub(crate) type Answer<T> = oneshot::Sender<Result<T, ModelError>>;

/// What a model is asked.
pub(crate) enum Question {
    /// To go on with a conversation.
    Chat { chat: Chat, pieces: Option<mpsc::Sender<String>>, answer: Answer<Completion> },
    /// To turn texts into vectors.
    Embed { texts: Vec<String>, answer: Answer<Embedded> },
}

impl Question {
    /// Answers that it cannot be answered.
    pub fn refuse(self, error: ModelError) {
        // Whoever asked may have gone.
        match self {
            Self::Chat { answer, .. } => drop(answer.send(Err(error))),
            Self::Embed { answer, .. } => drop(answer.send(Err(error))),
        }
    }

    /// Whether nobody waits for the answer.
    pub fn is_abandoned(&self) -> bool {
        match self {
            Self::Chat { answer, .. } => answer.is_closed(),
            Self::Embed { answer, .. } => answer.is_closed(),
        }
    }
}

/// Who listens to a model's pieces, and until when.
pub(crate) struct Listener<'a> {
    pieces: Option<&'a mpsc::Sender<String>>,
    gone: &'a dyn Fn() -> bool,
    until: Instant,
}

impl<'a> Listener<'a> {
    /// Whoever reads `pieces`, while not `gone`, for a conversation's time.
    pub fn new(
        pieces: Option<&'a mpsc::Sender<String>>,
        gone: &'a dyn Fn() -> bool,
        budget_millis: u64,
    ) -> Self {
        Self { pieces, gone, until: Instant::now() + Duration::from_millis(budget_millis) }
    }

    /// Hands a piece on; `Break` when nobody listens any more.
    pub fn hear(&self, piece: &str) -> ControlFlow<()> {
        if (self.gone)() {
            return ControlFlow::Break(());
        }
        let Some(pieces) = self.pieces else { return ControlFlow::Continue(()) };
        if piece.is_empty() {
            return if pieces.is_closed() { ControlFlow::Break(()) } else { ControlFlow::Continue(()) };
        }
        let mut waiting = piece.to_owned();
        loop {
            match pieces.try_send(waiting) {
                Ok(()) => return ControlFlow::Continue(()),
                Err(mpsc::error::TrySendError::Full(piece))
                    if Instant::now() < self.until && !(self.gone)() =>
                {
                    waiting = piece;
                    thread::sleep(PAUSE);
                }
                Err(_) => return ControlFlow::Break(()),
            }
        }
    }
}
