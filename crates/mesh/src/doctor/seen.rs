//! What was seen: interfaces, multicast, gateways, and each peer with the paths that were tried.

use std::net::SocketAddr;

use echo_core::Timestamp;
use serde::{Deserialize, Serialize};

use super::{GOODBYE, Whereabouts};
use crate::NodeId;

/// One network interface.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Interface {
    /// Its name.
    pub name: String,
    /// Whether it is up and has a carrier.
    pub up: bool,
    /// Its addresses, loopback and link-local ones left out.
    pub addresses: Vec<std::net::IpAddr>,
    /// The largest packet it takes, in bytes; none when unknown.
    pub mtu: Option<u32>,
}

/// Whether multicast comes back.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Multicast {
    /// Our own announcement, or somebody's, was heard.
    Heard,
    /// Nothing was heard, for this reason if one is known.
    Silent(String),
    /// It was not tried.
    Off,
}

/// How a gateway stands.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum GatewayState {
    /// Connected; it sees us at this address.
    Connected {
        /// Our address as it sees it.
        observed: Option<SocketAddr>,
    },
    /// It said no.
    Refused {
        /// The refusal's code.
        code: String,
        /// In words.
        reason: String,
    },
    /// It does not answer.
    Unreachable {
        /// What happened.
        why: String,
    },
}

/// One gateway.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Gateway {
    /// Its URL.
    pub url: String,
    /// How it stands.
    pub state: GatewayState,
}

/// What kind of address a candidate is (RFC 8445, section 5.1.1).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum CandidateKind {
    /// An address of the machine.
    Host,
    /// The outside of a NAT, as a STUN server saw it.
    ServerReflexive,
    /// The outside of a NAT, as the peer saw it.
    PeerReflexive,
    /// An address on a TURN server.
    Turn,
    /// Through a gateway's WebSocket.
    Gateway,
}

/// How one pair of candidates fared.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum PairState {
    /// Not tried yet.
    Waiting,
    /// Asked, no answer yet.
    Trying,
    /// Answered.
    Works,
    /// Nobody answered.
    NoAnswer,
}

/// One pair of candidates.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Pair {
    /// Ours.
    pub local: SocketAddr,
    /// What kind ours is.
    pub local_kind: CandidateKind,
    /// Theirs.
    pub remote: SocketAddr,
    /// What kind theirs is.
    pub remote_kind: CandidateKind,
    /// How it fared.
    pub state: PairState,
    /// Whether the link uses it now.
    pub chosen: bool,
}

/// How a peer is reached.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Path {
    /// Straight.
    Direct,
    /// Through a gateway or a TURN server.
    Relayed,
    /// Not at all.
    None,
}

/// One peer, or one place where a peer was looked for.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Peer {
    /// Who, when it is known.
    pub node: Option<NodeId>,
    /// What people call it, when that is known.
    #[serde(default)]
    pub name: Option<String>,
    /// Where it was looked for.
    pub place: String,
    /// How it is reached.
    pub path: Path,
    /// Since when, or since when not.
    pub since: Option<Timestamp>,
    /// The pairs that were tried.
    pub pairs: Vec<Pair>,
    /// The round trip, in microseconds.
    pub rtt_micros: Option<u64>,
    /// How far its clock is ahead of ours, in seconds.
    pub clock_ahead_seconds: Option<i64>,
    /// Whether offers reached it at all.
    pub answered: bool,
    /// What the last attempt ended with, in words.
    pub last_error: Option<String>,
    /// Why it was refused, or refused us: code and words.
    pub refused: Option<(String, String)>,
    /// The nodes between, when others reach it.
    pub reached_over: Option<Vec<NodeId>>,
    /// The largest datagram that came through, in bytes; none when it was not measured.
    pub path_mtu: Option<u32>,
    /// The addresses it was reached at.
    #[serde(default)]
    pub whereabouts: Whereabouts,
}

impl Peer {
    /// An attempt that the peer did not answer ended so. What it said when it left stays: silence follows from it.
    pub fn unanswered(&mut self, why: &str) {
        if !self.last_error.as_ref().is_some_and(|said| said.contains(GOODBYE)) {
            self.last_error = Some(why.to_owned());
        }
    }
}

/// Everything that was seen.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Observations {
    /// Who looks.
    pub me: NodeId,
    /// The interfaces, loopback left out.
    pub interfaces: Vec<Interface>,
    /// Whether multicast comes back.
    pub multicast: Multicast,
    /// The gateways.
    pub gateways: Vec<Gateway>,
    /// The peers.
    pub peers: Vec<Peer>,
}
