//! What the machines do for people: pulses, calls, receipts.

use mesh::{Input, NodeId, Ticket};
use rand::RngExt as _;
use serde_json::json;
use trust::Envelope;

use crate::{
    chaos::Step,
    host::{Host, Kind},
    world::{Happening, MILLI, SECOND, World},
};

impl World {
    /// Pulses arrive at a platform. The row is in the database, but the word of it may be lost with the machine.
    pub(crate) fn store(&mut self, host: usize, from: NodeId, batch: &Envelope) {
        let took = self.rng.random_range(5..50) * MILLI;
        let up_to = self.platform.keep(from, batch);
        let (start, input) = (self.hosts[host].starts, Box::new(Input::PulsesKept { from, up_to }));
        self.after(took, Happening::Inside { host, start, input });
    }

    /// Receipts arrive at a platform.
    pub(crate) fn settle(
        &mut self,
        host: usize,
        from: NodeId,
        documents: impl Iterator<Item = (Envelope, Envelope, Envelope)>,
    ) {
        let calls = self.platform.settle(&self.hosts[host].trust, self.now, documents);
        let took = self.rng.random_range(5..50) * MILLI;
        let (start, input) = (self.hosts[host].starts, Box::new(Input::Settled { from, calls }));
        self.after(took, Happening::Inside { host, start, input });
    }

    pub(crate) fn keep(&mut self, host: usize, entry: mesh::book::Entry) {
        let kept = &mut self.hosts[host].disk.entries;
        if let Some(before) = kept.get(&entry.call)
            && before.answer.is_some()
            && before.answer != entry.answer
        {
            self.faults.push(format!("the answer to {} was changed", entry.call));
        }
        kept.insert(entry.call, entry);
        // The worst moment to fail: it is kept, and nothing after it was done.
        if self.wild && self.rng.random_bool(0.03) {
            self.crash(host);
            let pause = self.rng.random_range(1..30) * SECOND;
            self.after(pause, Happening::Step(Step::Start(host)));
        }
    }

    pub(crate) fn pulse(&mut self, host: usize) {
        self.hosts[host].pulse(self.now);
        // What waits already is offered again with the new one, as a shell may do at any time.
        if let Some((batch, up_to)) = self.hosts[host].batch() {
            self.tell(host, Input::Pulses { batch, up_to });
        }
    }

    pub(crate) fn pulses_kept(&mut self, host: usize, up_to: u64) {
        let id = self.hosts[host].id();
        let stored = self.platform.pulses.get(&id).and_then(|kept| kept.last()).copied().unwrap_or(0);
        if stored < up_to {
            let name = &self.hosts[host].name;
            self.faults.push(format!("{name} was told that {up_to} is kept, and the platform has {stored}"));
        }
        let disk = &mut self.hosts[host].disk;
        disk.acknowledged = disk.acknowledged.max(up_to);
        disk.pulses.retain(|pulse| pulse.seq > up_to);
        let start = self.hosts[host].starts;
        if let Some((batch, up_to)) = self.hosts[host].batch() {
            self.after(0, Happening::Inside { host, start, input: Box::new(Input::Pulses { batch, up_to }) });
        }
    }

    pub(crate) fn call(&mut self, host: usize) {
        let Some(grant) = self.hosts[host].grant.clone() else { return };
        let customer = self.hosts[host].customer;
        let honest = |other: &Host| other.customer == customer && other.kind == Kind::Honest && !other.dead;
        let others: Vec<NodeId> = self
            .hosts
            .iter()
            .enumerate()
            .filter(|(n, h)| *n != host && honest(h))
            .map(|(_, h)| h.id())
            .collect();
        if others.is_empty() {
            return;
        }
        let target = if self.rng.random_bool(0.3) {
            mesh::Target::Capability(crate::house::SKILL.to_owned())
        } else {
            mesh::Target::Node(others[self.rng.random_range(0..others.len())])
        };
        self.calls += 1;
        let deadline = self.hosts[host].clock(self.now + self.rng.random_range(20..300) * SECOND);
        let call = mesh::Call {
            ticket: Ticket(self.calls),
            target,
            skill: crate::house::SKILL.to_owned(),
            input: json!({"n": self.calls}),
            grant,
            key: format!("0197c3f0-a1b2-7c3d-8e4f-{:012x}", self.calls),
            deadline,
        };
        self.tell(host, Input::Call(call));
    }
}
