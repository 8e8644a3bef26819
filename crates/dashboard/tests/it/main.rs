//! The pages over a real desk.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on should stop here")]

mod crowd;
#[path = "../../../desk/tests/it/device.rs"]
#[expect(dead_code, reason = "the desk's own tests use the rest")]
mod device;
mod guard;
mod mesh;
mod pages;
mod people;
mod retired;
mod schedule;
mod seed;
mod session;
mod visit;
