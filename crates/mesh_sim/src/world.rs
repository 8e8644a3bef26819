//! Everything that there is, and the order in which it happens.

use std::collections::{BTreeMap, VecDeque};

use echo_core::{Digest, SeededEntropy};
use mesh::{
    Input, Link, NodeId, Outcome, Output, Sighting, Stream, Ticket, Via,
    event::{Event, Level},
    presence::Memo,
};
use rand::{RngExt as _, SeedableRng as _, rngs::SmallRng};
use serde_json::json;
use trust::KeyPair;

use crate::{
    chaos::{Plan, Step},
    door::Answered,
    host::{Disk, Host, Kind},
    house::{House, START, lasting},
    mischief::Loot,
    network::{Network, end, wire_of},
    platform::Platform,
};

pub(crate) const MILLI: i64 = 1_000;
pub(crate) const SECOND: i64 = 1_000 * MILLI;

/// Something that happens at its time.
pub(crate) enum Happening {
    /// A node's deadline.
    Wake(usize),
    /// An offer arrives.
    Offer { to: usize, from: usize, place: String, bytes: Vec<u8>, expected: Option<mesh::signal::Expected> },
    /// An answer arrives, or a refusal.
    Answer(Box<Answered>),
    /// Nobody answers.
    NoAnswer { host: usize, place: String },
    /// A message arrives.
    Arrive { link: Link, stream: Stream, binary: bool, bytes: Vec<u8> },
    /// An end of a link learns that it is gone.
    Down { link: Link, why: &'static str },
    /// Work is done.
    Worked { host: usize, start: u64, call: Digest },
    /// Something else for a node, from its own machine.
    Inside { host: usize, start: u64, input: Box<Input> },
    /// A machine takes a pulse.
    Pulse(usize),
    /// Somebody wants something done.
    Call(usize),
    /// A machine sees who is near.
    Look(usize),
    /// A liar or a stranger does something.
    Mischief(usize),
    /// The story goes on.
    Step(Step),
}

/// The whole.
pub(crate) struct World {
    pub(crate) now: i64,
    pub(crate) rng: SmallRng,
    queue: BTreeMap<(i64, u64), Happening>,
    queued: u64,
    pub(crate) house: House,
    pub(crate) hosts: Vec<Host>,
    pub(crate) network: Network,
    pub(crate) platform: Platform,
    pub(crate) memo: Memo,
    pub(crate) faults: Vec<String>,
    /// Whether bad things happen.
    pub(crate) wild: bool,
    /// Offers go without signatures: only for measuring.
    pub(crate) open_doors: bool,
    /// How often each call's work was done.
    pub(crate) executed: BTreeMap<Digest, usize>,
    /// Calls that ended well.
    pub(crate) answered: usize,
    pub(crate) turned_away: usize,
    pub(crate) loot: Loot,
    pub(crate) calls: u64,
    /// Bytes that were sent on links.
    pub(crate) bytes: u64,
    /// Messages that were sent on links.
    pub(crate) messages: u64,
    /// The last warnings, to see what happened where something is wrong.
    pub(crate) warnings: VecDeque<String>,
}

impl World {
    pub(crate) fn new(plan: &Plan) -> Self {
        let mut world = Self {
            now: START,
            rng: SmallRng::seed_from_u64(plan.seed),
            queue: BTreeMap::new(),
            queued: 0,
            house: House::new(plan.seed),
            hosts: Vec::new(),
            network: Network::default(),
            platform: Platform::default(),
            memo: Memo::default(),
            faults: Vec::new(),
            wild: true,
            open_doors: plan.open_doors,
            executed: BTreeMap::new(),
            answered: 0,
            turned_away: 0,
            loot: Loot::default(),
            calls: 0,
            bytes: 0,
            messages: 0,
            warnings: VecDeque::new(),
        };
        let source = SeededEntropy::new(plan.seed);
        let trust = world.house.trust();
        for part in &plan.hosts {
            world.settle_in(part, KeyPair::generate(&source), trust.clone());
        }
        world
    }

