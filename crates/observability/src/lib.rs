//! Domain: what a device observes about itself, and what the platform keeps of it.
//!
//! On the device: [`HostFacts`] (what the machine is), a [`Collector`] of [`Metrics`] (how it does), a
//! [`Diagnosis`] (what a technician would look at first), and a [`Buffer`] that keeps [`Pulse`]s on disk until
//! the platform has them. On the platform: the [`PulseBoard`], the current state and a bounded history of each
//! node. Names and units follow the OpenTelemetry semantic conventions ([`Series`]).
//!
//! Telemetry is worth little and comes in floods: every list, text and file here has a bound, `/proc` is read as
//! a stream, and a damaged file is set aside with a reason instead of stopping a program.
//!
//! What may not come in: HTTP, async, SQL, signatures, the clock (times are parameters), what to do about a fault.

mod board;
mod bounds;
mod buffer;
mod collector;
mod diagnosis;
mod disks;
mod error;
mod facts;
mod history;
mod metrics;
mod notes;
mod ports;
mod processes;
mod procfile;
mod pulse;
mod segment;
mod series;
mod services;
mod set_aside;
mod virtualisation;

pub use board::{Accepted, BoardError, MAX_NODES, ONLINE_FOR_SECONDS, Presence, PulseBoard};
pub use bounds::BoundsError;
pub use buffer::{Bounds, Buffer, BufferError, MAX_BATCH, MAX_BATCH_BYTES};
pub use collector::Collector;
pub use diagnosis::{Diagnosis, MAX_TOP_PROCESSES, diagnose};
pub use error::ObserveError;
pub use facts::HostFacts;
pub use history::{MAX_POINTS, Point};
pub use metrics::{Disk, MAX_DISKS, MAX_NICS, Metrics, Nic};
pub use notes::{MAX_NOTES, Note, Severity};
pub use ports::{ListeningPort, MAX_LISTENING, Transport};
pub use processes::Process;
pub use pulse::{MAX_PULSE_BYTES, MAX_SEQ, PULSE_EVERY_SECONDS, Pulse, PulseError};
pub use series::{Instrument, Series};
pub use services::MAX_FAILED_SERVICES;
pub use set_aside::SetAside;
