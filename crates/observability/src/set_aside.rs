//! Damaged files are kept beside their place, with a reason, so that telemetry never stops a program.

use std::{
    fmt, fs,
    path::{Path, PathBuf},
};

/// A file that could not be used.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SetAside {
    /// Which file.
    pub file: PathBuf,
    /// Where its content is now; nothing when it could not be moved.
    pub kept: Option<PathBuf>,
    /// Why it could not be used.
    pub reason: String,
}

impl fmt::Display for SetAside {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} could not be used: {}", self.file.display(), self.reason)?;
        match &self.kept {
            Some(kept) => write!(f, "; it is kept as {}", kept.display()),
            None => write!(f, "; it was left in its place"),
        }
    }
}

impl SetAside {
    /// Moves `file` to `kept`, over an older one, so that damage takes bounded space.
    pub(crate) fn new(file: &Path, kept: &Path, reason: impl fmt::Display) -> Self {
        let moved = fs::rename(file, kept).is_ok();
        let out =
            Self { file: file.to_owned(), kept: moved.then(|| kept.to_owned()), reason: reason.to_string() };
        tracing::warn!(file = %out.file.display(), reason = %out.reason, kept = moved, "telemetry file set aside");
        out
    }
}
