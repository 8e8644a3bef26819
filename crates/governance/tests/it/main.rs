//! Rotations from the outside, on simulated time: run, cut off after every step, resumed, signed by ceremony.

#![expect(clippy::unwrap_used, reason = "all of this is test code, not only its test functions")]

mod ceremony;
mod emergency;
mod notice;
mod parse;
mod plan;
mod scheduled;
mod world;
