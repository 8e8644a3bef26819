//! Edge: what carries the mesh: sockets, WebRTC, multicast discovery, gateways.
//!
//! The shell around [`mesh::Node`]. It finds peers, admits them or refuses them with a reason, keeps one encrypted session a
//! peer on the best path there is (straight, through a TURN server, through a gateway), and hands messages in and out.
//! Bytes flow at once through whatever works first; the path changes under way, and nothing is lost or doubled by it.
//!
//! Everything that strangers can make grow has a bound: sessions, attempts, offers a second, queues, candidates.
//!
//! What may not come in: decisions about trust (they are [`mesh`]'s), what messages mean, files, SQL.

mod actor;
pub mod discovery;
mod endpoint;
pub mod flow;
mod gateways;
mod history;
pub mod identity;
pub mod knock;
mod learning;
pub mod limits;
pub mod listener;
mod live;
pub mod pairs;
pub mod place;
mod publish;
pub mod reflexive;
pub mod relay_client;
mod rivals;
pub mod sdp;
pub mod session;
mod signalling;
pub mod sockets;
mod trickle;
pub mod turn;

pub use actor::{ADDRESSES_EVERY, ATTEMPT_TIME, MAX_HALF_OPEN, MAX_SESSIONS};
pub use endpoint::{Config, Endpoint, LinkEvent, MAX_CONNECTS, MAX_EVENTS, Report, StartError};
pub use flow::Full;
pub use relay_client::MAX_GATEWAYS;
pub use sockets::anywhere;
pub use trickle::MARK as CANDIDATES_MARK;
pub use turn::TurnServer;
