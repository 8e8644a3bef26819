//! Ground: who may sign what, and whether somebody did.
//!
//! Keys and their encrypted store, DSSE envelopes, in-toto statements, the trust registry with its root,
//! device manifests and signed content files. Pure functions over bytes; only `keystore` and `content` touch
//! the disk, through `durable`.
//!
//! What may not come in: SQL, HTTP, the ledger, any knowledge of cases, bills or playbooks.

pub mod dsse;
pub mod key;
