//! What a model is asked, and what it answers.

use std::ops::ControlFlow;

use echo_core::Digest;
use serde::{Deserialize, Serialize};

use crate::ModelError;

/// Which model, exactly.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ModelRef {
    /// Its name on the shelf, or at the endpoint.
    pub name: String,
    /// SHA-256 of its file; nothing for a model behind an endpoint, whose weights we do not see.
    pub file: Option<Digest>,
}

/// Who says a message.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Speaker {
    /// The platform's own instructions.
    System,
    /// Whoever asks.
    User,
    /// The model.
    Assistant,
}

/// One message of a conversation.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Message {
    /// Who says it.
    #[serde(rename = "role")]
    pub speaker: Speaker,
    /// What is said.
    pub content: String,
}

/// A conversation to go on with.
#[derive(Debug, Clone, PartialEq)]
pub struct Chat {
    /// What was said, oldest first.
    pub messages: Vec<Message>,
    /// The most tokens of the answer.
    pub max_tokens: u32,
    /// 0 takes the likeliest token each time; up to 2.
    pub temperature: f32,
    /// Only the likeliest tokens that together have this probability, 0 to 1.
    pub top_p: f32,
    /// Of the sampler: the same seed, model and prompt answer the same.
    pub seed: u32,
    /// The answer ends before any of these.
    pub stop: Vec<String>,
    /// The most milliseconds from the first token of the prompt to the last of the answer.
    pub budget_millis: u64,
}

/// Why an answer ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Finish {
    /// The model said that it is done, or came to a stop word.
    Stop,
    /// The tokens or the context were used up.
    Length,
    /// The time was used up.
    Late,
    /// Nobody listens any more.
    Cancelled,
}

/// A model's answer.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Completion {
    /// Who answered.
    pub model: ModelRef,
    /// All of it.
    pub text: String,
    /// Tokens of the prompt.
    pub prompt_tokens: u32,
    /// Tokens of the answer.
    pub completion_tokens: u32,
    /// Why it ended.
    pub finish: Finish,
}

/// Texts as vectors of length 1, in the order they came.
#[derive(Debug, Clone, PartialEq)]
pub struct Embedded {
    /// Which model made them.
    pub model: ModelRef,
    /// One a text.
    pub vectors: Vec<Vec<f32>>,
    /// Tokens of all texts.
    pub tokens: u32,
}

/// A loaded model that goes on with a conversation. It blocks: call it on a thread of its own.
pub trait TextModel: Send {
    /// Which model.
    fn reference(&self) -> &ModelRef;

    /// The most tokens of prompt and answer together.
    fn context(&self) -> u32;

    /// Answers, giving each piece of text as it comes; `Break` cancels.
    fn complete(
        &mut self,
        chat: &Chat,
        each: &mut dyn FnMut(&str) -> ControlFlow<()>,
    ) -> Result<Completion, ModelError>;
}

/// A loaded model that turns texts into vectors. It blocks: call it on a thread of its own.
pub trait Embedder: Send {
    /// Which model.
    fn reference(&self) -> &ModelRef;

    /// How many numbers a vector has.
    fn dimensions(&self) -> usize;

    /// One vector a text; a text longer than the model reads counts by its beginning.
    fn embed(&mut self, texts: &[&str]) -> Result<Embedded, ModelError>;
}
