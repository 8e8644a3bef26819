//! Face: Echo's skills for other agents, through the `Agent2Agent` protocol (A2A) 1.0, its JSON-RPC binding.
//!
//! An agent reads the card, sends a message, and gets a task: a call of a skill. A task's id is the call's, its context
//! is the case, its artifacts are what the skill answered and the signed receipt with its inclusion proof. A call comes
//! with a principal that the API has let in, and goes to the desk like any other.
//!
//! The types are ours, and hold what is used here: the protocol asks readers to pass over what they do not know.
//!
//! What may not come in: rules about cases, money or who may do what (they are the desk's), approving a change (a person
//! does that), SQL, files.

mod card;
mod fault;
mod follow;
mod message;
mod rpc;
mod send;
mod task;
mod tasks;

use std::sync::Arc;

use axum::{
    Router,
    extract::DefaultBodyLimit,
    routing::{get, post},
};
use desk::Desk;
use tokio::sync::{Semaphore, watch};

/// Where the protocol is spoken.
pub const PATH: &str = "/a2a";
/// Where the card lies (A2A 1.0, section 8.2).
pub const CARD_PATH: &str = "/.well-known/agent-card.json";
/// The largest request, in bytes: a text about a case is the largest thing in one.
const MAX_BODY: usize = 256 * 1024;
/// The most streams at once; each holds a connection and reads the database on every change.
const MAX_STREAMS: usize = 256;

/// What every request needs at hand.
#[derive(Clone)]
struct Shared {
    desk: Desk,
    streams: Arc<Semaphore>,
    /// Becomes `true` when the program stops: streams then end.
    stopping: watch::Receiver<bool>,
}

/// The route for callers. Whoever serves it puts the caller's [`access::Principal`] into each request's extensions; without
/// one every request is refused.
pub fn router(desk: Desk, stopping: watch::Receiver<bool>) -> Router {
    let shared = Shared { desk, streams: Arc::new(Semaphore::new(MAX_STREAMS)), stopping };
    Router::new().route(PATH, post(rpc::answer)).layer(DefaultBodyLimit::max(MAX_BODY)).with_state(shared)
}

/// The agent's card, for everybody. `url` is the address by which others reach the platform, such as
/// `https://help.example.org`; with one, the card is signed by the operator. Without, it names the host that it was asked by.
pub fn card_router(desk: Desk, url: Option<String>) -> Router {
    Router::new().route(CARD_PATH, get(card::read)).with_state(card::Cards::new(desk, url))
}
