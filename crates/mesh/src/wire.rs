//! What neighbours send to one another, and its bounds. Text messages are JSON; membership is binary, for it is most of
//! what an idle mesh says.

use echo_core::{Digest, Timestamp};
use serde::{Deserialize, Serialize};
use trust::Envelope;

use crate::{
    NodeId, RealmTag, Stream,
    bulk::{Chunk, Say},
    witnessing::Word,
};

/// The most nodes that a message passes, its sender and its receiver left out.
pub const MAX_HOPS: usize = 4;
/// The most presence records in one message.
pub const MAX_RECORDS: usize = 16;
/// The most heads in one message.
pub const MAX_HEADS: usize = 256;
/// The most envelopes of trust news in one message.
pub const MAX_NEWS: usize = 16;

/// The first message on a link, from each side.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Hello {
    /// The sender's clock, to show how far the two are apart. It decides nothing.
    pub at: Timestamp,
    /// The newest version of the trust registry it knows.
    pub registry: u64,
    /// The newest list of revoked nodes it knows; 0 when none.
    pub revocations: u64,
    /// One digest for the deprecation notices it knows: the SHA-256 of their digests (32 bytes each) in ascending order.
    pub notices: Digest,
}

/// The newest presence record of a node, by its number.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Head {
    /// Whose.
    pub node: NodeId,
    /// Its number.
    pub seq: u64,
}

/// What one neighbour says to another.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case", deny_unknown_fields)]
pub enum Message {
    /// Control: the greeting.
    Hello(Hello),
    /// Control: presence records, newer than what the receiver is known to have; at most [`MAX_RECORDS`].
    Presence {
        /// Signed by the nodes they speak of.
        records: Vec<Envelope>,
    },
    /// Control: the digest of the presence records that the sender has; who has others answers with its heads.
    Summary {
        /// Of which realm.
        realm: RealmTag,
        /// Over every node and its record's number.
        digest: Digest,
    },
    /// Control: the presence records that the sender has, a part of them by order of the nodes' keys. The receiver sends
    /// what the sender lacks.
    Heads {
        /// Of which realm.
        realm: RealmTag,
        /// The part begins after this node; none: at the beginning.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        after: Option<NodeId>,
        /// The part ends with this node; none: at the end.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        upto: Option<NodeId>,
        /// Each node of the part: at most [`MAX_HEADS`].
        heads: Vec<Head>,
        /// Whether the receiver shall answer with its own heads where the sender has something newer.
        ask: bool,
    },
    /// Rpc: versions of the trust registry after the one that the receiver named, oldest first; at most [`MAX_NEWS`].
    Registry {
        /// Links of the trust chain.
        versions: Vec<Envelope>,
    },
    /// Rpc: the list of revoked nodes.
    Revocations {
        /// Signed by the device issuer.
        list: Envelope,
    },
    /// Rpc: deprecation notices; at most [`MAX_NEWS`].
    Notices {
        /// Signed by the operator.
        notices: Vec<Envelope>,
    },
    /// Control: the sender goes away in good order.
    Bye {
        /// Why, for people.
        reason: String,
    },
    /// Rpc or telemetry: something for a node that may be further away.
    Routed(Box<Routed>),
    /// Rpc: about the heads of ledgers.
    Witness(Box<Word>),
}

/// Something on its way from node to node.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Routed {
    /// Who sent it.
    pub from: NodeId,
    /// Whom it is for.
    pub to: NodeId,
    /// The nodes it has passed, oldest first: at most [`MAX_HOPS`], none twice.
    pub path: Vec<NodeId>,
    /// What it is.
    pub body: Body,
}

/// What a routed message holds. Everything that matters is signed by the node it comes from, so that a node on the way can
/// lose it, but not change it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "what", rename_all = "snake_case", deny_unknown_fields)]
pub enum Body {
    /// A call.
    Call {
        /// Signed by the caller.
        call: Envelope,
        /// The caller's manifest, certified by the device issuer.
        manifest: Envelope,
        /// The operator's grant that pays for it.
        grant: Envelope,
    },
    /// The answer to a call: its result, or why there is none.
    Answer {
        /// Signed by the node that was called.
        answer: Envelope,
    },
    /// A call that did not get through; said by a node on the way, and no more than a hint.
    Unroutable {
        /// The call's digest: that of its envelope's payload.
        call: Digest,
        /// Why, for people.
        reason: String,
    },
    /// Pulses of the sender.
    Pulses {
        /// Signed by the device.
        batch: Envelope,
    },
    /// Acknowledgements of deprecation notices; at most [`MAX_NEWS`].
    Acks {
        /// Signed by the nodes that acknowledge.
        acks: Vec<Envelope>,
    },
    /// The receiver has for good what the sender brought: a [`crate::Kept`].
    Kept {
        /// Signed by the receiver.
        kept: Envelope,
    },
    /// Receipts for calls that were answered while the platform was away.
    Settle {
        /// The answers that hold them, each signed by the node that was called.
        answers: Vec<Envelope>,
        /// The calls that they answer, in the same order, each signed by the caller.
        calls: Vec<Envelope>,
        /// The grants that pay for them, in the same order.
        grants: Vec<Envelope>,
    },
}

/// A membership message on its way: opaque here, bounded, for one realm.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Membership {
    /// Who sent it.
    pub from: NodeId,
    /// Whom it is for.
    pub to: NodeId,
    /// How many more nodes it may pass.
    pub hops_left: u8,
    /// The first eight bytes of the digest of the realm it speaks of.
    pub realm: [u8; 8],
    /// The membership protocol's bytes.
    pub data: Vec<u8>,
}

