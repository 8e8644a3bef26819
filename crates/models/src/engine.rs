//! What runs a model's file in this process.

use std::{fmt, path::Path};

use crate::{Card, Embedder, ModelError, TextModel, gguf::Header};

/// Loads a model, gives it to `serve`, and unloads it when that returns. It blocks: call it on a thread of its own.
pub(crate) trait Engine: Send + Sync + fmt::Debug {
    /// A model that makes text.
    fn text(&self, file: &Loading<'_>, serve: &mut dyn FnMut(&mut dyn TextModel)) -> Result<(), ModelError>;

    /// A model that makes vectors.
    fn embedding(
        &self,
        file: &Loading<'_>,
        serve: &mut dyn FnMut(&mut dyn Embedder),
    ) -> Result<(), ModelError>;
}

/// A file that was checked and shall be loaded.
#[derive(Debug, Clone, Copy)]
#[cfg_attr(not(feature = "llama"), allow(dead_code, reason = "read by the engine alone"))]
pub(crate) struct Loading<'a> {
    /// What is known about it.
    pub card: &'a Card,
    /// Where it lies.
    pub path: &'a Path,
    /// What its header says.
    pub header: &'a Header,
    /// On how many threads it computes.
    pub threads: u32,
}

/// The engine that this program was built with.
#[cfg(feature = "llama")]
#[expect(clippy::unnecessary_wraps, reason = "a program without the engine has none")]
pub(crate) fn built_in() -> Option<std::sync::Arc<dyn Engine>> {
    Some(std::sync::Arc::new(crate::llama::Llama))
}

/// This program was built without an engine.
#[cfg(not(feature = "llama"))]
pub(crate) fn built_in() -> Option<std::sync::Arc<dyn Engine>> {
    None
}
