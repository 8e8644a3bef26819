//! Cables: links that delay, keep order, break, and are cut in two halves.

use std::collections::BTreeMap;

use mesh::Link;

/// One link: two ends, each with its own name. End 0 is named `2n`, end 1 `2n + 1`.
#[derive(Debug, Clone)]
pub(crate) struct Wire {
    pub(crate) hosts: [usize; 2],
    /// The incarnations of the hosts that it connects.
    pub(crate) starts: [u64; 2],
    /// When the last message to each end arrives, so that none overtakes another.
    pub(crate) last: [i64; 2],
    /// Whether messages get through.
    pub(crate) up: bool,
    /// The one-way delay, in microseconds.
    pub(crate) delay: i64,
}

/// All links, and who is cut off from whom.
#[derive(Debug, Default)]
pub(crate) struct Network {
    wires: BTreeMap<u64, Wire>,
    made: u64,
    /// Hosts with different numbers do not reach one another.
    pub(crate) part: Vec<usize>,
}

pub(crate) fn wire_of(link: Link) -> (u64, usize) {
    (link.0 / 2, usize::from(link.0 % 2 == 1))
}

pub(crate) fn end(wire: u64, side: usize) -> Link {
    Link(wire * 2 + u64::from(side == 1))
}

impl Network {
    pub(crate) fn connect(&mut self, hosts: [usize; 2], starts: [u64; 2], now: i64, delay: i64) -> u64 {
        self.made += 1;
        let wire = Wire { hosts, starts, last: [now; 2], up: true, delay };
        self.wires.insert(self.made, wire);
        self.made
    }

    pub(crate) fn get(&self, wire: u64) -> Option<&Wire> {
        self.wires.get(&wire)
    }

    pub(crate) fn get_mut(&mut self, wire: u64) -> Option<&mut Wire> {
        self.wires.get_mut(&wire)
    }

    /// How many links were ever made.
    pub(crate) fn made(&self) -> usize {
        usize::try_from(self.made).unwrap_or(usize::MAX)
    }

    /// Whether two hosts reach one another.
    pub(crate) fn reaches(&self, a: usize, b: usize) -> bool {
        self.part[a] == self.part[b]
    }

    /// The link between two hosts that is up.
    pub(crate) fn between(&self, a: usize, b: usize) -> Option<u64> {
        let joins = |wire: &Wire| wire.up && (wire.hosts == [a, b] || wire.hosts == [b, a]);
        self.wires.iter().rev().find(|(_, wire)| joins(wire)).map(|(name, _)| *name)
    }

    /// The links of a host that are up.
    pub(crate) fn of(&self, host: usize) -> Vec<u64> {
        let its = self.wires.iter().filter(|(_, wire)| wire.up && wire.hosts.contains(&host));
        its.map(|(name, _)| *name).collect()
    }

    /// Every link that is up.
    pub(crate) fn up(&self) -> Vec<u64> {
        self.wires.iter().filter(|(_, wire)| wire.up).map(|(name, _)| *name).collect()
    }
}
