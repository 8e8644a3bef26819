//! Nodes with their disks and ledgers, and the links between them.

use std::{collections::BTreeSet, time::Duration};

use echo_core::{Digest, Timestamp};
use trust::KeyPair;

use super::super::{Deed, Memory, Remembered, Witnessing, Word, logs::seconds, test_log::TestLog};
use crate::{
    Message, NodeId, Realm, Stream, Wire,
    event::Event,
    room::after,
    test_house::{self, GENESIS, House, at},
};

/// Nodes, their disks and their ledgers.
pub(super) struct Town {
    pub(super) house: House,
    pub(super) nodes: Vec<Witnessing>,
    pub(super) ledgers: Vec<Option<TestLog>>,
    pub(super) disks: Vec<Vec<Remembered>>,
    pub(super) customers: Vec<Option<u8>>,
    pub(super) links: BTreeSet<(usize, usize)>,
    pub(super) now: Timestamp,
    /// Whether disks write nothing.
    pub(super) stuck: bool,
    pub(super) events: Vec<(usize, Event)>,
    pub(super) faults: Vec<(usize, String)>,
    /// Who heard that who cosigned how many entries.
    pub(super) cosigned: Vec<(usize, usize, u64)>,
    pub(super) said: Vec<(usize, usize, Word)>,
}

pub(super) fn id(nth: usize) -> NodeId {
    NodeId::of(&key(nth).public())
}

pub(super) fn key(nth: usize) -> KeyPair {
    test_house::key(40 + u8::try_from(nth).unwrap())
}

impl Town {
    /// None stands for a node of the operator.
    pub(super) fn of(customers: &[Option<u8>]) -> Self {
        let house = House::new();
        let now = at("2027-05-10");
        let new = |nth| Witnessing::new(&key(nth), &house.trust(), Memory::default(), now);
        let nodes: Vec<Witnessing> = (0..customers.len()).map(new).collect();
        Self {
            nodes,
            ledgers: customers.iter().map(|_| None).collect(),
            disks: customers.iter().map(|_| Vec::new()).collect(),
            customers: customers.to_vec(),
            links: BTreeSet::new(),
            house,
            now,
            stuck: false,
            events: Vec::new(),
            faults: Vec::new(),
            cosigned: Vec::new(),
            said: Vec::new(),
        }
    }

    pub(super) fn join(&mut self, one: usize, other: usize) {
        for (of, to) in [(one, other), (other, one)] {
            self.links.insert((of, to));
            let realm =
                self.customers[to].map_or(Realm::Operator, |c| Realm::Customer(test_house::customer(c)));
            self.nodes[of].came(self.now, id(to), realm);
        }
        self.run();
    }

    pub(super) fn part(&mut self, one: usize, other: usize) {
        for (of, to) in [(one, other), (other, one)] {
            self.links.remove(&(of, to));
            self.nodes[of].gone(&id(to));
        }
    }

    /// The ledger of a node is this one from now on.
    pub(super) fn keeps(&mut self, nth: usize, ledger: TestLog) {
        self.nodes[nth].own_head(self.now, &ledger.head());
        self.ledgers[nth] = Some(ledger);
        self.run();
    }

    pub(super) fn grows(&mut self, nth: usize, size: u64) {
        let ledger = self.ledgers[nth].as_mut().unwrap();
        ledger.size = size;
        let head = ledger.head();
        self.nodes[nth].own_head(self.now, &head);
        self.pass(11);
    }

    pub(super) fn hear(&mut self, nth: usize, from: usize, word: Word) {
        self.nodes[nth].heard(self.now, id(from), word);
        self.run();
    }

    pub(super) fn run(&mut self) {
        loop {
            for nth in 0..self.nodes.len() {
                self.nodes[nth].tick(self.now, &self.house.trust());
            }
            let deeds: Vec<(usize, Deed)> = (0..self.nodes.len())
                .flat_map(|nth| {
                    std::iter::from_fn(|| self.nodes[nth].deed()).map(|d| (nth, d)).collect::<Vec<_>>()
                })
                .collect();
            if deeds.is_empty() {
                return;
            }
            for (nth, deed) in deeds {
                self.does(nth, deed);
            }
        }
    }

    fn does(&mut self, nth: usize, deed: Deed) {
        match deed {
            Deed::Keep(remembered) => {
                if self.stuck {
                    return;
                }
                let size = remembered.head.as_ref().map_or(0, |head| head.size);
                self.disks[nth].retain(|known| known.origin != remembered.origin);
                self.disks[nth].push(*remembered);
                self.nodes[nth].kept(self.now, GENESIS, size);
            }
            Deed::Say(to, word) => {
                let to = (0..self.nodes.len()).find(|other| id(*other) == to).unwrap();
                let (binary, bytes) = Wire::Message(Message::Witness(Box::new(word.clone()))).encode();
                let read = Wire::decode(Stream::Rpc, binary, &bytes).expect("what it says, others can read");
                let Wire::Message(Message::Witness(read)) = read else { panic!("{read:?}") };
                assert_eq!(*read, word);
                if self.links.contains(&(nth, to)) {
                    self.said.push((nth, to, word));
                    self.nodes[to].heard(self.now, id(nth), *read);
                }
            }
            Deed::Event(event) => self.events.push((nth, event)),
            Deed::Prove(origin, from, to) => {
                let proof = self.ledgers[nth].as_ref().map(|ledger| ledger.consistency(from, to));
                self.nodes[nth].proven(self.now, &origin, from, to, proof);
            }
            Deed::Cosigned(from, note, line) => {
                let (merged, _) =
                    ::witness::merge(&note, &line, &[from.witness_key()], seconds(self.now)).unwrap();
                assert!(merged.ends_with(&line));
                let size = note.split('\n').nth(1).unwrap().parse().unwrap();
                let from = (0..self.nodes.len()).find(|other| id(*other) == from).unwrap();
                self.cosigned.push((nth, from, size));
            }
            Deed::Fault(_, why) => self.faults.push((nth, why)),
        }
    }

    pub(super) fn pass(&mut self, seconds: u64) {
        for _ in 0..seconds {
            self.now = after(self.now, Duration::from_secs(1));
            self.run();
        }
    }

    pub(super) fn restart(&mut self, nth: usize, damaged: Vec<Digest>) {
        let logs = if damaged.is_empty() { self.disks[nth].clone() } else { Vec::new() };
        let memory = Memory { logs, damaged };
        self.nodes[nth] = Witnessing::new(&key(nth), &self.house.trust(), memory, self.now);
        for (of, to) in self.links.clone() {
            if of == nth || to == nth {
                self.nodes[of].gone(&id(to));
            }
        }
        for (of, to) in self.links.clone() {
            if of == nth {
                self.join(of, to);
            }
        }
    }

    pub(super) fn cosigned_size(&self, nth: usize) -> Option<u64> {
        self.nodes[nth].view().heads.first().map(|head| head.size)
    }

    pub(super) fn forks(&self) -> Vec<usize> {
        (0..self.nodes.len()).filter(|nth| !self.nodes[*nth].view().forks.is_empty()).collect()
    }
}
