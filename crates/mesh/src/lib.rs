//! Domain: a node of the mesh, as a state machine.
//!
//! Who is let in ([`admission`](crate::Refusal)), what neighbours say to one another ([`Wire`]), who is there and what
//! they can do, how a call finds its way over several hops, how pulses and receipts arrive once and only once.
//! Everything comes in as an [`Input`] with the time it happened, and goes out as an [`Output`] to carry out; the same
//! node runs in the platform, in the probe and, ten thousand at a time, in the simulator.
//!
//! Trust comes from signatures alone: nothing that was read from the network's air (a multicast answer, an address, a
//! neighbour's word about a third) changes whom a node believes.
//!
//! What may not come in: sockets, files, threads, the clock, WebRTC, HTTP, SQL. Randomness is a seed.

mod acks;
mod admission;
mod allowance;
pub mod book;
pub mod bulk;
mod call;
pub mod calls;
pub mod doctor;
mod document;
pub mod event;
mod grant;
mod io;
mod kept;
mod membership;
mod neighbours;
pub mod news;
mod node;
mod node_id;
pub mod presence;
mod realm;
pub mod relay;
mod room;
mod rooms;
mod route;
mod settlement;
pub mod signal;
mod stream;
pub mod telemetry;
#[cfg(test)]
mod test_house;
mod topology;
pub mod view;
mod wire;
pub mod witnessing;

pub use acks::{ACK_TYPE, Acks, NoticeAck};
pub use admission::{Admitted, MAX_CERTIFICATE_BYTES, Refusal, admit};
pub use bulk::FileReceipt;
pub use call::{
    ANSWER_TYPE, AnswerDoc, CALL_TYPE, CallDoc, MAX_INPUT_BYTES, MAX_OUTPUT_BYTES, MeshReceipt, Reply,
};
pub use document::{DocumentError, digest_of};
pub use grant::{GRANT_TYPE, Grant, GrantedSkill};
pub use io::{Call, CallFailure, Input, Link, Outcome, Output, Sighting, Target, Ticket, Via};
pub use kept::{KEPT_TYPE, Kept, What};
pub use membership::{Life, MAX_MEMBERS};
pub use news::{News, NewsError, Trust};
pub use node::{Config, MAX_OUTPUTS, Node, PULSES, SETTLE, own_manifest};
pub use node_id::{NodeId, NodeIdError};
pub use realm::{Realm, RealmTag};
pub use settlement::{Settlement, verify_settlement};
pub use signal::{Me, Seen, SessionId, Signal, Signed};
pub use stream::Stream;
pub use wire::{Body, Head, Hello, MAX_HOPS, Membership, Message, Routed, Wire, WireError};
