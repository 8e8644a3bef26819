//! Everything that a node knows of ledgers, and what it wants done about it.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use echo_core::{Digest, Timestamp};
use trust::KeyPair;
use witness::Cosigner;

use super::{
    ForkProof, MAX_CHECKED, MAX_PAST, MAX_REMEMBERED, Memory, PAUSE, Remembered, Suspicion, WORDS, Word,
    cosigner,
    keeper::{Own, Proofs, Turn},
    logs::{Logs, NoHead, Seen},
};
use crate::{NodeId, Realm, Trust, allowance::Allowance, event::Event, room::after};

/// What shall be done.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Deed {
    /// Make it durable, then [`Witnessing::kept`].
    Keep(Box<Remembered>),
    /// Say it to a neighbour.
    Say(NodeId, Word),
    /// Tell people.
    Event(Event),
    /// Have the ledger on this machine prove its growth, then [`Witnessing::proven`].
    Prove(String, u64, u64),
    /// A neighbour cosigned this head of a ledger on this machine: its line.
    Cosigned(NodeId, String, String),
    /// A neighbour did what no good neighbour does.
    Fault(NodeId, String),
}

/// What is known of one ledger.
#[derive(Debug)]
pub(super) struct Log {
    pub(super) remembered: Remembered,
    /// The newest heads that are known to be of one history, the oldest first.
    pub(super) past: VecDeque<Seen>,
    /// A head that somebody told, and of which it is not known yet whether it is of the same history.
    pub(super) told: Option<Seen>,
    /// The neighbour that asked to cosign last: who keeps the ledger.
    pub(super) keeper: Option<NodeId>,
    /// Whom the newest cosignature goes to once it is durable.
    pub(super) resting: Option<NodeId>,
    /// When the ledger may be asked for a proof again.
    pub(super) ask_after: Timestamp,
    /// How often it was asked about the head that was told.
    pub(super) asked: u32,
}

/// What is known of one neighbour.
#[derive(Debug)]
pub(super) struct Beside {
    pub(super) realm: Realm,
    pub(super) words: Allowance,
    /// The heads that it is known to have.
    pub(super) has: BTreeMap<String, (u64, Digest)>,
    /// How far it is with each ledger of this machine.
    pub(super) turns: BTreeMap<String, Turn>,
}

/// The state.
#[derive(Debug)]
pub(crate) struct Witnessing {
    pub(super) me: NodeId,
    pub(super) cosigner: Cosigner,
    pub(super) logs: Logs,
    pub(super) known: BTreeMap<String, Log>,
    pub(super) damaged: BTreeSet<Digest>,
    pub(super) own: BTreeMap<String, Own>,
    pub(super) proofs: Proofs,
    pub(super) beside: BTreeMap<NodeId, Beside>,
    pub(super) tell_at: Option<Timestamp>,
    told_last: Timestamp,
    checked: VecDeque<(Digest, Seen)>,
    due: Timestamp,
    pub(super) deeds: VecDeque<Deed>,
}

impl Witnessing {
    /// With what was kept. A ledger's memory that says something else than the note in it is damaged.
    pub(crate) fn new(key: &KeyPair, trust: &Trust, memory: Memory, now: Timestamp) -> Self {
        let mut state = Self {
            me: NodeId::of(&key.public()),
            cosigner: cosigner(key),
            logs: Logs::of(trust.newest()),
            known: BTreeMap::new(),
            damaged: memory.damaged.into_iter().collect(),
            own: BTreeMap::new(),
            proofs: Proofs::default(),
            beside: BTreeMap::new(),
            tell_at: None,
            told_last: Timestamp::MIN,
            checked: VecDeque::new(),
            due: now,
            deeds: VecDeque::new(),
        };
        for remembered in memory.logs {
            let origin = remembered.origin.clone();
            if remembered.is_sound() && state.has_room(&origin) {
                state.known.insert(origin, Log::with(remembered));
            } else {
                state.damaged.insert(Digest::of(origin.as_bytes()));
            }
        }
        let damaged = |origin: &&str| state.damaged.contains(&Digest::of(origin.as_bytes()));
        let words: Vec<String> = state.logs.origins().filter(damaged).map(str::to_owned).collect();
        for origin in words {
            state.deeds.push_back(Deed::Event(Event::Forgotten { origin }));
        }
        state
    }

