//! The compiled probe against a real platform: a desk on disk, served over HTTP on a free port.

#![expect(clippy::unwrap_used, reason = "all of this is test code, not only its test functions")]

mod enrolment;
mod kill;
mod main_flow;
mod platform;
mod probe;
mod pulses;
mod rotation;
