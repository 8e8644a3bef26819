//! How much of everything. The defaults are what the platform uses; tests set smaller ones.

use std::time::Duration;

/// The gateway's bounds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Limits {
    /// The most connections in all, those that have not logged in yet included.
    pub connections: usize,
    /// The most connections of one realm.
    pub realm: usize,
    /// The most connections from one address that have not logged in yet. IPv6 counts by its first 64 bits.
    pub strangers: usize,
    /// How long a connection may take to log in.
    pub login: Duration,
    /// How long a connection may say nothing before it is asked whether it is there.
    pub quiet: Duration,
    /// How long it may say nothing before it is closed.
    pub idle: Duration,
    /// How long one write may wait for a reader.
    pub patience: Duration,
    /// The most bytes of datagrams that wait for one connection; what comes beyond is dropped.
    pub waiting_datagrams: usize,
    /// The most bytes of anything that wait for one connection; a signal that finds no room closes it.
    pub waiting: usize,
    /// How many bytes a second one connection may send. A frame counts [`Self::FRAME_COST`] bytes at least.
    pub bytes_a_second: u32,
    /// How many signals a second one connection may send, on average over [`Self::BURST_SECONDS`].
    pub signals_a_second: u32,
}

impl Limits {
    /// What a frame counts at least, in bytes: a flood of empty ones costs as much to carry.
    pub const FRAME_COST: u32 = 200;
    /// For how many seconds' worth a connection may save up.
    pub const BURST_SECONDS: u32 = 2;
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            connections: 2048,
            realm: 512,
            strangers: 32,
            login: Duration::from_secs(5),
            quiet: Duration::from_secs(20),
            idle: Duration::from_mins(1),
            patience: Duration::from_secs(10),
            waiting_datagrams: 256 * 1024,
            waiting: 768 * 1024,
            bytes_a_second: 8 * 1024 * 1024,
            signals_a_second: 20,
        }
    }
}
