//! Why a document is not taken, or the library cannot be used.

use std::{io, path::PathBuf};

use durable::DurableError;

/// Why a document is not taken.
#[derive(Debug, thiserror::Error)]
pub enum LibraryError {
    /// Neither its beginning nor its name says what it is.
    #[error("{0} is none of PDF, ZIM, HTML, Markdown or plain text: save it as one of these")]
    Unknown(String),
    /// It is larger than is read.
    #[error("the file has {bytes} bytes, and {most} are the most for {format}: split it")]
    TooLarge {
        /// How many bytes it has.
        bytes: u64,
        /// How many it may have.
        most: u64,
        /// As what it was to be read.
        format: crate::Format,
    },
    /// It contradicts its own format.
    #[error(
        "the {format} file is damaged or not what it says ({why}): fetch it again from where it came from"
    )]
    Damaged {
        /// As what it was read.
        format: crate::Format,
        /// What is wrong.
        why: String,
    },
    /// Its text is locked.
    #[error("the PDF needs a password: save a copy without one and add that")]
    Locked,
    /// There is no text in it.
    #[error("there is no text in it{0}")]
    Empty(&'static str),
    /// There is no such document in the library.
    #[error("there is no document `{0}` in the library: see `echo_cli library list`")]
    Missing(String),
    /// A file that was put there by hand has the name.
    #[error("{} was put there by hand and is not of the library: move it away, or choose another name", .0.display())]
    Taken(PathBuf),
    /// A name that is none.
    #[error("`{0}` is no name for a document: give one with letters or digits")]
    Name(String),
    /// The memory reads no more files than these.
    #[error("the library would have {0} files, and {most} are the most: remove documents first", most = crate::MAX_FILES)]
    Full(usize),
    /// A card does not say what a card says.
    #[error("{} is damaged ({why}): remove it, and the document's files beside it", path.display())]
    Card {
        /// Which card.
        path: PathBuf,
        /// What is wrong.
        why: String,
    },
    /// A file could not be read or written.
    #[error("cannot {what} {}: {source}", path.display())]
    Io {
        /// What was tried.
        what: &'static str,
        /// On what.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// A file could not be read or written whole.
    #[error(transparent)]
    File(#[from] DurableError),
}

impl LibraryError {
    /// It contradicts its own format.
    #[cfg(feature = "reading")]
    pub(crate) fn damaged(format: crate::Format, why: impl Into<String>) -> Self {
        Self::Damaged { format, why: why.into() }
    }
}