/// Anything that arrives on a stream.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Wire {
    /// A text message.
    Message(Message),
    /// A membership message (binary, on control).
    Membership(Membership),
    /// A word about a file (text, on bulk).
    File(Say),
    /// A piece of a file (binary, on bulk): its form is told at [`Chunk`].
    Chunk(Chunk),
}

/// Why bytes are no message.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum WireError {
    /// Larger than the stream takes.
    #[error("{bytes} bytes on the {stream} stream, which takes {most} at most")]
    Oversize {
        /// How many.
        bytes: usize,
        /// Where.
        stream: &'static str,
        /// The bound.
        most: usize,
    },
    /// Not a message of this version.
    #[error("not a message for the {stream} stream: {why}")]
    Malformed {
        /// Where.
        stream: &'static str,
        /// What is wrong.
        why: String,
    },
}

const MEMBERSHIP_HEAD: usize = 1 + 1 + 8 + 32 + 32;
const MEMBERSHIP_VERSION: u8 = 1;

impl Wire {
    /// Reads what arrived on `stream`, once it is within every bound.
    pub fn decode(stream: Stream, binary: bool, bytes: &[u8]) -> Result<Self, WireError> {
        let label = stream.label();
        if bytes.len() > stream.max_message() {
            return Err(WireError::Oversize {
                bytes: bytes.len(),
                stream: label,
                most: stream.max_message(),
            });
        }
        let malformed = |why: String| WireError::Malformed { stream: label, why };
        match (stream, binary) {
            (Stream::Bulk, true) => Chunk::decode(bytes).map(Self::Chunk).map_err(malformed),
            (Stream::Bulk, false) => {
                serde_json::from_slice(bytes).map(Self::File).map_err(|e| malformed(e.to_string()))
            }
            (Stream::Control, true) => membership(bytes).map(Self::Membership).map_err(malformed),
            (_, true) => Err(malformed("binary".to_owned())),
            (_, false) => {
                let message: Message = serde_json::from_slice(bytes).map_err(|e| malformed(e.to_string()))?;
                message.check(stream).map_err(malformed)?;
                Ok(Self::Message(message))
            }
        }
    }

    /// Whether it goes out as a binary message, and its bytes.
    pub fn encode(&self) -> (bool, Vec<u8>) {
        match self {
            Self::Message(message) => {
                (false, serde_json::to_vec(message).expect("messages are strings, numbers and lists of them"))
            }
            Self::Membership(m) => {
                let mut out = Vec::with_capacity(MEMBERSHIP_HEAD + m.data.len());
                out.extend([MEMBERSHIP_VERSION, m.hops_left]);
                out.extend(m.realm);
                out.extend(m.from.bytes());
                out.extend(m.to.bytes());
                out.extend(&m.data);
                (true, out)
            }
            Self::File(say) => (false, serde_json::to_vec(say).expect("words are strings and numbers")),
            Self::Chunk(chunk) => (true, chunk.encode()),
        }
    }
}

impl Message {
    /// The stream it belongs on.
    pub fn stream(&self) -> Stream {
        match self {
            Self::Routed(routed) => match routed.body {
                Body::Pulses { .. } | Body::Acks { .. } | Body::Kept { .. } => Stream::Telemetry,
                _ => Stream::Rpc,
            },
            // All news of trust on one stream, so that it keeps its order; and on this one, for it may be large. A fork of a
            // ledger is news of trust, too.
            Self::Registry { .. } | Self::Revocations { .. } | Self::Notices { .. } | Self::Witness(_) => {
                Stream::Rpc
            }
            _ => Stream::Control,
        }
    }

    fn check(&self, stream: Stream) -> Result<(), String> {
        if self.stream() != stream {
            return Err(format!("it belongs on the {} stream", self.stream().label()));
        }
        let within = |what: &str, count: usize, most: usize| {
            if count > most { Err(format!("{count} {what}, at most {most} are allowed")) } else { Ok(()) }
        };
        match self {
            Self::Heads { heads, .. } => within("heads", heads.len(), MAX_HEADS),
            Self::Presence { records } => within("records", records.len(), MAX_RECORDS),
            Self::Registry { versions } => within("versions", versions.len(), MAX_NEWS),
            Self::Notices { notices } => within("notices", notices.len(), MAX_NEWS),
            Self::Routed(routed) => {
                within("hops", routed.path.len(), MAX_HOPS)?;
                if let Body::Settle { answers, calls, grants } = &routed.body {
                    within("answers", answers.len(), MAX_NEWS)?;
                    if answers.len() != calls.len() || answers.len() != grants.len() {
                        return Err("answers, calls and grants must be as many".to_owned());
                    }
                }
                if let Body::Acks { acks } = &routed.body {
                    within("acknowledgements", acks.len(), MAX_NEWS)?;
                }
                Ok(())
            }
            Self::Witness(word) => word.check(),
            Self::Hello(_) | Self::Summary { .. } | Self::Revocations { .. } | Self::Bye { .. } => Ok(()),
        }
    }
}

fn membership(bytes: &[u8]) -> Result<Membership, String> {
    let (head, data) = bytes.split_at_checked(MEMBERSHIP_HEAD).ok_or("a membership message was cut")?;
    if head[0] != MEMBERSHIP_VERSION {
        return Err(format!("version {} of membership is not known", head[0]));
    }
    if usize::from(head[1]) > MAX_HOPS {
        return Err(format!("{} hops, at most {MAX_HOPS} are allowed", head[1]));
    }
    let node = |at: usize| {
        let raw: [u8; 32] = head[at..at + 32].try_into().expect("the head is long enough");
        NodeId::from_bytes(&raw).map_err(|e| e.to_string())
    };
    Ok(Membership {
        hops_left: head[1],
        realm: head[2..10].try_into().expect("eight bytes"),
        from: node(10)?,
        to: node(42)?,
        data: data.to_vec(),
    })
}
