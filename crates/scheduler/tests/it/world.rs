//! A machine with two clocks, a disk that forgets what was not kept, and jobs that take no time unless told.

use std::collections::{BTreeMap, BTreeSet};

use echo_core::Timestamp;
use scheduler::{Claim, Event, Finish, Instants, Order, Schedule, States, Told, Turn, finish, step};

pub struct World {
    pub schedule: Schedule,
    /// What is on the disk.
    pub kept: States,
    pub now: Instants,
    pub holder: String,
    pub alive: BTreeSet<String>,
    /// Every start: which run, and at which time of the wall clock.
    pub started: Vec<(String, Timestamp)>,
    /// What the runs did, by their keys: an effect is made once for each.
    pub effects: BTreeMap<String, Timestamp>,
    /// How often a run came to make an effect that was there.
    pub again: usize,
    pub told: Vec<Told>,
    /// Jobs that fail.
    pub broken: BTreeSet<String>,
    /// Jobs whose runs go on until [`World::end`].
    pub slow: BTreeSet<String>,
}

pub fn at(text: &str) -> Timestamp {
    text.parse().unwrap()
}

impl World {
    pub fn new(jobs: &str, from: &str) -> Self {
        let from = at(from);
        Self {
            schedule: Schedule::parse(&format!("version: 1\njobs:\n{jobs}"), from).unwrap(),
            kept: States::default(),
            now: Instants { wall: from, monotonic: 0, boot: "boot 0".to_owned() },
            holder: "holder 0".to_owned(),
            alive: BTreeSet::new(),
            started: Vec::new(),
            effects: BTreeMap::new(),
            again: 0,
            told: Vec::new(),
            broken: BTreeSet::new(),
            slow: BTreeSet::new(),
        }
    }

    pub fn pass(&mut self, seconds: i64) {
        self.set(seconds);
        self.now.monotonic += seconds * 1000;
    }

    /// Sets the wall clock alone.
    pub fn set(&mut self, seconds: i64) {
        let millis = self.now.wall.as_millisecond() + seconds * 1000;
        self.now.wall = echo_core::clock::from_millis(millis);
    }

    /// The machine stops and starts `seconds` later.
    pub fn reboot(&mut self, seconds: i64) {
        self.set(seconds);
        let number: u32 = self.now.boot.split(' ').nth(1).unwrap().parse().unwrap();
        self.now.boot = format!("boot {}", number + 1);
        self.now.monotonic = 1_000;
        self.holder = format!("holder {}", number + 1);
        self.alive.clear();
        self.read_again();
    }

    /// Steps until nothing is left to start.
    pub fn step(&mut self) -> i64 {
        self.step_with(&[])
    }

    pub fn step_with(&mut self, events: &[Event]) -> i64 {
        let mut turn = self.decide(events);
        loop {
            let starts = std::mem::take(&mut turn.orders);
            if starts.is_empty() {
                return turn.sleep_millis;
            }
            for order in starts {
                self.carry_out(order);
            }
            turn = self.decide(&[]);
        }
    }

    /// One step, kept on the disk.
    pub fn decide(&mut self, events: &[Event]) -> Turn {
        let mut states = self.kept.clone();
        let claim = Claim { holder: &self.holder, alive: &self.alive, events, seed: 7 };
        let turn = step(&self.schedule, &mut states, &self.now, claim);
        self.keep(&states);
        self.told.extend(turn.told.clone());
        turn
    }

    fn keep(&mut self, states: &States) {
        self.kept.clone_from(states);
    }

    /// What is on the disk is read again, as after a start.
    fn read_again(&mut self) {
        let read: States = serde_json::from_str(&serde_json::to_string(&self.kept).unwrap()).unwrap();
        assert_eq!(read, self.kept, "what is read is what was kept");
        self.kept = read;
    }

    pub fn carry_out(&mut self, order: Order) {
        match order {
            Order::Start { job, run, .. } => {
                self.begin(&run);
                if !self.slow.contains(&job) {
                    let broken = self.broken.contains(&job);
                    if !broken {
                        self.effect(&run);
                    }
                    self.end(&run, if broken { Finish::Failed("broken".to_owned()) } else { done() });
                }
            }
            Order::Stop { run, .. } => {
                self.end(&run, Finish::Stopped);
            }
        }
    }

    pub fn begin(&mut self, run: &str) {
        self.alive.insert(run.to_owned());
        self.started.push((run.to_owned(), self.now.wall));
    }

    pub fn effect(&mut self, run: &str) {
        if self.effects.contains_key(run) {
            self.again += 1;
        } else {
            self.effects.insert(run.to_owned(), self.now.wall);
        }
    }

    pub fn end(&mut self, run: &str, with: Finish) -> bool {
        let mut states = self.kept.clone();
        let holder = self.holder.clone();
        let (held, told) = finish(&self.schedule, &mut states, &self.now, (&holder, run), with);
        self.keep(&states);
        self.told.extend(told);
        self.alive.remove(run);
        held
    }

    /// The outcomes in a job's history, oldest first.
    pub fn outcomes(&self, job: &str) -> Vec<String> {
        self.kept.jobs[job].history.iter().map(|line| format!("{:?}", line.outcome)).collect()
    }

    pub fn runs(&self) -> Vec<&str> {
        self.started.iter().map(|(run, _)| run.as_str()).collect()
    }
}

pub fn done() -> Finish {
    Finish::Done("done".to_owned())
}