    fn settle_in(&mut self, part: &crate::chaos::Part, key: KeyPair, trust: mesh::Trust) {
        let name = format!("h{}", self.hosts.len());
        // A stranger's papers have expired; what it does with them is its own.
        let expires = if part.kind == Kind::Stranger { START - 24 * 3_600 * SECOND } else { lasting() };
        let certificate = self.house.enrol(&key, &name, part.customer, expires);
        let manifest = crate::house::manifest(&key, &name, part.customer, expires);
        let me = mesh::Me { manifest, certificate, token: Some(name.clone()) };
        let grant = part.customer.map(|customer| self.house.grant(NodeId::of(&key.public()), customer, 500));
        self.network.part.push(0);
        self.hosts.push(Host {
            name,
            kind: part.kind,
            customer: part.customer,
            lan: part.lan,
            key,
            me,
            skew: part.skew,
            node: None,
            starts: 0,
            dead: false,
            wake: i64::MAX,
            trust,
            seen: mesh::Seen::default(),
            disk: Disk::default(),
            grant,
        });
    }

    /// Something is to happen after a while.
    pub(crate) fn after(&mut self, micros: i64, happening: Happening) {
        self.at(self.now + micros.max(0), happening);
    }

    /// Something is to happen then.
    pub(crate) fn at(&mut self, at: i64, happening: Happening) {
        self.queued += 1;
        self.queue.insert((at, self.queued), happening);
    }

    /// Lets time pass.
    pub(crate) fn run_until(&mut self, end: i64) {
        while let Some(entry) = self.queue.first_entry()
            && entry.key().0 <= end
        {
            let ((at, _), happening) = entry.remove_entry();
            self.now = at;
            self.happen(happening);
        }
        self.now = end;
    }

    fn happen(&mut self, happening: Happening) {
        match happening {
            Happening::Wake(host) => {
                if self.hosts[host].wake <= self.now {
                    self.hosts[host].wake = i64::MAX;
                    self.tell(host, Input::Tick);
                }
            }
            Happening::Offer { to, from, place, bytes, expected } => {
                self.offered(to, from, place, &bytes, expected);
            }
            Happening::Answer(answered) => self.answered(*answered),
            Happening::NoAnswer { host, place } => self.tell(host, Input::Attempted { place, found: None }),
            Happening::Arrive { link, stream, binary, bytes } => self.arrive(link, stream, binary, bytes),
            Happening::Down { link, why } => {
                let (wire, side) = wire_of(link);
                let Some(found) = self.network.get(wire) else { return };
                let (host, start) = (found.hosts[side], found.starts[side]);
                if self.hosts[host].starts == start {
                    self.tell(host, Input::Down { link, why: why.to_owned() });
                }
            }
            Happening::Worked { host, start, call } => {
                if self.hosts[host].starts == start {
                    let well = self.rng.random_bool(0.8);
                    let outcome = if well {
                        Outcome::Done(json!({"ok": true}))
                    } else {
                        Outcome::Failed("no".to_owned())
                    };
                    self.tell(host, Input::Executed { call, outcome });
                }
            }
            Happening::Inside { host, start, input } => {
                if self.hosts[host].starts == start {
                    self.tell(host, *input);
                }
            }
            Happening::Pulse(host) => self.pulse(host),
            Happening::Call(host) => self.call(host),
            Happening::Look(host) => self.look(host),
            Happening::Mischief(host) => self.mischief(host),
            Happening::Step(step) => self.step(step),
        }
    }

    /// Gives a node something, and does what it says.
    pub(crate) fn tell(&mut self, host: usize, input: Input) {
        let machine = &mut self.hosts[host];
        let clock = machine.clock(self.now);
        let Some(node) = machine.node.as_mut() else { return };
        node.handle(clock, input);
        while let Some(output) = self.hosts[host].node.as_mut().and_then(mesh::Node::poll) {
            self.carry_out(host, output);
        }
        let machine = &mut self.hosts[host];
        if let Some(node) = &machine.node {
            let wake = (node.deadline().as_microsecond() - machine.skew).max(self.now + 1);
            if wake < machine.wake {
                machine.wake = wake;
                self.at(wake, Happening::Wake(host));
            }
        }
    }

