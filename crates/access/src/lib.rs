//! Ground: who is asking, and what they may do.
//!
//! Five roles, the table of what each may do, the access tokens that carry a principal (JWT, `EdDSA`), the
//! refresh families behind them, the one-time secrets that start a sign-in or an enrolment, and the standing keys of
//! programs.
//!
//! Pure functions: time, randomness and the signing key are handed in, and the records are the caller's to
//! keep. Secrets are kept as digests only and compared in constant time.
//!
//! What may not come in: HTTP, SQL, files, the wall clock, any knowledge of what a case or a bill is.

pub mod action;
pub mod agent_key;
pub mod one_time;
pub mod principal;
mod provider;
pub mod refresh;
mod secret;
pub mod token;

pub use action::{Action, allowed};
pub use agent_key::{AgentKeyError, MintedKey, is_agent_key};
pub use one_time::{OneTime, OneTimeError, Purpose};
pub use principal::{Denied, Principal, Role};
pub use refresh::{RefreshError, RefreshFamily, RevokeReason};
pub use secret::id_of;
pub use token::{ACCESS_LIFETIME, Issuer, TokenError};
