//! Ground: who may sign what, and whether somebody did.
//!
//! Keys and their encrypted store, DSSE envelopes, in-toto statements, the trust registry with its root,
//! device manifests and signed content files. Pure functions over bytes; the few that read or write a file of
//! the home directory say so, take its path, and go through `durable`.
//!
//! Every question here ends in one of two ways: the payload, or the reason why it is not believed. Nobody reads
//! a signed payload without naming who may have signed it.
//!
//! What may not come in: SQL, HTTP, the ledger, any knowledge of cases, bills or playbooks.

pub mod attestation;
pub mod chain;
pub mod content;
pub mod did;
pub mod dsse;
pub mod exception;
pub mod fulfilment;
pub mod key;
pub mod keystore;
pub mod manifest;
pub mod mesh_files;
pub mod registry;
pub mod revocation;
pub mod role;
pub mod statement;
#[cfg(test)]
mod test_house;

pub use chain::TrustChain;
pub use dsse::{DsseError, Envelope};
pub use fulfilment::{Fulfilment, Posture};
pub use key::{KeyId, KeyPair, PublicKey};
pub use keystore::{KeyRecord, KeyState, Keystore, KeystoreError, Protection, Unlock};
pub use manifest::NodeManifest;
pub use registry::{LogKey, Registry, Retirement, Revocation, RoleKeys, TrustError};
pub use revocation::{NodeRevocations, RevokedNode};
pub use role::KeyRole;
pub use statement::{Statement, Subject};