    /// What shall be done next.
    pub(crate) fn deed(&mut self) -> Option<Deed> {
        self.deeds.pop_front()
    }

    /// When to look again.
    pub(crate) fn deadline(&self) -> Timestamp {
        self.due
    }

    /// A neighbour is there: it learns what it may not know.
    pub(crate) fn came(&mut self, now: Timestamp, node: NodeId, realm: Realm) {
        let (most, a_second) = WORDS;
        let beside = self.beside.entry(node).or_insert_with(|| Beside {
            realm: realm.clone(),
            words: Allowance::new(now, most, a_second),
            has: BTreeMap::new(),
            turns: BTreeMap::new(),
        });
        beside.realm = realm;
        let fork = |origin: &str| self.known.get(origin)?.remembered.fork.clone();
        let proofs: Vec<ForkProof> = self.logs.origins().filter_map(fork).collect();
        if !proofs.is_empty() {
            self.say(node, Word::Forks { proofs });
        }
        self.tell(node);
        let doubted = |origin: &str| {
            let remembered = &self.known.get(origin)?.remembered;
            remembered.suspicion.as_ref().filter(|_| remembered.fork.is_none()).map(Suspicion::word)
        };
        for word in self.logs.origins().filter_map(doubted).collect::<Vec<_>>() {
            self.say(node, word);
        }
        self.wake(now);
    }

    /// The last link to a neighbour is gone.
    pub(crate) fn gone(&mut self, node: &NodeId) {
        self.beside.remove(node);
    }

    /// A neighbour said something.
    pub(crate) fn heard(&mut self, now: Timestamp, from: NodeId, word: Word) {
        let Some(beside) = self.beside.get_mut(&from) else { return };
        // An answer was asked for, and is looked at only then.
        let answer = matches!(word, Word::Cosigned { .. } | Word::Proof { .. });
        if !answer && !beside.words.take(now, 1) {
            return;
        }
        match word {
            Word::Cosign { request } => self.asked_to_cosign(now, from, &request),
            Word::Cosigned { origin, answer } => self.answered(now, from, &origin, answer),
            Word::Heads { notes } => notes.iter().for_each(|note| self.told(from, note)),
            Word::Prove { origin, from: size, to } => self.asked_to_prove(from, origin, size, to),
            Word::Proof { origin, from: size, to, proof } => {
                if self.known.get(&origin).is_some_and(|log| log.keeper == Some(from)) {
                    let proof = proof.map(|hashes| hashes.iter().map(|hash| hash.0).collect::<Vec<_>>());
                    self.settle_doubt(&origin, size, to, proof.as_deref());
                }
            }
            Word::Forks { proofs } => proofs.iter().for_each(|proof| self.fork_told(from, proof)),
        }
        self.wake(now);
    }

    /// Does what is due.
    pub(crate) fn tick(&mut self, now: Timestamp, trust: &Trust) {
        if trust.version() != self.logs.version {
            self.logs = Logs::of(trust.newest());
            self.checked.clear();
            self.due = now;
        }
        if now < self.due {
            return;
        }
        if self.tell_at.is_some_and(|at| at <= now) {
            (self.tell_at, self.told_last) = (None, now);
            for node in self.beside.keys().copied().collect::<Vec<_>>() {
                self.tell(node);
            }
        }
        let asked = self.submit(now);
        let doubts = self.look_into_doubts(now);
        self.due = [self.tell_at, asked, doubts].into_iter().flatten().min().unwrap_or(Timestamp::MAX);
    }

    /// Looks at everything at once.
    pub(super) fn wake(&mut self, now: Timestamp) {
        self.due = self.due.min(now);
    }

