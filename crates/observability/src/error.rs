//! Why a device cannot observe itself.

/// Why an observation failed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ObserveError {
    /// The kernel's own account of the machine could not be read.
    #[error("cannot read {what}: {reason} (is /proc mounted, and may this user read it?)")]
    Read {
        /// Which file.
        what: &'static str,
        /// What the system or the parser said.
        reason: String,
    },
}

/// For `map_err`: an error about `what`.
pub(crate) fn unreadable<E: std::fmt::Display>(what: &'static str) -> impl FnOnce(E) -> ObserveError {
    move |source| ObserveError::Read { what, reason: source.to_string() }
}
