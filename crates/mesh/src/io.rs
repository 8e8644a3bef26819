//! What goes into a node and what comes out. The shell gives every [`Input`] with the time, then carries out every
//! [`Output`] in order, and calls again at the node's deadline.

use echo_core::{Digest, Timestamp};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use trust::{Envelope, NodeManifest};

use crate::{NodeId, Stream};

/// The shell's name for a link that is up. Never used twice.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Link(pub u64);

/// The local caller's name for a call that it waits for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Ticket(pub u64);

/// How a node was heard of.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Via {
    /// It answered on the local network (mDNS).
    Multicast,
    /// A person or a setting gave its address.
    Address,
    /// A gateway knows it.
    Gateway,
}

/// Somebody may be there. A claim: it leads to an attempt to connect, and to nothing else.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sighting {
    /// Who it is said to be; what came by multicast does not say.
    pub node: Option<NodeId>,
    /// How it was heard of.
    pub via: Via,
    /// Where to reach it, in words that only the shell understands: `host:port`, or a gateway's URL.
    pub place: String,
}

/// Who is asked to do something.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Target {
    /// This node.
    Node(NodeId),
    /// Any node with this capability: the nearest that answers.
    Capability(String),
}

/// A call that somebody on this machine wants made.
#[derive(Debug, Clone, PartialEq)]
pub struct Call {
    /// The caller's name for it.
    pub ticket: Ticket,
    /// Whom to ask.
    pub target: Target,
    /// What to do, such as `diagnostics.probe`.
    pub skill: String,
    /// What to do it on.
    pub input: Value,
    /// What pays for it: an envelope of the operator.
    pub grant: Envelope,
    /// The same key never makes the work be done twice: a UUID.
    pub key: String,
    /// When to give up.
    pub deadline: Timestamp,
}

/// What came of work.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    /// Done.
    Done(Value),
    /// Not done; nothing is charged. Why, for people.
    Failed(String),
}

/// Why a call has no answer.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum CallFailure {
    /// Nobody reachable can do it.
    #[error("no reachable node offers {0}: see `echo_cli mesh doctor`")]
    NobodyOffers(String),
    /// The node is not reachable.
    #[error("{0} is not reachable: see `echo_cli mesh doctor`")]
    Unreachable(NodeId),
    /// No answer came in time. It may still be done, once: asking again with the same key is safe.
    #[error("no answer came in time: ask again with the same idempotency key")]
    TooLate,
    /// The called node refused it.
    #[error("refused: {0}")]
    Refused(String),
    /// The called node could not do it; nothing is charged.
    #[error("not done: {0}")]
    Failed(String),
    /// Too much is under way.
    #[error("{0} calls are under way, which is the most: try again when one has ended")]
    Busy(usize),
    /// The request itself cannot be sent.
    #[error("the call cannot be made: {0}")]
    Invalid(String),
}

/// What happened.
#[derive(Debug, Clone, PartialEq)]
pub enum Input {
    /// The deadline came.
    Tick,
    /// Somebody may be there.
    Sighted(Sighting),
    /// A link is up, to a node that was admitted ([`crate::Refusal`] is what the others got).
    Up {
        /// Its name.
        link: Link,
        /// Who is at the other end.
        manifest: Box<NodeManifest>,
        /// The same, certified.
        certificate: Box<Envelope>,
    },
    /// A link is gone.
    Down {
        /// Which.
        link: Link,
        /// Why, for people.
        why: String,
    },
    /// An attempt that [`Output::Connect`] asked for has ended. Where none of these comes, it ends by itself in time.
    Attempted {
        /// Where.
        place: String,
        /// Who was found there, whether or not a link came of it.
        found: Option<NodeId>,
    },
    /// An attempt that [`Output::Connect`] asked for has ended without a link: what [`Input::Attempted`] says when nobody was
    /// found, for a gateway, behind which there are many.
    Missed {
        /// Where.
        place: String,
        /// Who was looked for.
        node: Option<NodeId>,
    },
    /// Somebody was refused at the door, or refused us.
    Refused {
        /// Who it was, as far as it is known.
        who: Option<NodeId>,
        /// Where.
        place: String,
        /// Why, in one word: [`crate::Refusal::code`].
        code: String,
        /// Why, for people.
        reason: String,
    },
    /// News of trust that was learned elsewhere on this machine.
    Trust(crate::news::News),
    /// This node was certified anew.
    Certificate(Box<Envelope>),
    /// This node is about to stop: it says so to its neighbours.
    Leave,
    /// A message came in.
    Received {
        /// On which link.
        link: Link,
        /// On which stream.
        stream: Stream,
        /// Whether it was a binary message.
        binary: bool,
        /// Its bytes.
        bytes: Vec<u8>,
    },
    /// How good a link is now.
    Measured {
        /// Which.
        link: Link,
        /// The round trip, in microseconds.
        rtt_micros: u64,
        /// Whether it goes through a relay.
        relayed: bool,
    },
    /// Somebody on this machine wants something done elsewhere.
    Call(Call),
    /// Work that [`Output::Execute`] asked for has ended.
    Executed {
        /// The call's digest.
        call: Digest,
        /// What came of it.
        outcome: Outcome,
    },
    /// The shell keeps pulses for this node; these are the oldest that nobody has acknowledged, signed.
    Pulses {
        /// The signed batch.
        batch: Envelope,
        /// Its highest sequence number.
        up_to: u64,
    },
    /// The newest [`Output::Keep`] of this call is durable: what rests on it goes out.
    EntryKept(Digest),
    /// The entry without an answer that [`Output::Keep`] named cannot be made durable, and the shell has given it up: the call
    /// is refused, and nothing was begun.
    EntryLost {
        /// The call's digest.
        call: Digest,
        /// Why, for people.
        why: String,
    },
    /// The pulses of [`Output::Pulses`] are durable here.
    PulsesKept {
        /// Whose.
        from: NodeId,
        /// Up to which.
        up_to: u64,
    },
    /// The acknowledgements of [`Output::Acks`] are durable here.
    AcksKept {
        /// Whose.
        from: NodeId,
        /// Of which notices.
        notices: Vec<Digest>,
    },
    /// What [`Output::KeepWitnessed`] named is durable, as it was when its head had so many entries.
    WitnessedKept {
        /// Of which ledger.
        origin: String,
        /// Entries of the head that was remembered; 0 when none was.
        size: u64,
    },
    /// The newest signed head of a ledger that is kept on this machine: neighbours are asked to cosign it.
    OwnHead(String),
    /// What came of [`Output::Prove`].
    Proven {
        /// Which ledger.
        origin: String,
        /// The smaller size.
        from: u64,
        /// The larger size.
        to: u64,
        /// The consistency proof (RFC 6962, section 2.1.2); none when the ledger has none.
        proof: Option<Vec<[u8; 32]>>,
    },
    /// Something about files to send or to receive.
    File(crate::bulk::FileInput),
    /// The platform has settled these calls that [`Output::Settle`] brought, or refused them for good.
    Settled {
        /// Whose they were.
        from: NodeId,
        /// The calls.
        calls: Vec<Digest>,
    },
}

