//! Files that other programs made, and files that somebody made to break whoever opens them.

#![expect(clippy::unwrap_used, reason = "all of this is test code, not only its test functions")]

mod hostile;
mod samples;
