//! Endpoints on loopback, with real sockets.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking, in its set-up too")]

mod flood;
mod house;
mod links;
mod refused;
mod relay;
mod relayed;
mod turn;
