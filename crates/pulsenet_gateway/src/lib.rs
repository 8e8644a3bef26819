//! Face: the gateway of the mesh, where nodes that cannot reach one another meet.
//!
//! One WebSocket a node (`GET /v1/mesh/relay`): it proves with its key who it is, and then its datagrams and signals are
//! carried to the node that they name, when the two may meet. The gateway sees who talks to whom and how much, and
//! nothing else: the datagrams are DTLS from end to end, and the signals are signed.
//!
//! Nobody waits for anybody: a node that reads too slowly loses datagrams, as on any network, and one that lets signals
//! pile up loses its connection. Everything is bounded: see the constants of [`Limits`].
//!
//! What may not come in: cases, customers' papers, SQL; what the mesh looks like to people is `desk` and `control_plane`.

mod bucket;
mod connection;
mod directory;
mod gateway;
mod limits;
mod login;
mod metrics;
mod queue;

pub use gateway::{Config, Connected, Gateway, router};
pub use limits::Limits;
