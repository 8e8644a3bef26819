//! One machine: its disk, its clock, and the node that runs on it, or does not.

use std::collections::{BTreeMap, VecDeque};

use echo_core::{Digest, Timestamp};
use mesh::{
    Config, Me, Node, NodeId, Seen, Trust,
    book::Entry,
    presence::Memo,
    telemetry,
    witnessing::{Memory, Remembered},
};
use observability::{Metrics, Pulse};
use trust::{Envelope, KeyPair};

use crate::house::at;

/// What a machine is in the story.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    /// It does what it should.
    Honest,
    /// It does, until its certificate is taken away.
    Revoked,
    /// It was admitted, and lies.
    Liar,
    /// It was never admitted: it forges, steals, replays.
    Stranger,
}

pub(crate) struct Host {
    pub(crate) name: String,
    pub(crate) kind: Kind,
    pub(crate) customer: Option<u8>,
    pub(crate) lan: usize,
    pub(crate) key: KeyPair,
    pub(crate) me: Me,
    /// How far its clock is ahead, in microseconds.
    pub(crate) skew: i64,
    pub(crate) node: Option<Node>,
    /// How often it was started.
    pub(crate) starts: u64,
    /// It does not come back.
    pub(crate) dead: bool,
    /// When it is next woken.
    pub(crate) wake: i64,
    pub(crate) trust: Trust,
    pub(crate) seen: Seen,
    pub(crate) disk: Disk,
    pub(crate) grant: Option<Envelope>,
}

/// What outlives a crash.
#[derive(Default)]
pub(crate) struct Disk {
    pub(crate) entries: BTreeMap<Digest, Entry>,
    pub(crate) pulses: VecDeque<Pulse>,
    pub(crate) last_pulse: u64,
    /// What it remembers of the operator's ledger.
    pub(crate) witnessed: Option<Remembered>,
    /// Up to which number somebody else has its pulses.
    pub(crate) acknowledged: u64,
}

impl Host {
    pub(crate) fn id(&self) -> NodeId {
        NodeId::of(&self.key.public())
    }

    /// Its own clock.
    pub(crate) fn clock(&self, now: i64) -> Timestamp {
        at(now + self.skew)
    }

    /// Starts its node with what it kept.
    pub(crate) fn start(&mut self, memo: &Memo, seed: u64, now: i64) -> Result<(), String> {
        let logs = self.disk.witnessed.iter().cloned().collect();
        let memory = Memory { logs, damaged: Vec::new() };
        let config = Config { memo: memo.clone(), memory, ..Config::default() };
        let kept = self.disk.entries.values().cloned().collect();
        let (key, certificate) = (self.key.clone(), self.me.certificate.clone());
        let node = Node::new(config, key, certificate, self.trust.clone(), kept, seed, self.clock(now))
            .map_err(|refusal| format!("{} cannot start: {refusal}", self.name))?;
        self.starts += 1;
        self.wake = i64::MAX;
        self.seen = Seen::default();
        self.node = Some(node);
        Ok(())
    }

    /// Takes a pulse and writes it down.
    pub(crate) fn pulse(&mut self, now: i64) {
        self.disk.last_pulse += 1;
        let pulse = Pulse {
            device: self.me.manifest.device.clone(),
            seq: self.disk.last_pulse,
            at: self.clock(now),
            metrics: metrics(),
            facts: None,
        };
        self.disk.pulses.push_back(pulse);
    }

    /// The oldest pulses that nobody has acknowledged, signed.
    pub(crate) fn batch(&self) -> Option<(Envelope, u64)> {
        let pulses: Vec<Pulse> = self.disk.pulses.iter().take(8).cloned().collect();
        telemetry::sign_batch(&pulses, &self.key).expect("eight small pulses fit")
    }
}

fn metrics() -> Metrics {
    Metrics {
        cpu_utilization: 0.05,
        load_1: 0.1,
        load_5: 0.2,
        load_15: 0.3,
        memory_total: 4 << 30,
        memory_used: 1 << 30,
        memory_available: 3 << 30,
        swap_total: 0,
        swap_used: 0,
        disks: Vec::new(),
        network: Vec::new(),
        uptime_seconds: 60,
        processes: 80,
    }
}
