//! Edge: runs one node of the mesh on this machine.
//!
//! The node (`mesh`) decides, the endpoint (`mesh_link`) connects, the program around them works: [`Daemon`] carries what
//! one says to the other, with the time, and makes durable what must outlive a crash. The program hears what it has to do
//! as an [`Ask`], and says what came of it through the [`Daemon`].
//!
//! Programs of the same user ask a running node over a Unix socket in the home directory ([`serve`], [`ask`]); people see
//! its [`Report`]: what the node knows, what the transport saw, and what the doctor says to it.
//!
//! What may not come in: decisions about trust, routes or calls (they are the node's), what a skill does (the program's).

mod asks;
mod book_folder;
mod daemon;
mod error;
mod files;
mod pending;
mod report;
mod sending;
mod shelf;
mod socket;
mod witnessed_folder;

pub use asks::Ask;
pub use book_folder::{BookFolder, BookFolderError};
pub use daemon::{Daemon, Options};
pub use error::DaemonError;
pub use files::{FileError, FileOptions, Size, SizeError};
pub use report::Report;
pub use socket::{MAX_LINE, SocketError, ask, serve};
