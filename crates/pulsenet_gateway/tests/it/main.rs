//! The gateway over real sockets on this machine.

#![expect(clippy::unwrap_used, reason = "all of this is test code, not only its test functions")]

mod carry;
mod enter;
mod house;
