//! Files between two nodes that are linked, over the bulk stream: offered, accepted from where it broke off, sent within
//! credit, and acknowledged with a signed receipt once the whole is durable and has the digest that was offered.
//!
//! Reading and writing is the shell's: the node asks for it with a [`FileJob`], and hears of it as a [`FileDone`].
//!
//! The receiver gives credit for [`WINDOW`] bytes beyond what is durable there; the sender never has more than that
//! under way to one neighbour, whatever it was given, so the stream is never full. One job at a time is under way for each
//! file that comes in: what arrives meanwhile is written together.

mod chunk;
mod incoming;
mod job;
mod meter;
mod name;
mod outgoing;
mod receipt;
mod say;
#[cfg(test)]
mod tests;
mod transfers;
mod view;

use std::time::Duration;

pub use chunk::Chunk;
pub use job::{Closing, FileDone, FileInput, FileJob, Offer, Opened, PartKey, Sending};
pub use name::{FileName, NameError, TransferId, TransferIdError};
pub use receipt::{FILE_RECEIPT_TYPE, FileReceipt};
pub use say::{Code, Declined, Say};
pub use view::{Stage, TransferView, Way};

pub(crate) use transfers::{Act, Took, Transfers};

/// The bytes of a file in one message, the last one of a file left out: 48 KiB.
pub const CHUNK: u64 = 48 * 1024;
/// How far a sender may be ahead of what is durable at the receiver, in bytes: 16 chunks, less than a stream holds back.
pub const WINDOW: u64 = 16 * CHUNK;
/// The most bytes that are read at once.
pub const PIECE: u64 = 4 * CHUNK;
/// The most bytes of a file: 4 GiB.
pub const MAX_FILE: u64 = 4 * 1024 * 1024 * 1024;
/// The most transfers under way with one neighbour, each way.
pub const MAX_BESIDE: usize = 4;
/// The most transfers under way in all, each way.
pub const MAX_UNDER_WAY: usize = 16;
/// The most files that wait to be sent, those under way included.
pub const MAX_TO_SEND: usize = 256;
/// A file of which nothing could be sent for so long is given up.
pub const GIVEN_UP_AFTER: Duration = Duration::from_hours(7 * 24);
/// When a receiver that has no room now is asked again.
pub const ASK_AGAIN: Duration = Duration::from_mins(1);
/// A receiver that said nothing of a transfer for so long is offered it anew.
pub const STALLED: Duration = Duration::from_mins(5);
/// For how long what was on its way when a transfer broke off counts as under way. On a link that needs longer for a window
/// the stream may then be full: the shell shuts the link, and all goes on when it is back.
const DRAINED: Duration = Duration::from_secs(10);
/// How often a file is sent from its beginning because the receiver found another digest.
const MOST_BROKEN: u32 = 1;
