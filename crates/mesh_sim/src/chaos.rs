//! The story of a seed: who takes part, and what goes wrong when.

use mesh::Input;
use rand::{RngExt as _, SeedableRng as _, rngs::SmallRng};

use crate::{
    host::Kind,
    house::START,
    world::{Happening, MILLI, SECOND, World},
};

/// For how long bad things happen, in seconds.
const WILD: i64 = 80;
/// How long it is quiet then, in seconds.
const QUIET: i64 = 120;

/// One machine.
#[derive(Debug, Clone)]
pub struct Part {
    pub(crate) kind: Kind,
    pub(crate) customer: Option<u8>,
    pub(crate) lan: usize,
    pub(crate) skew: i64,
}

/// A seed's story.
#[derive(Debug, Clone)]
pub struct Plan {
    pub(crate) seed: u64,
    pub(crate) hosts: Vec<Part>,
    pub(crate) open_doors: bool,
    /// Whether the operator's ledger gets two histories.
    pub(crate) forks: bool,
}

/// Something that goes wrong, or right again.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Step {
    /// A machine starts.
    Start(usize),
    /// A machine fails and comes back later.
    Crash(usize),
    /// A machine fails for good.
    Die(usize),
    /// One link breaks.
    Cut,
    /// The machines fall into groups that do not reach one another.
    Split,
    /// All reach all again.
    Heal,
    /// A certificate is taken away.
    Revoke(usize),
    /// A new version of the trust registry.
    Version,
    /// No more of it.
    Calm,
}

impl Plan {
    /// The story of a seed: 8 to 30 machines of one to three customers, every eighth seed more than 12.
    pub fn of(seed: u64) -> Self {
        let mut rng = SmallRng::seed_from_u64(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) ^ 1);
        let most = if seed % 8 == 7 { 30 } else { 12 };
        let (count, customers, lans) =
            (rng.random_range(8..=most), rng.random_range(1..=3_u8), rng.random_range(1..=3));
        let operators = rng.random_range(1..=3);
        let mut hosts: Vec<Part> = (0..count)
            .map(|nth| Part {
                kind: Kind::Honest,
                customer: (nth >= operators).then(|| rng.random_range(0..customers)),
                lan: rng.random_range(0..lans),
                // Every fourth clock is off by hours.
                skew: if rng.random_bool(0.25) {
                    rng.random_range(-6 * 3_600..6 * 3_600) * SECOND
                } else {
                    0
                },
            })
            .collect();
        for (nth, kind) in [Kind::Revoked, Kind::Liar, Kind::Stranger].into_iter().enumerate() {
            if rng.random_bool(0.6) {
                hosts[operators + nth].kind = kind;
            }
        }
        Self { seed, hosts, open_doors: false, forks: seed % 5 == 3 }
    }
}

impl World {
    /// Plays the story.
    pub(crate) fn play(&mut self, plan: &Plan) {
        let count = plan.hosts.len();
        for host in 0..count {
            let late = self.rng.random_range(0..20 * SECOND);
            self.after(late, Happening::Step(Step::Start(host)));
            let customer = self.hosts[host].customer.is_some();
            if self.hosts[host].kind == Kind::Honest && customer {
                for _ in 0..12 {
                    self.sometime(Happening::Pulse(host));
                }
                for _ in 0..3 {
                    self.sometime(Happening::Call(host));
                }
            }
            if matches!(self.hosts[host].kind, Kind::Liar | Kind::Stranger) {
                for _ in 0..20 {
                    self.sometime(Happening::Mischief(host));
                }
            }
            if self.hosts[host].kind == Kind::Revoked {
                self.sometime(Happening::Step(Step::Revoke(host)));
            }
        }
        for _ in 0..self.rng.random_range(1..8) {
            let host = self.rng.random_range(0..count);
            self.sometime(Happening::Step(Step::Crash(host)));
        }
        for _ in 0..self.rng.random_range(0..10) {
            self.sometime(Happening::Step(Step::Cut));
        }
        if self.rng.random_bool(0.6) {
            self.sometime(Happening::Step(Step::Split));
            self.sometime(Happening::Step(Step::Heal));
        }
        if self.rng.random_bool(0.5) {
            self.sometime(Happening::Step(Step::Version));
        }
        for _ in 0..8 {
            self.sometime(Happening::Write { forked: false });
        }
        if plan.forks {
            self.sometime(Happening::Write { forked: true });
            // Whatever went wrong before, now somebody sees it.
            for nth in [30, 40, 50] {
                self.at(START + (WILD + nth) * SECOND, Happening::Write { forked: true });
            }
        }
        if self.rng.random_bool(0.5) {
            let host = self.rng.random_range(1..count);
            self.sometime(Happening::Step(Step::Die(host)));
        }
        self.at(START + WILD * SECOND, Happening::Step(Step::Calm));
        self.run_until(START + (WILD + QUIET) * SECOND);
    }

    fn sometime(&mut self, happening: Happening) {
        let at = START + self.rng.random_range(5 * SECOND..WILD * SECOND);
        self.at(at, happening);
    }

    pub(crate) fn step(&mut self, step: Step) {
        match step {
            Step::Start(host) => self.start(host),
            Step::Crash(host) => {
                self.crash(host);
                let pause = self.rng.random_range(100..20_000) * MILLI;
                self.after(pause, Happening::Step(Step::Start(host)));
            }
            Step::Die(host) => {
                // A mesh without any platform settles nothing: one stays.
                self.crash(host);
                self.hosts[host].dead = true;
            }
            Step::Cut => {
                let wires = self.network.up();
                if !wires.is_empty() {
                    let wire = wires[self.rng.random_range(0..wires.len())];
                    self.cut(wire);
                }
            }
            Step::Split => {
                for host in 0..self.hosts.len() {
                    self.network.part[host] = self.rng.random_range(0..2);
                }
                for wire in self.network.up() {
                    let apart = self
                        .network
                        .get(wire)
                        .is_some_and(|wire| !self.network.reaches(wire.hosts[0], wire.hosts[1]));
                    if apart {
                        self.cut(wire);
                    }
                }
            }
            Step::Heal => self.network.part.fill(0),
            Step::Revoke(host) => {
                let list = self.house.revoke(self.hosts[host].id(), self.now);
                self.announce(&mesh::News::Revocations(list));
            }
            Step::Version => {
                let version = self.house.next_version();
                self.announce(&mesh::News::Registry(vec![version]));
            }
            Step::Calm => {
                self.wild = false;
                self.network.part.fill(0);
                for host in 0..self.hosts.len() {
                    if self.hosts[host].kind == Kind::Liar {
                        // It has had its fun.
                        self.crash(host);
                        self.hosts[host].dead = true;
                    } else {
                        self.start(host);
                    }
                }
            }
        }
    }

    /// The operator makes something known at its first platform, as soon as it runs.
    fn announce(&mut self, news: &mesh::News) {
        let clock = self.hosts[0].clock(self.now);
        if let Err(error) = self.hosts[0].trust.apply(news, clock) {
            self.faults.push(format!("the platform does not take its own news: {error}"));
        }
        self.tell(0, Input::Trust(news.clone()));
    }
}