    /// The newest heads are to be told, not too often.
    pub(super) fn tell_soon(&mut self, now: Timestamp) {
        let at = if self.told_last == Timestamp::MIN { now } else { now.max(after(self.told_last, PAUSE)) };
        self.tell_at = Some(self.tell_at.map_or(at, |before| before.min(at)));
    }

    /// Tells a neighbour the heads that it is not known to have. Of a ledger with two histories there is no newest head.
    fn tell(&mut self, node: NodeId) {
        let Some(beside) = self.beside.get_mut(&node) else { return };
        let mut notes = Vec::new();
        for origin in self.logs.origins() {
            let Some(log) = self.known.get(origin) else { continue };
            let Some(head) = log.remembered.head.as_ref().filter(|_| log.remembered.fork.is_none()) else {
                continue;
            };
            // One that is not durable yet could be forgotten again.
            if log.resting.is_none()
                && beside.has.insert(origin.to_owned(), (head.size, head.root))
                    != Some((head.size, head.root))
            {
                notes.push(head.note.clone());
            }
        }
        if !notes.is_empty() {
            self.say(node, Word::Heads { notes });
        }
    }

    /// The head in a note; one that was checked lately costs no signature.
    pub(super) fn read(&mut self, note: &str) -> Result<Seen, NoHead> {
        let name = Digest::of(note.as_bytes());
        if let Some((_, seen)) = self.checked.iter().find(|(known, _)| *known == name) {
            return Ok(seen.clone());
        }
        let seen = self.logs.read(note)?;
        if self.checked.len() >= MAX_CHECKED {
            self.checked.pop_front();
        }
        self.checked.push_back((name, seen.clone()));
        Ok(seen)
    }

    /// What is known of a ledger that the registry names.
    pub(super) fn log(&mut self, origin: &str) -> &mut Log {
        self.known.entry(origin.to_owned()).or_insert_with(|| Log::with(Remembered::nothing(origin)))
    }

    /// Has what is remembered of a ledger kept. A damaged memory is written over by nothing but a fork, after which nothing
    /// is cosigned anyway.
    pub(super) fn keep(&mut self, origin: &str) {
        let damaged = self.is_damaged(origin);
        if let Some(log) = self.known.get(origin).filter(|log| !damaged || log.remembered.fork.is_some()) {
            self.deeds.push_back(Deed::Keep(Box::new(log.remembered.clone())));
        }
    }

    /// Whether a ledger is remembered, or may be.
    pub(super) fn has_room(&self, origin: &str) -> bool {
        self.known.contains_key(origin) || self.known.len() < MAX_REMEMBERED
    }

    pub(super) fn is_damaged(&self, origin: &str) -> bool {
        self.damaged.contains(&Digest::of(origin.as_bytes()))
    }

    pub(super) fn say(&mut self, to: NodeId, word: Word) {
        self.deeds.push_back(Deed::Say(to, word));
    }

    pub(super) fn event(&mut self, event: Event) {
        self.deeds.push_back(Deed::Event(event));
    }

    pub(super) fn fault(&mut self, node: NodeId, why: impl Into<String>) {
        self.deeds.push_back(Deed::Fault(node, why.into()));
    }
}

impl Log {
    /// A head is of the history that is known.
    pub(super) fn passed(&mut self, seen: Seen) {
        if self.knows(&seen) {
            return;
        }
        if self.past.len() >= MAX_PAST {
            self.past.pop_front();
        }
        self.past.push_back(seen);
    }

    /// Whether a head is known to be of that history. Its note may carry the signature more than once.
    pub(super) fn knows(&self, seen: &Seen) -> bool {
        self.past.iter().any(|past| past.head == seen.head)
    }

    fn with(remembered: Remembered) -> Self {
        Self {
            remembered,
            past: VecDeque::new(),
            told: None,
            keeper: None,
            resting: None,
            ask_after: Timestamp::MIN,
            asked: 0,
        }
    }
}
