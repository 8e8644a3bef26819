//! What can go wrong at the desk, in words that say what to do.

use store::StoreError;

/// Why a step was not done. Nothing was changed, unless the variant says otherwise.
#[derive(Debug, thiserror::Error)]
pub enum DeskError {
    /// The caller's token is not good.
    #[error("{0}")]
    Unauthenticated(String),
    /// The caller may not do this.
    #[error(transparent)]
    Denied(#[from] access::Denied),
    /// There is no such thing in what the caller may see.
    #[error("there is no {what} {id}: check the id, or list what there is")]
    NotFound {
        /// What was looked for.
        what: &'static str,
        /// The id that was given, cut to 60 characters.
        id: String,
    },
    /// A field of the request is not acceptable.
    #[error("{field}: {reason}")]
    Invalid {
        /// Which field.
        field: String,
        /// What is wrong, and what to write instead.
        reason: String,
    },
    /// The thing is in a state that does not allow this.
    #[error("{0}")]
    Conflict(String),
    /// The idempotency key was used for another request.
    #[error("this Idempotency-Key was used for another request: use a fresh key for a different request")]
    KeyReused,
    /// Another request with the same key is being handled.
    #[error("a request with this Idempotency-Key is being handled: try again in a moment")]
    InFlight,
    /// The customer's plan does not cover the skill.
    #[error("{0}")]
    NotEntitled(String),
    /// The agent key does not list what was asked for.
    #[error("the agent key {key} may not call {skill}: it is for {listed}; use another key, or do without")]
    NotListed {
        /// The key's name.
        key: String,
        /// What was asked for.
        skill: String,
        /// The skills that it lists.
        listed: String,
    },
    /// The call would take the agent key above what it may spend in a month.
    #[error("{0}")]
    SpendCap(String),
    /// The skill failed too often; it rests.
    #[error("the skill {skill} failed repeatedly and rests: try again in {retry_after_seconds} s")]
    Resting {
        /// Which skill.
        skill: String,
        /// When to try again.
        retry_after_seconds: u64,
    },
    /// The change is durable but not yet in the ledger. A retry with the same idempotency key finishes it.
    #[error("accepted, but the ledger could not be written ({0}): try again with the same Idempotency-Key")]
    LedgerBehind(String),
    /// The disk is full.
    #[error("the disk is full: free some space on the platform's machine and try again; nothing was lost")]
    DiskFull,
    /// The database stayed busy for too long.
    #[error("the platform is busy: try again in a moment")]
    Busy,
    /// A model did not answer.
    #[error(transparent)]
    Model(models::ModelError),
    /// The database refused.
    #[error(transparent)]
    Store(StoreError),
    /// A file of the home directory could not be read or written.
    #[error("{0}")]
    Home(String),
    /// Something that cannot happen did.
    #[error("internal error: {0}")]
    Internal(String),
}

impl DeskError {
    /// There is no such thing.
    pub(crate) fn not_found(what: &'static str, id: &str) -> Self {
        Self::NotFound { what, id: id.chars().take(60).collect() }
    }

    /// A field is not acceptable.
    pub(crate) fn invalid(field: &str, reason: impl std::fmt::Display) -> Self {
        Self::Invalid { field: field.to_owned(), reason: reason.to_string() }
    }
}

impl From<StoreError> for DeskError {
    fn from(error: StoreError) -> Self {
        match error {
            StoreError::Duplicate { kind: "request", .. } => Self::InFlight,
            StoreError::Duplicate { kind, .. } => Self::Conflict(format!("there is such a {kind} already")),
            StoreError::DiskFull => Self::DiskFull,
            StoreError::Busy => Self::Busy,
            other => Self::Store(other),
        }
    }
}

impl From<durable::DurableError> for DeskError {
    fn from(error: durable::DurableError) -> Self {
        Self::Home(error.to_string())
    }
}

impl From<serde_json::Error> for DeskError {
    fn from(error: serde_json::Error) -> Self {
        Self::Internal(format!("JSON: {error}"))
    }
}