    fn carry_out(&mut self, host: usize, output: Output) {
        let start = self.hosts[host].starts;
        match output {
            Output::Connect(sighting) => self.connect(host, sighting),
            Output::Disconnect { link, reason } => self.disconnect(link, &reason),
            Output::Send { link, stream, binary, bytes } => self.send(host, link, stream, binary, bytes),
            Output::Keep(entry) => self.keep(host, *entry),
            Output::Forget(call) => {
                self.hosts[host].disk.entries.remove(&call);
            }
            Output::Execute { call, .. } => {
                let times = self.executed.entry(call).or_default();
                *times += 1;
                if *times > 1 {
                    self.faults.push(format!("{} did the work of {call} again", self.hosts[host].name));
                }
                let took = self.rng.random_range(50..3_000) * MILLI;
                self.after(took, Happening::Worked { host, start, call });
            }
            Output::Ended { result, .. } => self.answered += usize::from(result.is_ok()),
            Output::Pulses { from, batch } => {
                let took = self.rng.random_range(5..50) * MILLI;
                let up_to = self.platform.keep(from, &batch);
                // The row is in the database, but the word of it may be lost with the machine.
                self.after(
                    took,
                    Happening::Inside { host, start, input: Box::new(Input::PulsesKept { from, up_to }) },
                );
            }
            Output::PulsesKept { up_to } => self.pulses_kept(host, up_to),
            Output::Acks { from, acks } => {
                let read = acks.iter().filter_map(|ack| mesh::NoticeAck::verify(ack).ok());
                let input = Input::AcksKept { from, notices: read.map(|ack| ack.notice).collect() };
                self.after(MILLI, Happening::Inside { host, start, input: Box::new(input) });
            }
            Output::Settle { from, answers, calls, grants } => {
                let documents = answers.into_iter().zip(calls).zip(grants).map(|((a, c), g)| (a, c, g));
                let calls = self.platform.settle(&self.hosts[host].trust, self.now, documents);
                let took = self.rng.random_range(5..50) * MILLI;
                self.after(
                    took,
                    Happening::Inside { host, start, input: Box::new(Input::Settled { from, calls }) },
                );
            }
            Output::Trust(news) => {
                let clock = self.hosts[host].clock(self.now);
                if let Err(error) = self.hosts[host].trust.apply(&news, clock) {
                    self.faults.push(format!("{} cannot save news: {error}", self.hosts[host].name));
                }
            }
            Output::Event(event) => self.event(host, &event),
        }
    }

    fn event(&mut self, host: usize, event: &Event) {
        let line = format!("{:.1} s, {}: {event}", self.seconds(), self.hosts[host].name);
        if event.level() == Level::Error {
            self.faults.push(line.clone());
        }
        if self.warnings.len() >= 400 {
            self.warnings.pop_front();
        }
        self.warnings.push_back(line);
    }

    /// Simulated seconds since the start.
    pub(crate) fn seconds(&self) -> f64 {
        // Minutes of microseconds are far within the exact integers of a float.
        #[allow(clippy::cast_precision_loss)]
        let seconds = (self.now - START) as f64 / 1e6;
        seconds
    }

