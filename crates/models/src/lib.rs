//! Ground: local models, what holds their weights, and how they are asked.
//!
//! A model proposes; it decides nothing. What it is given and what it answers is data: whoever asks checks the answer
//! against a schema and goes on without a model when there is none. Every answer names the model that made it, by its
//! file's SHA-256.
//!
//! Data flow: a file, its header checked, on the shelf -> a question -> the room of its model (one thread, loaded when
//! asked, unloaded when idle) or an endpoint -> an answer. Without the feature `llama` no file is ever loaded.
//!
//! What may not come in: prompts, customers, prices, retrieval, HTTP, the command line.

mod ask;
mod card;
#[cfg(test)]
mod draft;
mod endpoint;
mod engine;
mod error;
pub mod gguf;
pub mod limits;
#[cfg(feature = "llama")]
mod llama;
mod models;
mod question;
mod rooms;
pub mod shelf;
#[cfg(any(feature = "llama", test))]
mod speech;
mod trial;

pub use ask::{Chat, Completion, Embedded, Embedder, Finish, Message, ModelRef, Speaker, TextModel};
pub use card::{Card, Kind};
pub use endpoint::Endpoint;
pub use error::ModelError;
pub use models::{MAX_CALLS, Models, Settings};
pub use rooms::{MAX_CONTEXT, QUEUE};
pub use shelf::{About, Shelf};
pub use trial::trial;