/// What to do.
#[derive(Debug, Clone, PartialEq)]
pub enum Output {
    /// Try to connect there. The shell admits whom it finds, or refuses with a reason.
    Connect(Sighting),
    /// Shut a link.
    Disconnect {
        /// Which.
        link: Link,
        /// Why, for people.
        reason: String,
    },
    /// Send a message. When the stream is full the shell shuts the link: the node's own bounds are tighter.
    Send {
        /// On which link.
        link: Link,
        /// On which stream.
        stream: Stream,
        /// Whether as a binary message.
        binary: bool,
        /// Its bytes.
        bytes: Vec<u8>,
    },
    /// Make this durable, then say [`Input::EntryKept`]; it comes back at the next start. Where it cannot be done, an entry
    /// without an answer is given up with [`Input::EntryLost`], and any other is tried again until it is. A newer entry of the
    /// same call takes the older one's place.
    Keep(Box<crate::book::Entry>),
    /// Forget what was kept of this call.
    Forget(Digest),
    /// Do the work, once.
    Execute {
        /// The call's digest.
        call: Digest,
        /// What to do.
        skill: String,
        /// What to do it on.
        input: Value,
        /// Who asks.
        caller: Box<NodeManifest>,
    },
    /// The end of a call that was made here.
    Ended {
        /// Whose.
        ticket: Ticket,
        /// The result, with the signed answer; or why there is none.
        result: Result<(Value, Box<Envelope>), CallFailure>,
    },
    /// Pulses of another node came in (only on nodes that keep pulses).
    Pulses {
        /// Whose.
        from: NodeId,
        /// Signed by it.
        batch: Box<Envelope>,
    },
    /// This node's pulses are kept up to here.
    PulsesKept {
        /// The highest number.
        up_to: u64,
    },
    /// Acknowledgements of deprecation notices came in (only on nodes that keep pulses). [`crate::NoticeAck::verify`] reads
    /// them.
    Acks {
        /// Who brought them.
        from: NodeId,
        /// Signed by those who acknowledge.
        acks: Vec<Envelope>,
    },
    /// Receipts to settle came in (only on nodes that settle).
    Settle {
        /// Whose.
        from: NodeId,
        /// The answers.
        answers: Vec<Envelope>,
        /// Their calls.
        calls: Vec<Envelope>,
        /// Their grants.
        grants: Vec<Envelope>,
    },
    /// Make durable what is remembered of a ledger, in place of what was before, then say [`Input::WitnessedKept`]. It is tried
    /// again until it is; it comes back at the next start, in [`crate::witnessing::Memory`]. One with a fork is for the program,
    /// too: it raises an incident.
    KeepWitnessed(Box<crate::witnessing::Remembered>),
    /// Prove that the ledger of `to` entries on this machine begins with the one of `from`, then say [`Input::Proven`].
    Prove {
        /// Which ledger.
        origin: String,
        /// The smaller size.
        from: u64,
        /// The larger size.
        to: u64,
    },
    /// A neighbour cosigned a head of a ledger on this machine.
    Cosigned {
        /// Who.
        from: NodeId,
        /// The signed head.
        note: String,
        /// The cosignature under [`NodeId::witness_key`], a signature line with its line feed.
        line: String,
    },
    /// Something to do with a file; each in its own time, the others do not wait for it.
    File(crate::bulk::FileJob),
    /// News of trust that was verified: save it.
    Trust(crate::news::News),
    /// Something a person may want to know.
    Event(crate::event::Event),
}
