//! Ground: state that survives. Records, idempotency keys, counters, the ledger outbox and the event stream,
//! in one SQL database.
//!
//! Every statement is written once, in the dialect that SQLite and PostgreSQL share (`$1` placeholders, TEXT,
//! BIGINT and BYTEA/BLOB columns, `ON CONFLICT`). Every read names its [`Scope`], so a query that forgets whose
//! data it may see does not compile.
//!
//! One [`Tx`] is one unit of work: what a request changes, the answer kept under its idempotency key and the
//! ledger entries it owes are committed together or not at all.
//!
//! What may not come in: what a case or a receipt *is* (a [`Record`] says its own kind, owner and state), HTTP,
//! signatures, the ledger's files.

mod check;
mod copy;
mod erase;
mod error;
mod events;
mod heads;
mod idempotency;
mod open;
mod outbox;
mod record;
mod schema;
mod tx;

pub use erase::Owned;
pub use error::StoreError;
pub use events::StoredEvent;
pub use heads::LogHead;
pub use idempotency::StoredReply;
pub use open::Store;
pub use outbox::OutboxEntry;
pub use record::{Filter, Record, Scope};
pub use tx::Tx;
