//! A model somewhere else, behind an interface that the operator configured.

use std::{fmt, ops::ControlFlow};

use crate::{Chat, Completion, Embedded, ModelError, ModelRef};

/// Somewhere else that answers questions. Its calls block and have their own time limits; who implements it bounds what it
/// reads.
pub trait Endpoint: Send + Sync + fmt::Debug {
    /// The model that makes text there, when one is configured.
    fn text(&self) -> Option<ModelRef>;

    /// The model that makes vectors there, when one is configured.
    fn embedder(&self) -> Option<ModelRef>;

    /// Answers, giving each piece of text as it comes; `Break` cancels.
    fn chat(
        &self,
        chat: &Chat,
        each: &mut dyn FnMut(&str) -> ControlFlow<()>,
    ) -> Result<Completion, ModelError>;

    /// One vector of length 1 a text, in their order.
    fn embed(&self, texts: &[String]) -> Result<Embedded, ModelError>;
}
