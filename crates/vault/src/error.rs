//! Why the vault does not do something. No message holds a secret, a passphrase or a share.

use std::path::PathBuf;

use durable::DurableError;

use crate::{
    MAX_AUDIT_BYTES, MAX_ENTRIES, MAX_NAMESPACES, MAX_PASSPHRASE, MAX_PENDING, MAX_SEALED_BYTES, MAX_VALUE,
    MAX_VERSIONS, MIN_PASSPHRASE, name::NameError, share::ShareError,
};

/// Why the vault does not do something.
#[derive(Debug, thiserror::Error)]
pub enum VaultError {
    /// There is no vault.
    #[error("there is no vault in {}: make one with `echo_cli vault init`", .0.display())]
    Missing(PathBuf),
    /// There is one already.
    #[error("there is a vault in {} already: it is not made anew; move the folder away if you mean to", .0.display())]
    Exists(PathBuf),
    /// Another process works with it.
    #[error("another process is working with {}: try again in a moment", .0.display())]
    Locked(PathBuf),
    /// A file is not as the vault left it.
    #[error(
        "{file} was changed, removed or put back from an older copy: {why}; restore the whole of vault_v1 from one backup, and find out who was there"
    )]
    Tampered {
        /// Which file, relative to the vault.
        file: String,
        /// What does not hold.
        why: String,
    },
    /// A file is not one that this program reads.
    #[error("{file} cannot be read: {why}; restore the whole of vault_v1 from one backup")]
    Damaged {
        /// Which file, relative to the vault.
        file: String,
        /// What is wrong with it.
        why: String,
    },
    /// What was given does not open the vault.
    #[error(
        "this {0} does not open the vault, or identity.age was changed: try again, or restore vault_v1 from your backup"
    )]
    Wrong(&'static str),
    /// Another kind of thing opens the vault.
    #[error("the vault is opened by {needs}, not by {given}")]
    NeedsOther {
        /// What opens it.
        needs: &'static str,
        /// What was given.
        given: &'static str,
    },
    /// Too many wrong passphrases.
    #[error("there were too many wrong passphrases: try again in {retry_after_seconds} s")]
    TooManyTries {
        /// When to try again.
        retry_after_seconds: u64,
    },
    /// The identity that this process holds is not the vault's any more.
    #[error("the vault's identity was changed by another process: unseal it again (restart the platform)")]
    Rotated,
    /// A passphrase is too short or too long.
    #[error(
        "a passphrase must have {MIN_PASSPHRASE} to {MAX_PASSPHRASE} bytes: choose several words that nobody would guess together"
    )]
    PassphraseLength,
    /// A file does not hold what opens a vault.
    #[error("{} does not hold {what}: check the path", path.display())]
    KeyFile {
        /// Which file.
        path: PathBuf,
        /// What it should hold.
        what: &'static str,
    },
    /// Others may read a file with a secret.
    #[error("{} opens the vault, and others may read it: say `chmod 600` on it; if somebody may have read it, `echo_cli vault protect` with something new, then `echo_cli vault rotate`, then replace the secrets", .0.display())]
    Readable(PathBuf),
    /// A file would be overwritten.
    #[error("{} is there already, and is not overwritten: choose another name", .0.display())]
    FileThere(PathBuf),
    /// A share is not good.
    #[error(transparent)]
    Share(#[from] ShareError),
    /// A name is not good.
    #[error(transparent)]
    Name(#[from] NameError),
    /// There is no such secret or version.
    #[error("there is no {0} in the vault: `echo_cli vault list` shows what there is")]
    NotFound(String),
    /// A value is empty or too long.
    #[error("a secret has 1 to {MAX_VALUE} bytes, and this one has {0}")]
    ValueSize(usize),
    /// Something is full.
    #[error(
        "the vault is full: at most {MAX_NAMESPACES} namespaces, {MAX_VERSIONS} versions of a secret, {MAX_ENTRIES} versions in all, {MAX_PENDING} waiting; {0}"
    )]
    Full(String),
    /// The audit file is full.
    #[error(
        "audit.jsonl has {MAX_AUDIT_BYTES} bytes, and nothing is handed out that cannot be written down: archive it with `echo_cli vault audit --archive`"
    )]
    AuditFull,
    /// What came is not a sealed secret.
    #[error(
        "this is not a sealed secret ({0}): seal it with `echo_cli vault seal`; at most {MAX_SEALED_BYTES} bytes"
    )]
    NotSealed(String),
    /// A sealed secret is not the one that was expected.
    #[error(
        "the sealed secret has the digest {found}, not {expected}: it was exchanged on its way; bring it again"
    )]
    OtherDigest {
        /// What came.
        found: String,
        /// What was expected.
        expected: String,
    },
    /// A hand-over is refused.
    #[error("this hand-over is refused: {0}")]
    HandOver(String),
    /// A file could not be read or written.
    #[error(transparent)]
    Durable(#[from] DurableError),
}

impl VaultError {
    pub(crate) fn tampered(file: impl Into<String>, why: impl Into<String>) -> Self {
        Self::Tampered { file: file.into(), why: why.into() }
    }

    pub(crate) fn damaged(file: &str, why: &impl std::fmt::Display) -> Self {
        Self::Damaged { file: file.to_owned(), why: why.to_string() }
    }
}
