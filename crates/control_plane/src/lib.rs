//! Face: the HTTP API under `/v1`, with its `OpenAPI` document, live events, metrics and the public ledgers.
//!
//! One endpoint is one file in [`endpoint`]: what goes in and out, and a handler that parses, asks the desk once and
//! renders. What all endpoints share stands beside it, one idea a file: problems (RFC 9457), who calls, idempotency
//! keys, rate limits, response headers, metrics.
//!
//! Data flow: request -> address limit -> caller -> caller's limit -> kept answer? -> body -> desk -> answer.
//!
//! What may not come in: any rule about cases, bills, devices or keys (they are the desk's), HTML of our own, SQL,
//! files other than the ledgers' tiles, which the world may read.

mod body;
mod caller;
pub mod endpoint;
mod guard;
mod headers;
mod idempotency;
mod limits;
mod metrics;
mod openapi;
mod options;
mod path;
mod places;
mod problem;
mod query;
mod router;
pub mod schema;
mod state;

pub use caller::ACCESS_COOKIE;
pub use openapi::openapi;
pub use options::{MoreMetrics, Options, RateLimits};
pub use problem::Problem;
pub use router::router;
