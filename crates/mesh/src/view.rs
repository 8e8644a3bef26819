//! What a node knows, for people and pictures.

use echo_core::{CustomerId, DeviceId, Timestamp};
use serde::{Deserialize, Serialize};

use crate::{Life, Link, NodeId, presence::Offering};

/// The most refusals that are remembered.
pub const MAX_REFUSALS: usize = 64;

/// A node's view of the mesh.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct View {
    /// When.
    pub at: Timestamp,
    /// Whose.
    pub me: NodeId,
    /// What people call it.
    pub name: String,
    /// The links that are up.
    pub links: Vec<LinkView>,
    /// Every node that it knows of and may meet.
    pub members: Vec<MemberView>,
    /// Who was refused lately, the newest last; at most [`MAX_REFUSALS`].
    pub refusals: Vec<RefusalView>,
    /// What it knows of trust.
    pub trust: TrustView,
    /// Calls that were answered here and are not settled yet.
    pub unsettled: usize,
    /// Calls made here that have no answer yet.
    pub calling: usize,
    /// Whether pulses wait for somebody who keeps them.
    pub pulses_waiting: bool,
    /// How many places are known where somebody may be.
    pub places: usize,
    /// What it knows of ledgers.
    #[serde(default)]
    pub witnessing: crate::witnessing::WitnessingView,
}

/// A link.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LinkView {
    /// Its name.
    pub link: u64,
    /// Who is at the other end.
    pub node: NodeId,
    /// The round trip, in microseconds; none before it was measured.
    pub rtt_micros: Option<u64>,
    /// Whether it goes through a relay.
    pub relayed: bool,
    /// Since when.
    pub since: Timestamp,
    /// How far the other's clock is ahead of this one's, in milliseconds.
    pub skew_millis: Option<i64>,
}

impl LinkView {
    pub(crate) fn new(link: Link, neighbour: &crate::neighbours::Neighbour) -> Self {
        Self {
            link: link.0,
            node: neighbour.node,
            rtt_micros: neighbour.rtt_micros,
            relayed: neighbour.relayed,
            since: neighbour.since,
            skew_millis: neighbour.skew_millis,
        }
    }
}

/// A node that is, or was, there.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct MemberView {
    /// Which.
    pub node: NodeId,
    /// The device that it is.
    pub device: DeviceId,
    /// Whose it is; none for the operator's own.
    pub customer: Option<CustomerId>,
    /// What people call it.
    pub name: String,
    /// What its manifest says that it can do.
    pub capabilities: Vec<String>,
    /// How membership sees it.
    pub state: Life,
    /// Whether it can be reached now: it lives, and there is a way.
    pub reachable: bool,
    /// The neighbour on the way to it.
    pub next: Option<NodeId>,
    /// How many nodes lie between: 0 for a neighbour.
    pub hops: Option<usize>,
    /// What it does for others.
    pub offers: Vec<Offering>,
    /// The nodes that it says it has links to.
    pub neighbours: Vec<NodeId>,
    /// When its word ends, by this node's clock.
    pub until: Timestamp,
}

/// Somebody who was refused.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RefusalView {
    /// When.
    pub at: Timestamp,
    /// Who it was, as far as it is known; else the place.
    pub who: String,
    /// Why, in one word.
    pub code: String,
    /// Why, for people.
    pub reason: String,
}

/// What a node knows of trust.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TrustView {
    /// The version of the trust registry.
    pub registry: u64,
    /// The version of the list of revoked nodes; 0 when there is none.
    pub revocations: u64,
    /// How many deprecation notices.
    pub notices: u64,
}
