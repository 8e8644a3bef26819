//! An installation with two slots: one system runs, the other waits or is being written.
//!
//! ```text
//! PREFIX/state.json     which slot is active, and how each of them stands: the one truth
//! PREFIX/slots/a, b     two unpacked bundles
//! PREFIX/current        link to the active slot, for people; made anew from the state at each start
//! PREFIX/good           link to the slot whose `echo_cli` decides what starts: the last one in good health
//! PREFIX/bin            what to start, see `bin.rs`
//! ```
//!
//! Order of an update; each line is durable before the next begins, so a cut anywhere leaves one of two good systems:
//!
//! 1. the state forgets what was in the inactive slot;
//! 2. the slot is emptied and written, every file and every folder flushed;
//! 3. the trust chain of the bundle, when it says more than the known one;
//! 4. the state names the slot as active, on trial: this moment is the update;
//! 5. the links.

mod bin;
mod disk;
mod install;
#[cfg(test)]
mod power;
#[cfg(test)]
mod power_tests;
mod prefix;
mod start;
mod state;
#[cfg(test)]
mod tests;

pub use disk::{Disk, RealDisk};
pub use install::{Happened, Install};
pub use prefix::Prefix;
pub use start::{Health, Launch};
pub use state::{Event, Slot, SlotName, Standing, State, StateError};
