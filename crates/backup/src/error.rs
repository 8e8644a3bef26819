//! Why a backup was not made, or not brought back.

use std::{error::Error, io, path::PathBuf};

use durable::DurableError;
use rustic_core::{ErrorKind, RusticError};
use vault::ShareError;

use crate::place::CONFIG;

/// What is tried when there is no repository yet.
pub(crate) const MAKE: &str = "make";
/// The most characters of what the repository's library says.
const MAX_DETAIL: usize = 600;

/// Why a backup was not made, or not brought back.
#[derive(Debug, thiserror::Error)]
pub enum BackupError {
    /// Nothing is there.
    #[error("there is no folder {}: plug the disk in, or make the folder", .0.display())]
    NoPlace(PathBuf),
    /// A folder is there, and no repository in it.
    #[error(
        "{} holds no repository: is the right disk plugged in? `echo_cli backup init` makes one",
        .0.display()
    )]
    NoRepository(PathBuf),
    /// There is one already.
    #[error("{} holds a repository already: back up into it, or name another folder", .0.display())]
    AlreadyThere(PathBuf),
    /// A folder that should be empty is not.
    #[error("{} is not empty: name a new folder, for nothing is overwritten", .0.display())]
    NotEmpty(PathBuf),
    /// The key does not open it.
    #[error(
        "the key does not open the repository in {}: bring the home's backup.key, or the shares of its sheet",
        .0.display()
    )]
    WrongKey(PathBuf),
    /// The place went away, or does not answer any more.
    #[error(
        "{} does not answer any more ({detail}): plug the disk in again and repeat; what was backed up before is sound",
        place.display()
    )]
    Gone {
        /// Where the repository was.
        place: PathBuf,
        /// What the system said.
        detail: String,
    },
    /// No space is left.
    #[error(
        "there is no space left for {}: `echo_cli backup forget` frees some; what was backed up before is sound",
        .0.display()
    )]
    Full(PathBuf),
    /// The repository cannot be used for another reason.
    #[error("cannot {action} the repository in {}: {detail}", place.display())]
    Repository {
        /// What was tried.
        action: &'static str,
        /// Where it is.
        place: PathBuf,
        /// What the library said.
        detail: String,
    },
    /// There is no such snapshot.
    #[error("there is no snapshot {0}: `echo_cli backup list` shows them")]
    NoSnapshot(String),
    /// The snapshot is not one of a home.
    #[error("snapshot {0} holds no home: it was not made by Echo; restore it with `restic`")]
    NotAHome(String),
    /// The home has more than is copied.
    #[error("{} holds more than {limit} {what}: move what is not Echo's elsewhere", home.display())]
    TooMuch {
        /// Which home.
        home: PathBuf,
        /// Of what there is too much.
        what: &'static str,
        /// The bound.
        limit: usize,
    },
    /// Files changed again and again while they were copied.
    #[error("{} changes faster than it can be copied: try again when less is going on", .0.display())]
    Restless(PathBuf),
    /// Somebody else copies it.
    #[error("another backup of {} is under way: wait for it", .0.display())]
    Busy(PathBuf),
    /// A key file is there already.
    #[error("{} is there already: keep it, for it opens what was backed up", .0.display())]
    KeyThere(PathBuf),
    /// There is no key file.
    #[error(
        "{} is not there: `echo_cli backup init` makes it; or restore it from the recovery sheet",
        .0.display()
    )]
    NoKey(PathBuf),
    /// Others may read the key.
    #[error("{} holds a key, and others may open it: say `chmod 600` on it", .0.display())]
    KeyReadable(PathBuf),
    /// A file is no key.
    #[error("{} holds no backup key: 64 digits and letters a-f", .0.display())]
    NotAKey(PathBuf),
    /// Shares do not give a key back.
    #[error(transparent)]
    Share(#[from] ShareError),
    /// Something does not fit into a QR code.
    #[error("this has {bytes} bytes, and a QR code holds {limit}: carry it as a file")]
    TooLongForQr {
        /// How many it has.
        bytes: usize,
        /// How many fit.
        limit: usize,
    },
    /// What was brought back does not hold.
    #[error("what was brought back does not hold: {0}")]
    Unsound(String),
    /// A file could not be written or read.
    #[error(transparent)]
    Durable(#[from] DurableError),
    /// The operating system refused.
    #[error("cannot {action} {}: {source}", path.display())]
    Io {
        /// What was tried.
        action: &'static str,
        /// On what.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
}

/// The same, for `map_err`.
pub(crate) fn io_error(
    action: &'static str,
    path: &std::path::Path,
) -> impl FnOnce(io::Error) -> BackupError {
    let path = path.to_owned();
    move |source| BackupError::Io { action, path, source }
}

/// What the library's error means for whoever reads it.
pub(crate) fn meaning(action: &'static str, place: &std::path::Path, error: &RusticError) -> BackupError {
    let place = place.to_owned();
    if error.is_incorrect_password() {
        return BackupError::WrongKey(place);
    }
    // It was there when it was opened.
    if action != MAKE && !place.join(CONFIG).exists() {
        let detail = cause(error).map_or_else(|| "it is not there any more".to_owned(), ToString::to_string);
        return BackupError::Gone { place, detail };
    }
    match cause(error) {
        Some(io) if matches!(io.kind(), io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded) => {
            BackupError::Full(place)
        }
        Some(io) if is_gone(io) => BackupError::Gone { place, detail: io.to_string() },
        _ => BackupError::Repository { action, place, detail: words(error) },
    }
}

/// Whether a disk was pulled: it answers with an error of its own.
fn is_gone(error: &io::Error) -> bool {
    const EIO: i32 = 5;
    const ENODEV: i32 = 19;
    matches!(error.raw_os_error(), Some(EIO | ENODEV))
}

fn cause<'e>(error: &'e RusticError) -> Option<&'e io::Error> {
    let mut next: Option<&'e (dyn Error + 'static)> = error.source();
    while let Some(error) = next {
        if let Some(io) = error.downcast_ref::<io::Error>() {
            return Some(io);
        }
        if let Some(inner) = error.downcast_ref::<RusticError>().and_then(cause) {
            return Some(inner);
        }
        next = error.source();
    }
    None
}

/// One bounded line of what the library says.
pub(crate) fn words(error: &RusticError) -> String {
    let text = error.display_log();
    let text = text.strip_prefix("Error: ").unwrap_or(&text);
    text.split_whitespace().collect::<Vec<_>>().join(" ").chars().take(MAX_DETAIL).collect()
}

/// An error of the place, as the library wants it.
pub(crate) fn of_place(action: &'static str, path: &std::path::Path, error: io::Error) -> Box<RusticError> {
    RusticError::with_source(ErrorKind::Backend, "cannot {action} `{path}`", error)
        .attach_context("action", action)
        .attach_context("path", path.display().to_string())
}
