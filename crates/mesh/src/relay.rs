//! What a node and a gateway say to one another over the relay's WebSocket (`GET /v1/mesh/relay`, binary messages).
//!
//! A frame is `kind (1 byte) | node (32 bytes) | payload`. In a frame from the client, `node` is whom it is for; in a frame
//! from the gateway, whom it is from; where it is neither, it says whose connection it is.
//!
//! ```text
//! gateway  Challenge{its key, 32 random bytes}   ->
//!          <-  Login{the node, manifest and proof}   client
//! gateway  Welcome{its key, the client's address as it sees it}, or Refused{code, reason}   ->
//! both     Datagram, Signal, Ping, Pong; the gateway says Away for a node that is not connected
//! ```
//!
//! The gateway sees who talks to whom and how much, and nothing else: datagrams are DTLS, end to end.

use std::net::{Ipv6Addr, SocketAddr, SocketAddrV6};

use echo_core::Digest;
use serde::{Deserialize, Serialize};
use trust::{DsseError, Envelope, KeyPair};

use crate::NodeId;

/// The most bytes of a datagram's payload: what fits an Ethernet frame.
pub const MAX_DATAGRAM: usize = 1500;
/// The most bytes of a signal's payload.
pub const MAX_SIGNAL: usize = 64 * 1024;
/// The most bytes of a login's payload: a manifest and a proof.
pub const MAX_LOGIN: usize = 32 * 1024;
/// The most bytes of a refusal's code.
pub const MAX_CODE: usize = 64;
/// The most bytes of a refusal's reason.
pub const MAX_REASON: usize = 1024;
/// The most bytes of a relay's URL in a login.
pub const MAX_URL: usize = 1024;
/// The bytes before the payload.
pub const HEAD: usize = 1 + 32;
/// The most bytes of any frame: the bound to give to the WebSocket.
pub const MAX_FRAME: usize = HEAD + MAX_SIGNAL;
/// The payload type of a login's proof.
pub const LOGIN_TYPE: &str = "application/vnd.echo.relay-login.v1+json";
/// The path of the relay on a gateway.
pub const RELAY_PATH: &str = "/v1/mesh/relay";

/// The port of every pseudo address: discard (RFC 863).
pub const RELAY_PORT: u16 = 9;

/// A node's 32 key bytes as they stand in a frame. They are compared with [`NodeId::bytes`], and not made a [`NodeId`] of:
/// checking that they are a point of the curve would cost more than carrying the datagram.
pub type RawNode = [u8; 32];

/// One frame, borrowed from the message it came in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Frame<'a> {
    /// From the gateway, first of all: sign this.
    Challenge {
        /// The gateway's key.
        gateway: RawNode,
        /// Random, never used twice.
        challenge: &'a [u8; 32],
    },
    /// From the client, once: the JSON of a [`Login`].
    Login {
        /// Who says it is there.
        node: RawNode,
        /// At most [`MAX_LOGIN`] bytes.
        login: &'a [u8],
    },
    /// From the gateway: the login was taken.
    Welcome {
        /// The gateway's key.
        gateway: RawNode,
        /// The client's address as the gateway sees it.
        observed: SocketAddr,
    },
    /// From the gateway: the login, or the connection, was refused. The connection ends.
    Refused {
        /// Short and fixed, such as `expired`.
        code: &'a str,
        /// For people.
        reason: &'a str,
    },
    /// A datagram of the transport.
    Datagram {
        /// To the gateway: whom it is for. From it: whom it is from.
        node: RawNode,
        /// 1 to [`MAX_DATAGRAM`] bytes.
        payload: &'a [u8],
    },
    /// An offer, an answer, candidates or a refusal, as JSON.
    Signal {
        /// To the gateway: whom it is for. From it: whom it is from.
        node: RawNode,
        /// 1 to [`MAX_SIGNAL`] bytes.
        payload: &'a [u8],
    },
    /// From the gateway: the node that a datagram or a signal was for is not connected here.
    Away {
        /// Which.
        node: RawNode,
    },
    /// Are you there? The same bytes come back.
    Ping([u8; 8]),
    /// Yes.
    Pong([u8; 8]),
}

