//! The main flow at the desk, with a device that does the real work on a scratch root.

#![expect(clippy::unwrap_used, reason = "all of this is test code, not only its test functions")]

mod advice;
mod agent_keys;
mod backup;
mod cancel;
mod clock;
mod device;
mod documents;
mod erasure;
mod exception;
mod export;
mod federation;
mod flow;
mod home;
mod keys;
mod learning;
mod mesh;
mod mesh_calls;
mod mesh_witness;
mod model_use;
mod mutation;
mod people;
mod rotation;
mod schedule;
mod set_back;
mod vault;
mod witness;
