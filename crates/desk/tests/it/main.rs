//! The main flow at the desk, with a device that does the real work on a scratch root.

#![expect(clippy::unwrap_used, reason = "all of this is test code, not only its test functions")]

mod agent_keys;
mod cancel;
mod device;
mod exception;
mod export;
mod federation;
mod flow;
mod home;
mod keys;
mod mesh;
mod mesh_calls;
mod mesh_witness;
mod mutation;
mod people;
mod rotation;
mod set_back;
mod vault;
mod witness;
