//! Checks: a whole mesh in one thread, on simulated time.
//!
//! Many [`mesh::Node`]s with the smallest shell that can be made: links that delay and break, machines that crash and
//! come back with what they kept, clocks that are hours off, cables that are cut, and peers that lie. Everything follows
//! from a seed, so that what failed once fails again. [`run`] plays one seed and gives what was found wrong;
//! [`scale::measure`] grows a mesh and measures it.
//!
//! What a shell must do (look at offers, keep before carrying on) is done here with the same functions of `mesh` as in the
//! real one. Nothing here may be used by a program that runs in earnest.
//!
//! What may not come in: sockets, files, the clock.

mod chaos;
mod check;
mod door;
mod host;
mod house;
mod ledgers;
mod mischief;
mod network;
mod platform;
pub mod scale;
mod work;
mod world;

pub use chaos::Plan;

/// What came of one seed.
#[derive(Debug, Clone, Default)]
pub struct Report {
    /// What is wrong; empty when all is well.
    pub faults: Vec<String>,
    /// How many nodes took part.
    pub nodes: usize,
    /// Links that came up.
    pub links: usize,
    /// Calls that were carried out.
    pub executed: usize,
    /// Receipts that were settled.
    pub settled: usize,
    /// Pulses that the platform has.
    pub pulses: usize,
    /// Cosignatures that the operator's ledger has.
    pub cosignatures: usize,
    /// Whether its key signed two histories.
    pub forked: bool,
    /// Messages on all links together.
    pub messages: u64,
    /// Their bytes.
    pub bytes: u64,
    /// Strangers, forgeries and replays that were turned away at the door.
    pub turned_away: usize,
}

/// Plays one seed to its end.
pub fn run(seed: u64) -> Report {
    let plan = Plan::of(seed);
    let mut world = world::World::new(&plan);
    world.play(&plan);
    check::judge(&mut world)
}
