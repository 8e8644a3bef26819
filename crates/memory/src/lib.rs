//! Ground: what Echo remembers in words: documents, past cases, playbooks, facts of devices, cut into chunks and found again.
//!
//! Whose a chunk is, is part of every question: the words of each owner are spelled with a key of the owner's, so that a
//! question in one spelling meets nobody else's rows; the vectors of each owner are read and held apart.
//!
//! Each chunk knows where it came from. A source whose text changes a little keeps its other chunks with their vectors.
//! A customer, a source or an age is forgotten; after a customer or an age nothing stays in the files.
//!
//! What may not come in: models (vectors are given), prompts, HTTP, the command line, what a case or a price is.

mod again;
mod carry;
mod chunk;
mod copy;
mod error;
mod forget;
mod held;
mod markdown;
mod near;
mod open;
mod owner;
mod piece;
mod place;
mod question;
mod rank;
mod remember;
mod schema;
mod search;
mod source;
mod vector;
mod words;

pub use carry::Carried;
pub use chunk::{ChunkId, ChunkIdError};
pub use error::MemoryError;
pub use open::Memory;
pub use owner::Owner;
pub use piece::{MAX_PIECES, Piece, chunks};
pub use place::{MAX_DIMENSIONS, Waiting};
pub use remember::{MAX_CHUNKS, Remembered};
pub use search::{Hit, MAX_HITS, Query};
pub use source::{MAX_ID_BYTES, MAX_TEXT_BYTES, MAX_TITLE_BYTES, Source, SourceKind};