/// Why bytes are no frame, or a login proves nothing.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum RelayError {
    /// Shorter than a frame's head, or than its kind's payload.
    #[error("the relay frame was cut after {0} bytes")]
    Cut(usize),
    /// Longer than its kind may be.
    #[error("{found} bytes in a relay frame that may hold {most}")]
    Oversize {
        /// The payload's length.
        found: usize,
        /// The bound.
        most: usize,
    },
    /// Not a frame of this version.
    #[error("not a relay frame: {0}")]
    Malformed(String),
    /// The proof is not by the node's key.
    #[error("the login is not signed by the node's own key: {0}")]
    Proof(#[from] DsseError),
    /// The proof is for another challenge, node or gateway.
    #[error("the login is for another {0}: log in anew")]
    Elsewhere(&'static str),
}

mod kind {
    pub const CHALLENGE: u8 = 1;
    pub const LOGIN: u8 = 2;
    pub const WELCOME: u8 = 3;
    pub const REFUSED: u8 = 4;
    pub const DATAGRAM: u8 = 5;
    pub const SIGNAL: u8 = 6;
    pub const AWAY: u8 = 7;
    pub const PING: u8 = 8;
    pub const PONG: u8 = 9;
}

const NOBODY: RawNode = [0; 32];

impl<'a> Frame<'a> {
    /// Reads one binary message.
    pub fn decode(bytes: &'a [u8]) -> Result<Self, RelayError> {
        let (head, payload) = bytes.split_first_chunk::<HEAD>().ok_or(RelayError::Cut(bytes.len()))?;
        let node: RawNode = head[1..].try_into().expect("the head holds 32 bytes after its kind");
        match head[0] {
            kind::CHALLENGE => Ok(Self::Challenge { gateway: node, challenge: exactly(payload)? }),
            kind::LOGIN => Ok(Self::Login { node, login: within(payload, MAX_LOGIN)? }),
            kind::WELCOME => {
                let observed = text(within(payload, 64)?)?.parse();
                let observed = observed.map_err(|_| malformed("the observed address is none"))?;
                Ok(Self::Welcome { gateway: node, observed })
            }
            kind::REFUSED => {
                nobody(&node)?;
                let line = text(within(payload, MAX_CODE + 1 + MAX_REASON)?)?;
                let (code, reason) =
                    line.split_once(' ').ok_or_else(|| malformed("a refusal without reason"))?;
                if code.is_empty() || code.len() > MAX_CODE || reason.len() > MAX_REASON {
                    return Err(malformed("a refusal's code or reason is out of bounds"));
                }
                Ok(Self::Refused { code, reason })
            }
            kind::DATAGRAM => Ok(Self::Datagram { node, payload: within(payload, MAX_DATAGRAM)? }),
            kind::SIGNAL => Ok(Self::Signal { node, payload: within(payload, MAX_SIGNAL)? }),
            kind::AWAY if payload.is_empty() => Ok(Self::Away { node }),
            kind::AWAY => Err(RelayError::Oversize { found: payload.len(), most: 0 }),
            kind::PING => nobody(&node).and_then(|()| exactly(payload)).map(|bytes| Self::Ping(*bytes)),
            kind::PONG => nobody(&node).and_then(|()| exactly(payload)).map(|bytes| Self::Pong(*bytes)),
            other => Err(malformed(&format!("kind {other} is not known"))),
        }
    }

    /// The bytes of the binary message. What is longer than its bound is refused by whoever reads it; a refusal's reason is
    /// cut to its bound here.
    pub fn encode(&self) -> Vec<u8> {
        match self {
            Self::Challenge { gateway, challenge } => frame(kind::CHALLENGE, gateway, *challenge),
            Self::Login { node, login } => frame(kind::LOGIN, node, login),
            Self::Welcome { gateway, observed } => {
                frame(kind::WELCOME, gateway, observed.to_string().as_bytes())
            }
            Self::Refused { code, reason } => {
                let mut end = reason.len().min(MAX_REASON);
                while !reason.is_char_boundary(end) {
                    end -= 1;
                }
                frame(kind::REFUSED, &NOBODY, format!("{code} {}", &reason[..end]).as_bytes())
            }
            Self::Datagram { node, payload } => frame(kind::DATAGRAM, node, payload),
            Self::Signal { node, payload } => frame(kind::SIGNAL, node, payload),
            Self::Away { node } => frame(kind::AWAY, node, &[]),
            Self::Ping(bytes) => frame(kind::PING, &NOBODY, bytes),
            Self::Pong(bytes) => frame(kind::PONG, &NOBODY, bytes),
        }
    }
}

fn frame(kind: u8, node: &RawNode, payload: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(HEAD + payload.len());
    out.push(kind);
    out.extend_from_slice(node);
    out.extend_from_slice(payload);
    out
}

fn malformed(why: &str) -> RelayError {
    RelayError::Malformed(why.to_owned())
}

fn within(payload: &[u8], most: usize) -> Result<&[u8], RelayError> {
    match payload.len() {
        0 => Err(RelayError::Cut(HEAD)),
        found if found > most => Err(RelayError::Oversize { found, most }),
        _ => Ok(payload),
    }
}

fn exactly<const N: usize>(payload: &[u8]) -> Result<&[u8; N], RelayError> {
    if payload.len() > N {
        return Err(RelayError::Oversize { found: payload.len(), most: N });
    }
    payload.try_into().map_err(|_| RelayError::Cut(HEAD + payload.len()))
}

fn text(payload: &[u8]) -> Result<&str, RelayError> {
    std::str::from_utf8(payload).map_err(|_| malformed("not UTF-8"))
}

fn nobody(node: &RawNode) -> Result<(), RelayError> {
    if *node == NOBODY { Ok(()) } else { Err(malformed("it speaks of a node where none belongs")) }
}

/// How a node shows a gateway that it is who it says.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Login {
    /// The node's certified manifest.
    pub manifest: Envelope,
    /// A [`LoginProof`], signed by the node's key.
    pub proof: Envelope,
}

