//! Why a node does not start.

use crate::{book_folder::BookFolderError, files::FileError};

/// Why there is no daemon.
#[derive(Debug, thiserror::Error)]
pub enum DaemonError {
    /// The book.
    #[error(transparent)]
    Book(#[from] BookFolderError),
    /// The boxes for files.
    #[error(transparent)]
    Files(#[from] FileError),
    /// The transport.
    #[error(transparent)]
    Link(#[from] mesh_link::StartError),
    /// Its own certificate does not hold.
    #[error("this node's own manifest does not hold: {0}")]
    Own(#[from] mesh::Refusal),
    /// A peer of the settings is no address.
    #[error(transparent)]
    Peer(#[from] mesh_link::place::NoPlace),
    /// A peer of the settings is a gateway, which is the place of many nodes.
    #[error(
        "the peer `{0}` is a gateway: name it among the gateways; its node and those behind it are found there"
    )]
    PeerIsGateway(String),
}
