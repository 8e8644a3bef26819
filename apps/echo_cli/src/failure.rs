//! Why a command did not do what was asked, and the exit code that says so.

use std::{fmt, io, process::ExitCode};

/// What kind of failure it is; each has its exit code.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// It was tried and did not work: exit code 1.
    Failed,
    /// It was asked for in a way that cannot be done: exit code 2.
    Usage,
    /// Something that should be proven is not: exit code 3.
    Unverified,
    /// Whoever read the output went away; nothing is said, and the exit code is 0.
    Unread,
}

/// A failure in words: what failed, on what, and what to do next.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Failure {
    /// Of which kind.
    pub kind: Kind,
    /// What failed, and on what.
    pub message: String,
    /// What to do next; empty when the message says it already.
    pub hint: String,
}

impl Failure {
    /// It was tried and did not work.
    pub fn failed(message: impl fmt::Display) -> Self {
        Self { kind: Kind::Failed, message: message.to_string(), hint: String::new() }
    }

    /// It was asked for in a way that cannot be done.
    pub fn usage(message: impl fmt::Display) -> Self {
        Self { kind: Kind::Usage, ..Self::failed(message) }
    }

    /// Something that should be proven is not.
    pub fn unverified(message: impl fmt::Display) -> Self {
        Self { kind: Kind::Unverified, ..Self::failed(message) }
    }

    /// With what to do next.
    pub fn hint(mut self, hint: impl fmt::Display) -> Self {
        self.hint = hint.to_string();
        self
    }

    /// The exit code.
    pub fn code(&self) -> ExitCode {
        ExitCode::from(match self.kind {
            Kind::Unread => 0,
            Kind::Failed => 1,
            Kind::Usage => 2,
            Kind::Unverified => 3,
        })
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)?;
        if self.hint.is_empty() { Ok(()) } else { write!(f, "\nhint: {}", self.hint) }
    }
}

impl std::error::Error for Failure {}

impl From<durable::DurableError> for Failure {
    fn from(error: durable::DurableError) -> Self {
        Self::failed(error)
    }
}

/// Output that cannot be written.
impl From<io::Error> for Failure {
    fn from(error: io::Error) -> Self {
        match error.kind() {
            io::ErrorKind::BrokenPipe => Self { kind: Kind::Unread, ..Self::failed("") },
            _ => Self::failed(format!("cannot write the output: {error}")),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_hint_stands_on_its_own_line() {
        let failure = Failure::failed("no platform").hint("start one");
        assert_eq!(failure.to_string(), "no platform\nhint: start one");
        assert_eq!(Failure::usage("what").to_string(), "what");
    }

    #[test]
    fn a_reader_that_went_away_is_no_failure_to_speak_of() {
        let gone = Failure::from(io::Error::from(io::ErrorKind::BrokenPipe));
        assert_eq!(gone.kind, Kind::Unread);
    }
}