/// What the proof of a login says. It is good for one connection to one gateway.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LoginProof {
    /// The challenge, in lower-case hex.
    pub challenge: String,
    /// Who logs in.
    pub node: NodeId,
    /// The gateway that challenged.
    pub gateway: NodeId,
    /// The URL that the client opened.
    pub url: String,
}

impl Login {
    /// The payload of the Login frame that answers a challenge.
    pub fn sign(
        manifest: &Envelope,
        key: &KeyPair,
        gateway: NodeId,
        challenge: &[u8; 32],
        url: &str,
    ) -> Result<Vec<u8>, RelayError> {
        let node = NodeId::of(&key.public());
        let proof = LoginProof { challenge: hex::encode(challenge), node, gateway, url: url.to_owned() };
        let json = |e: serde_json::Error| RelayError::Malformed(e.to_string());
        let proof = Envelope::sign(LOGIN_TYPE, &proof, &[key]).map_err(json)?;
        let bytes = serde_json::to_vec(&Self { manifest: manifest.clone(), proof }).map_err(json)?;
        within(&bytes, MAX_LOGIN)?;
        Ok(bytes)
    }

    /// Reads a Login frame's payload. Nothing is verified yet: admit the manifest, then ask [`Login::verify`].
    pub fn read(bytes: &[u8]) -> Result<Self, RelayError> {
        let bytes = within(bytes, MAX_LOGIN)?;
        serde_json::from_slice(bytes).map_err(|e| RelayError::Malformed(format!("a login: {e}")))
    }

    /// What the proof says, once `node` (whose manifest was admitted) signed it for this challenge of this gateway. Whether
    /// the URL is one of the gateway's own is for the gateway to judge.
    pub fn verify(
        &self,
        node: NodeId,
        gateway: NodeId,
        challenge: &[u8; 32],
    ) -> Result<LoginProof, RelayError> {
        let proof: LoginProof = self.proof.verify(LOGIN_TYPE, &[node.key()], 1)?;
        if proof.node != node {
            return Err(RelayError::Elsewhere("node"));
        }
        if proof.gateway != gateway {
            return Err(RelayError::Elsewhere("gateway"));
        }
        if proof.challenge != hex::encode(challenge) {
            return Err(RelayError::Elsewhere("challenge"));
        }
        if proof.url.len() > MAX_URL {
            return Err(RelayError::Oversize { found: proof.url.len(), most: MAX_URL });
        }
        Ok(proof)
    }
}

/// The address that stands for "through the relay" among a node's ICE candidates: in the discard-only block `0100::/64`
/// (RFC 6666), made of the digest of its key, so that no router ever carries it.
pub fn relay_address(node: &NodeId) -> SocketAddrV6 {
    raw_relay_address(&node.bytes())
}

/// The same, for whom a frame is from or for.
pub fn raw_relay_address(node: &RawNode) -> SocketAddrV6 {
    let digest = Digest::of(node);
    let mut address = [0u8; 16];
    address[0] = 0x01;
    address[8..].copy_from_slice(&digest.0[..8]);
    SocketAddrV6::new(Ipv6Addr::from(address), RELAY_PORT, 0, 0)
}

/// Whether an address is one of [`relay_address`]'s.
pub fn is_relay_address(address: &SocketAddr) -> bool {
    matches!(address, SocketAddr::V6(v6) if v6.ip().octets()[..8] == [1, 0, 0, 0, 0, 0, 0, 0] && v6.port() == RELAY_PORT)
}

#[cfg(test)]
mod tests;
