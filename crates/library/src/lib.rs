//! Domain: the user's own documents (ZIM, PDF, HTML, Markdown, plain text), brought in as text that the memory can keep.
//!
//! [`read`] opens a foreign file and gives its text by page or article, within [`Limits`]. The files are hostile until shown
//! otherwise: every count, offset and size in them is checked before it is used, and nothing is unpacked without a bound.
//! Whoever calls it runs it in a process of its own, for the PDF parser is not ours and may end its process.
//!
//! [`Shelf`] keeps what was read beside its [`Card`]: where it came from, by digest, and what was left out.
//!
//! Data flow: file -> [`read`] -> [`Reading`] -> Markdown with one heading a page or article -> [`Shelf`] -> the memory.
//!
//! What may not come in: processes, the network, the clock, the memory itself, HTTP, the command line.

mod card;
mod error;
mod format;
#[cfg(feature = "reading")]
mod html;
mod markdown;
mod name;
#[cfg(feature = "reading")]
mod pdf;
mod reading;
mod shelf;
#[cfg(feature = "reading")]
mod text;
#[cfg(feature = "reading")]
mod zim;

pub use card::{CARD_ENDING, Card, MAX_CARD};
pub use error::LibraryError;
pub use format::Format;
pub use markdown::{MAX_PART, documents};
pub use name::slug;
#[cfg(feature = "reading")]
pub use reading::read;
pub use reading::{Limits, MAX_FILE, MAX_PDF, MAX_TEXT, Part, Reading};
pub use shelf::{MAX_FILES, New, Shelf};
