//! The main flow at the desk, with a device that does the real work on a scratch root.

#![expect(clippy::unwrap_used, reason = "all of this is test code, not only its test functions")]

mod cancel;
mod device;
mod export;
mod flow;
mod home;
mod keys;
mod mutation;
mod people;
mod set_back;
