//! Cables: links that delay, keep order, break, and are cut in two halves.

use std::collections::{BTreeMap, BTreeSet};

use mesh::{Link, Stream};

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
    /// The links of each host that are up.
    up: BTreeMap<usize, BTreeSet<u64>>,
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
        for host in hosts {
            self.up.entry(host).or_default().insert(self.made);
        }
        self.made
    }

    pub(crate) fn get(&self, wire: u64) -> Option<&Wire> {
        self.wires.get(&wire)
    }

    pub(crate) fn get_mut(&mut self, wire: u64) -> Option<&mut Wire> {
        self.wires.get_mut(&wire)
    }

    /// A link carries nothing from now on.
    pub(crate) fn down(&mut self, name: u64) {
        let Some(wire) = self.wires.get_mut(&name) else { return };
        wire.up = false;
        for host in wire.hosts {
            if let Some(its) = self.up.get_mut(&host) {
                its.remove(&name);
            }
        }
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
        // Whoever has fewer links is asked: a node of the operator has thousands.
        let (few, many) = if self.count(a) < self.count(b) { (a, b) } else { (b, a) };
        self.of(few).into_iter().rev().find(|name| self.wires[name].hosts.contains(&many))
    }

    /// The links of a host that are up.
    pub(crate) fn of(&self, host: usize) -> Vec<u64> {
        self.up.get(&host).into_iter().flatten().copied().collect()
    }

    /// How many links of a host are up.
    pub(crate) fn count(&self, host: usize) -> usize {
        self.up.get(&host).map_or(0, BTreeSet::len)
    }

    /// Every link that is up.
    pub(crate) fn up(&self) -> Vec<u64> {
        self.wires.iter().filter(|(_, wire)| wire.up).map(|(name, _)| *name).collect()
    }
}

/// What a message is: its kind where it is text, else what its stream carries in binary.
pub(crate) fn kind(stream: Stream, binary: bool, bytes: &[u8]) -> &str {
    if binary {
        return if stream == Stream::Control { "membership" } else { "files" };
    }
    let named = bytes.strip_prefix(b"{\"kind\":\"").and_then(|rest| rest.split(|byte| *byte == b'"').next());
    named.and_then(|kind| std::str::from_utf8(kind).ok()).unwrap_or("other")
}
