//! Ground: secrets that can be put on a sealed machine after it was built.
//!
//! A vault is a folder of age files (`HOME/vault_v1/`). Whoever has its recipient can seal a secret for it on any
//! machine; bringing the sealed file needs nothing secret; only what opens the vault (a passphrase, a key file, some of
//! several shares) gives a value back, and that is written down, on the disk, before the value is given.
//!
//! Flow of one access: lock, read the audit and the index and check both, settle what a crash left, make versions of
//! what was brought, do the work, write it down, answer.
//!
//! What may not come in: HTTP, SQL, command lines, the ledger, any knowledge of what a secret is for.

mod age_file;
mod attempts;
mod audit;
mod change;
mod description;
mod disk;
mod envelope;
mod error;
mod hand_over;
mod index;
mod keys;
mod name;
mod pending;
mod protect;
mod rotate;
mod sealed;
mod secret;
mod session;
mod share;
#[cfg(test)]
mod tests;
mod vault;
mod verify;

pub use age_file::{DEFAULT_WORK, Identity, MAX_WORK, Recipient, RecipientError};
pub use attempts::{MAX_FAILURES, WINDOW_SECONDS};
pub use audit::{Actor, AuditHead, AuditLine, MAX_AUDIT_BYTES, MAX_LINE, MAX_WORDS, Outcome, What};
pub use description::{Description, IdentityRecord, MAX_IDENTITIES};
pub use disk::VAULT_FOLDER;
pub use envelope::{MAX_SEALED_BYTES, MAX_VERSIONS, seal};
pub use error::VaultError;
pub use hand_over::{MAX_HAND_OVERS, MAX_TOKEN_BYTES, MAX_TTL_SECONDS, Token};
pub use index::{Entry, MAX_ENTRIES, MAX_INDEX_BYTES, MAX_NAMESPACES, VersionState};
pub use name::{MAX_NAME, MAX_RECEIVER, Name, NameError, Receiver, SecretRef};
pub use pending::{MAX_PENDING, Pending};
pub use protect::{
    MAX_KEY_FILE, MAX_PASSPHRASE, MIN_PASSPHRASE, Protect, Protection, SharedKey, Unseal, create_key_file,
};
pub use sealed::{Listing, Sealed, Standing};
pub use secret::{MAX_VALUE, Secret};
pub use share::{MAX_SHARE_TEXT, MAX_SHARES, MIN_THRESHOLD, Purpose, Share, ShareError};
pub use vault::Vault;
pub use verify::Checked;
