//! The platform as a process: it starts, stops, and is killed.

#![expect(clippy::unwrap_used, reason = "all of this is test code, not only its test functions")]

mod full_disk;
mod http;
mod kill;
mod lifecycle;
mod program;
