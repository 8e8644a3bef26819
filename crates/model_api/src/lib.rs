//! Face: the platform's models for any program that speaks the `OpenAI` API: chats, completions, embeddings.
//!
//! A call comes with a principal that the API has let in, and goes to the desk like every call of a skill: authorised,
//! within the plan and the caller's cap, metered, receipted. The header `echo-call` names the call; the answer's `echo`
//! holds it with its receipt and inclusion proof.
//!
//! What is not offered is refused by its name, unless leaving it out changes nothing.
//!
//! What may not come in: rules about money or who may do what (they are the desk's), models' engines, SQL, files.

mod asked;
mod chat;
mod embeddings;
mod failure;
mod listed;
mod receipt;
mod shape;
mod stream;

use axum::{
    Router,
    extract::DefaultBodyLimit,
    routing::{any, get, post},
};
use desk::Desk;

/// What stands before every route.
pub const PREFIX: &str = "/openai/v1";
/// The largest request, in bytes.
const MAX_BODY: usize = 1024 * 1024;

/// The routes. Whoever serves them puts the caller's [`access::Principal`] into each request's extensions; without one
/// every call is refused.
pub fn router(desk: Desk) -> Router {
    Router::new()
        .route("/openai/v1/models", get(listed::all))
        .route("/openai/v1/models/{name}", get(listed::one))
        .route("/openai/v1/chat/completions", post(chat::chat))
        .route("/openai/v1/completions", post(chat::completion))
        .route("/openai/v1/embeddings", post(embeddings::embed))
        .route("/openai/v1/{*rest}", any(failure::unknown))
        .method_not_allowed_fallback(failure::wrong_method)
        .layer(DefaultBodyLimit::max(MAX_BODY))
        .with_state(desk)
}
