//! One session as the actor keeps it: whose it is, how far it is, and how it was begun.

use std::{net::SocketAddr, sync::Arc, time::Instant};

use echo_core::Timestamp;
use mesh::{Admitted, NodeId, SessionId, Stream, relay::relay_address, signal::Expected};

use crate::{flow::Flow, session::Session};

/// How far a session is.
#[derive(Debug)]
pub(crate) enum Stage {
    /// Offered here, not answered yet.
    Offered(Expected),
    /// Both ends know each other's description; the path is being looked for.
    Connecting,
    /// All streams are open.
    Up,
}

/// The most messages that are held back until every stream is open. An honest peer greets, and waits for a greeting.
pub(crate) const MAX_EARLY: usize = 16;

/// A message that came early.
#[derive(Debug)]
pub(crate) struct Early {
    pub(crate) stream: Stream,
    pub(crate) binary: bool,
    pub(crate) bytes: Vec<u8>,
}

/// One session.
#[derive(Debug)]
pub(crate) struct Live {
    pub(crate) session: Session,
    pub(crate) flow: Arc<Flow>,
    pub(crate) id: SessionId,
    /// Whether it was offered here.
    pub(crate) mine: bool,
    pub(crate) began: Instant,
    /// Since when it is up.
    pub(crate) since: Option<Timestamp>,
    pub(crate) stage: Stage,
    /// Who is there: known to the answerer at once, to the offerer with the answer.
    pub(crate) peer: Option<Admitted>,
    /// Who was asked for.
    pub(crate) wanted: Option<NodeId>,
    /// What was tried, or the address the offer came from.
    pub(crate) place: String,
    /// The gateway that signals go through.
    pub(crate) gateway: Option<usize>,
    /// The number of the last candidates that were signalled, and of the last that came.
    pub(crate) signalled: (u64, u64),
    /// What came before all streams were open: a peer may speak as soon as it sees its first one.
    pub(crate) early: Vec<Early>,
    /// Whether it is the second attempt, after one side learned of a newer trust registry.
    pub(crate) again: bool,
    /// The answer to our offer, and since when it waits for a word of the session that is up with the same node.
    pub(crate) waits: Option<(Instant, Vec<u8>)>,
}

impl Live {
    /// Who is, or should be, there.
    pub(crate) fn node(&self) -> Option<NodeId> {
        self.peer.as_ref().map(|peer| peer.node).or(self.wanted)
    }

    /// Whether all streams are open.
    pub(crate) fn is_up(&self) -> bool {
        matches!(self.stage, Stage::Up)
    }

    /// Whether a pseudo address is its peer's.
    pub(crate) fn is_relay_of_peer(&self, address: SocketAddr) -> bool {
        self.node().is_some_and(|node| SocketAddr::from(relay_address(&node)) == address)
    }
}