    fn keep(&mut self, host: usize, entry: mesh::book::Entry) {
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

    pub(crate) fn send(&mut self, host: usize, link: Link, stream: Stream, binary: bool, bytes: Vec<u8>) {
        let (name, side) = wire_of(link);
        let jitter = self.rng.random_range(0..3 * MILLI);
        let (now, cut) = (self.now, |network: &Network, a: usize, b: usize| !network.reaches(a, b));
        let Some(wire) = self.network.get(name) else { return };
        if !wire.up || wire.hosts[side] != host || cut(&self.network, wire.hosts[0], wire.hosts[1]) {
            return;
        }
        self.bytes += bytes.len() as u64;
        self.messages += 1;
        let Some(wire) = self.network.get_mut(name) else { return };
        let at = (now + wire.delay + jitter).max(wire.last[1 - side] + 1);
        wire.last[1 - side] = at;
        self.at(at, Happening::Arrive { link: end(name, 1 - side), stream, binary, bytes });
    }

    fn arrive(&mut self, link: Link, stream: Stream, binary: bool, bytes: Vec<u8>) {
        let (name, side) = wire_of(link);
        let Some(wire) = self.network.get(name) else { return };
        let (host, other, start) = (wire.hosts[side], wire.hosts[1 - side], wire.starts[side]);
        if !wire.up || !self.network.reaches(host, other) || self.hosts[host].starts != start {
            return;
        }
        if self.hosts[host].kind == Kind::Liar {
            self.loot.take(stream, binary, &bytes);
        }
        self.tell(host, Input::Received { link, stream, binary, bytes });
    }

    /// A node shuts a link: the other end learns of it soon.
    fn disconnect(&mut self, link: Link, _reason: &str) {
        let (name, side) = wire_of(link);
        if let Some(wire) = self.network.get_mut(name) {
            wire.up = false;
            let delay = wire.delay;
            self.after(delay, Happening::Down { link: end(name, 1 - side), why: "the other side shut it" });
        }
    }

    /// A cable breaks: both ends learn of it when nothing comes for a while.
    pub(crate) fn cut(&mut self, name: u64) {
        let Some(wire) = self.network.get_mut(name).filter(|wire| wire.up) else { return };
        wire.up = false;
        for side in 0..2 {
            let silence = self.rng.random_range(2..8) * SECOND;
            self.after(silence, Happening::Down { link: end(name, side), why: "nothing came for a while" });
        }
    }

    pub(crate) fn crash(&mut self, host: usize) {
        if self.hosts[host].node.take().is_some() {
            // What it was doing is no longer its own.
            self.hosts[host].starts += 1;
            for wire in self.network.of(host) {
                self.cut(wire);
            }
        }
    }

    pub(crate) fn start(&mut self, host: usize) {
        if self.hosts[host].node.is_some() || self.hosts[host].dead || self.hosts[host].kind == Kind::Stranger
        {
            return;
        }
        let seed = self.rng.random();
        if let Err(error) = self.hosts[host].start(&self.memo, seed, self.now) {
            return self.faults.push(error);
        }
        let soon = self.rng.random_range(0..SECOND);
        self.after(soon, Happening::Look(host));
        self.tell(host, Input::Tick);
        if let Some((batch, up_to)) = self.hosts[host].batch() {
            self.tell(host, Input::Pulses { batch, up_to });
        }
    }

    fn pulse(&mut self, host: usize) {
        self.hosts[host].pulse(self.now);
        // What waits already is offered again with the new one, as a shell may do at any time.
        if let Some((batch, up_to)) = self.hosts[host].batch() {
            self.tell(host, Input::Pulses { batch, up_to });
        }
    }

    fn pulses_kept(&mut self, host: usize, up_to: u64) {
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

    fn call(&mut self, host: usize) {
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

    /// The machine hears who is near, as by multicast and from its settings.
    fn look(&mut self, host: usize) {
        if self.hosts[host].node.is_none() {
            return;
        }
        let (lan, operator) = (self.hosts[host].lan, self.hosts[host].customer.is_none());
        for other in 0..self.hosts.len() {
            if other == host || self.hosts[other].dead || self.hosts[other].kind == Kind::Stranger {
                continue;
            }
            let gateway = self.hosts[other].customer.is_none();
            let near = self.hosts[other].lan == lan && self.network.reaches(host, other);
            if !(near && !self.open_doors || gateway || near && !operator) {
                continue;
            }
            let via = if gateway { Via::Address } else { Via::Multicast };
            let place = self.hosts[other].name.clone();
            self.tell(host, Input::Sighted(Sighting { node: None, via, place }));
        }
        let again = if self.open_doors { 600 } else { self.rng.random_range(15..45) };
        self.after(again * SECOND, Happening::Look(host));
    }

    /// Whoever is named so.
    pub(crate) fn host_at(&self, place: &str) -> Option<usize> {
        place.strip_prefix('h')?.parse().ok().filter(|host| *host < self.hosts.len())
    }
}
