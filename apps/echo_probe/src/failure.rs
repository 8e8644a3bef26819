//! How a command of the program fails, and with which exit code.

use std::process::ExitCode;

/// Why the program ends with an error. The message ends in what to do.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Failure {
    /// It could not be done (exit code 1).
    #[error("{0}")]
    Failed(String),
    /// The command line makes no sense (exit code 2, as for what clap refuses).
    #[error("{0}")]
    Usage(String),
    /// It would be wrong to do it: something is not trusted or not allowed (exit code 3).
    #[error("{0}")]
    Refused(String),
}

impl Failure {
    /// The failure that `error` is.
    pub(crate) fn of(error: impl std::fmt::Display) -> Self {
        Self::Failed(error.to_string())
    }

    /// What the shell gets.
    pub(crate) fn exit_code(&self) -> ExitCode {
        ExitCode::from(match self {
            Self::Failed(_) => 1,
            Self::Usage(_) => 2,
            Self::Refused(_) => 3,
        })
    }
}
