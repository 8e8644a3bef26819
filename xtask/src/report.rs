//! What a check found: errors fail the command, warnings are said.

use std::fmt;

/// The findings of one command.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Report {
    /// The command's name, which opens the closing line.
    pub name: &'static str,
    /// What was looked at, for the closing line: `214 files`.
    pub looked_at: String,
    /// Findings that fail the command.
    pub errors: Vec<String>,
    /// Findings that are only said.
    pub warnings: Vec<String>,
}

impl Report {
    /// An empty report of the command `name`.
    pub fn new(name: &'static str) -> Self {
        Self { name, ..Self::default() }
    }

    /// Adds an error about `place` (`path` or `path:line`).
    pub fn error(&mut self, place: impl fmt::Display, message: impl fmt::Display) {
        self.errors.push(format!("{place}: {message}"));
    }

    /// Adds a warning about `place`.
    pub fn warn(&mut self, place: impl fmt::Display, message: impl fmt::Display) {
        self.warnings.push(format!("{place}: {message}"));
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for warning in &self.warnings {
            writeln!(f, "warning: {warning}")?;
        }
        for error in &self.errors {
            writeln!(f, "error: {error}")?;
        }
        let (errors, warnings) = (self.errors.len(), self.warnings.len());
        write!(f, "{}: {}, {errors} errors, {warnings} warnings", self.name, self.looked_at)
    }
}
