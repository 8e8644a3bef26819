//! Everything that there is, and the order in which it happens.

use std::collections::{BTreeMap, VecDeque};

use echo_core::{Digest, SeededEntropy};
use mesh::{
    Input, Link, NodeId, Outcome, Output, Sighting, Stream, Via,
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
    ledgers::Ledger,
    mischief::Loot,
    network::{Network, end, kind, wire_of},
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
    /// What a machine remembers of the ledger is durable.
    Witnessed { host: usize, start: u64, remembered: Box<mesh::witnessing::Remembered> },
    /// The ledger grows; in two histories, where so it is.
    Write { forked: bool },
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
    pub(crate) ledger: Ledger,
    /// Whether somebody was shown another history of the ledger.
    pub(crate) shown_other: bool,
    /// Cosignatures that the ledger's keeper has.
    pub(crate) cosignatures: usize,
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
    /// The bytes by what they were.
    pub(crate) kinds: BTreeMap<String, u64>,
    /// The last warnings, to see what happened where something is wrong.
    pub(crate) warnings: VecDeque<String>,
}

impl World {
    pub(crate) fn new(plan: &Plan) -> Self {
        let ledger = Ledger::new(plan.seed);
        let mut world = Self {
            now: START,
            rng: SmallRng::seed_from_u64(plan.seed),
            queue: BTreeMap::new(),
            queued: 0,
            house: House::new(plan.seed, &ledger),
            hosts: Vec::new(),
            network: Network::default(),
            platform: Platform::default(),
            ledger,
            shown_other: false,
            cosignatures: 0,
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
            kinds: BTreeMap::new(),
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
            Happening::Witnessed { host, start, remembered } => {
                if self.hosts[host].starts == start {
                    self.witnessed(host, *remembered);
                }
            }
            Happening::Write { forked } => self.write(forked),
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
            Output::Keep(entry) => {
                let input = Box::new(Input::EntryKept(entry.call));
                self.keep(host, *entry);
                // Where it failed just then, nobody hears of it.
                self.after(MILLI, Happening::Inside { host, start, input });
            }
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
            Output::Pulses { from, batch } => self.store(host, from, &batch),
            Output::PulsesKept { up_to } => self.pulses_kept(host, up_to),
            Output::Acks { from, acks } => {
                let read = acks.iter().filter_map(|ack| mesh::NoticeAck::verify(ack).ok());
                let input = Input::AcksKept { from, notices: read.map(|ack| ack.notice).collect() };
                self.after(MILLI, Happening::Inside { host, start, input: Box::new(input) });
            }
            Output::Settle { from, answers, calls, grants } => {
                let documents = answers.into_iter().zip(calls).zip(grants).map(|((a, c), g)| (a, c, g));
                self.settle(host, from, documents);
            }
            Output::Trust(news) => {
                let clock = self.hosts[host].clock(self.now);
                if let Err(error) = self.hosts[host].trust.apply(&news, clock) {
                    self.faults.push(format!("{} cannot save news: {error}", self.hosts[host].name));
                }
            }
            Output::KeepWitnessed(remembered) => {
                // It is durable a little later, one after the other, or never, where the machine fails before.
                self.after(10 * MILLI, Happening::Witnessed { host, start, remembered });
            }
            Output::Prove { origin, from, to } => self.prove(host, origin, from, to),
            Output::Cosigned { from, note, .. } => self.cosigned(from, &note),
            // Nobody here has files to send.
            Output::File(_) => {}
            Output::Event(event) => self.event(host, &event),
        }
    }

    fn event(&mut self, host: usize, event: &Event) {
        let line = format!("{:.1} s, {}: {event}", self.seconds(), self.hosts[host].name);
        // What a forked ledger must raise everywhere is looked for in the end.
        let fork = matches!(event, Event::Forked { what } if what.contains(crate::ledgers::ORIGIN));
        if event.level() == Level::Error && !(fork && self.shown_other) {
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
        let kind = kind(stream, binary, &bytes);
        match self.kinds.get_mut(kind) {
            Some(sum) => *sum += bytes.len() as u64,
            None => drop(self.kinds.insert(kind.to_owned(), bytes.len() as u64)),
        }
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
        if let Some(delay) = self.network.get(name).map(|wire| wire.delay) {
            self.network.down(name);
            self.after(delay, Happening::Down { link: end(name, 1 - side), why: "the other side shut it" });
        }
    }

    /// A cable breaks: both ends learn of it when nothing comes for a while.
    pub(crate) fn cut(&mut self, name: u64) {
        if !self.network.get(name).is_some_and(|wire| wire.up) {
            return;
        }
        self.network.down(name);
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
        if host == 0 {
            self.own_head();
        }
        if let Some((batch, up_to)) = self.hosts[host].batch() {
            self.tell(host, Input::Pulses { batch, up_to });
        }
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
