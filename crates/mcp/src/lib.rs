//! Face: Echo's skills for any agent framework, through the Model Context Protocol (MCP).
//!
//! Skills are tools, signed documents are resources, playbooks are prompts. A call comes with a principal that the API has
//! let in, and goes to the desk like any other: authorised, within the plan and the caller's cap, metered, receipted. The
//! answer holds the receipt with its inclusion proof.
//!
//! Stateless: each request is answered by itself (no session), as JSON. The protocol itself is `rmcp`'s.
//!
//! What may not come in: rules about cases, money or who may do what (they are the desk's), approving a change (a person
//! does that), SQL, files.

mod arguments;
mod failure;
mod message;
mod once;
mod prompts;
mod records;
mod resources;
mod server;
mod skills;
mod tools;

use std::sync::Arc;

use axum::Router;
use desk::Desk;
use rmcp::transport::streamable_http_server::{
    StreamableHttpServerConfig, StreamableHttpService, session::never::NeverSessionManager,
};

pub use message::{Told, read_message};

use crate::server::Server;

/// Where the protocol is spoken.
pub const PATH: &str = "/mcp";
/// The largest request: an intake's answers are the largest thing in one.
const MAX_REQUEST: usize = 256 * 1024;

/// The route. Whoever serves it puts the caller's [`access::Principal`] into each request's extensions; without one every
/// call is refused.
pub fn router(desk: Desk) -> Router {
    // Whose `Host` a request carries says nothing here: every request must bring a token of its own.
    let config = StreamableHttpServerConfig::default()
        .with_legacy_session_mode(false)
        .with_json_response(true)
        .with_max_request_body_bytes(MAX_REQUEST)
        .disable_allowed_hosts();
    let server = Server::new(desk);
    let sessions = Arc::new(NeverSessionManager::default());
    Router::new()
        .route_service(PATH, StreamableHttpService::new(move || Ok(server.clone()), sessions, config))
}
