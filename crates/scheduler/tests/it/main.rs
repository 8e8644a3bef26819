//! The scheduler on simulated time.

#![expect(clippy::unwrap_used, reason = "all of this is test code, not only its test functions")]

mod clocks;
mod expressions;
mod oracle;
mod policies;
mod power;
mod world;
mod year;
