//! `echo_cli` as its users meet it: the compiled program, the real platform, the real probe, real files.

#![expect(clippy::unwrap_used, reason = "all of this is test code, not only its test functions")]

mod agent_keys;
mod attestation;
mod backup;
mod bundle;
mod documents;
mod fixture;
mod keystore;
mod ledger;
mod model;
mod people;
mod retry;
mod session;
mod tour;
mod treasury;
mod triage;
mod trust;
mod vault;
mod verify;
