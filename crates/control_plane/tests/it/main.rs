//! The API over HTTP, against a real desk in a temporary home.

#![expect(clippy::unwrap_used, reason = "all of this is test code, not only its test functions")]

mod agent_keys;
mod ask;
mod conform;
mod devices;
mod erasure;
mod events;
mod house;
mod idempotency;
mod isolation;
mod ledgers;
mod limits;
mod mesh;
mod people;
mod routes;
mod schedule;
mod tokens;
mod walk;
mod witness;
mod world;
