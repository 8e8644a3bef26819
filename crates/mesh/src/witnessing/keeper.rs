//! Who keeps a ledger: has its neighbours cosign each newer head, and shows how it grew.

use std::{collections::BTreeMap, time::Duration};

use echo_core::{Digest, Timestamp};
use witness::{Request, merge};

use super::{
    CosignAnswer, MAX_ASKED, MAX_PROOFS, PAUSE, Word,
    logs::{NoHead, Seen, seconds},
    state::{Deed, Witnessing},
};
use crate::{NodeId, event::Event, room::after};

/// A neighbour that does not answer is asked after twice as long each time, this often: some ten minutes.
const MAX_DOUBLINGS: u32 = 6;

/// How long the same neighbours are asked, where there are more than can be.
const TURN: Duration = Duration::from_mins(10);

/// A ledger of this machine.
#[derive(Debug)]
pub(super) struct Own {
    pub(super) seen: Seen,
}

/// How far a neighbour is with a ledger.
#[derive(Debug, Default)]
pub(super) struct Turn {
    /// When it may be asked again.
    next: Option<Timestamp>,
    /// The size that it last said it knows; 0 before.
    knows: u64,
    /// The newest head that it cosigned: size and root.
    pub(super) cosigned: Option<(u64, Digest)>,
    /// What it was asked to cosign.
    sent: Option<Seen>,
    /// It is asked as soon as the ledger has proven its growth from here.
    waits_from: Option<u64>,
    /// Whether it said once in this turn that it knows another size.
    again: bool,
    /// How often it did not answer, or refused.
    failures: u32,
    /// Why it refused last.
    refused: Option<String>,
}

/// Proofs of growth that were made, and who waits for others.
#[derive(Debug, Default)]
pub(super) struct Proofs {
    made: BTreeMap<(String, u64, u64), Vec<[u8; 32]>>,
    /// Neighbours that asked for one.
    wanted: Vec<(NodeId, String, u64, u64)>,
}

impl Witnessing {
    /// The newest signed head of a ledger that is kept on this machine.
    pub(crate) fn own_head(&mut self, now: Timestamp, note: &str) {
        let seen = match self.read(note) {
            Ok(seen) if seen.head.size > 0 => seen,
            Ok(_) => return,
            Err(why) => {
                let why = match why {
                    NoHead::Unknown => "the trust registry does not name it".to_owned(),
                    NoHead::Wrong(why) => why,
                };
                let why = format!("the head of a ledger here: {why}");
                return self.event(Event::NotTaken { from: self.me, why });
            }
        };
        let origin = seen.head.origin.clone();
        self.compare(&seen);
        self.log(&origin).passed(seen.clone());
        self.own.insert(origin, Own { seen });
        self.wake(now);
    }

    /// Asks the neighbours whose turn it is. When the next one's is.
    pub(super) fn submit(&mut self, now: Timestamp) -> Option<Timestamp> {
        let mut next: Option<Timestamp> = None;
        for origin in self.own.keys().cloned().collect::<Vec<_>>() {
            if self.known.get(&origin).is_some_and(|log| log.remembered.fork.is_some()) {
                continue;
            }
            let Some(head) = self.own.get(&origin).map(|own| (own.seen.head.size, own.seen.root())) else {
                continue;
            };
            for node in self.in_turn(now, &origin) {
                let Some(beside) = self.beside.get_mut(&node) else { continue };
                let turn = beside.turns.entry(origin.clone()).or_default();
                if turn.cosigned == Some(head) {
                    continue;
                }
                let due = turn.next.is_none_or(|at| at <= now);
                if due {
                    let pause = PAUSE.saturating_mul(1 << turn.failures.min(MAX_DOUBLINGS));
                    turn.next = Some(after(now, pause));
                    // Taken back by its answer.
                    turn.failures = turn.failures.saturating_add(1);
                    turn.again = false;
                    let from = turn.knows;
                    self.ask(&origin, node, from);
                }
                let at = self.beside.get(&node).and_then(|beside| beside.turns.get(&origin)?.next);
                next = [next, at].into_iter().flatten().min();
            }
        }
        next
    }

    /// The neighbours that are asked now: where there are more than [`MAX_ASKED`], others after a while.
    fn in_turn(&self, now: Timestamp, origin: &str) -> Vec<NodeId> {
        let turn = seconds(now) / TURN.as_secs();
        let first = NodeId::unchecked(Digest::of(format!("{turn} {origin}").as_bytes()).0);
        let (before, from) = (self.beside.range(..first), self.beside.range(first..));
        from.chain(before).take(MAX_ASKED).map(|(node, _)| *node).collect()
    }

    /// Asks a neighbour that knows `from` entries, or has the proof made first.
    fn ask(&mut self, origin: &str, node: NodeId, from: u64) {
        let Some(seen) = self.own.get(origin).map(|own| own.seen.clone()) else { return };
        let to = seen.head.size;
        let from = if from > to { 0 } else { from };
        let proof = if from == 0 || from == to {
            Some(Vec::new())
        } else {
            self.proofs.made.get(&(origin.to_owned(), from, to)).cloned()
        };
        let Some(turn) = self.beside.get_mut(&node).and_then(|beside| beside.turns.get_mut(origin)) else {
            return;
        };
        let Some(proof) = proof else {
            turn.waits_from = Some(from);
            return self.deeds.push_back(Deed::Prove(origin.to_owned(), from, to));
        };
        turn.waits_from = None;
        let request = Request { old: from, proof, checkpoint: seen.note.clone() }.render();
        turn.sent = Some(seen);
        self.say(node, Word::Cosign { request });
    }

    /// What a neighbour says to a head.
    pub(super) fn answered(&mut self, now: Timestamp, from: NodeId, origin: &str, answer: CosignAnswer) {
        let size = self.own.get(origin).map_or(0, |own| own.seen.head.size);
        let Some(turn) = self.beside.get_mut(&from).and_then(|beside| beside.turns.get_mut(origin)) else {
            return;
        };
        let Some(sent) = turn.sent.take() else { return };
        match answer {
            CosignAnswer::Line(line) => match merge(&sent.note, &line, &[from.witness_key()], seconds(now)) {
                Ok(_) => {
                    (turn.failures, turn.refused, turn.knows) = (0, None, sent.head.size);
                    turn.cosigned = Some((sent.head.size, sent.root()));
                    self.deeds.push_back(Deed::Cosigned(from, sent.note, line));
                }
                Err(why) => self.event(Event::NotTaken { from, why: why.to_string() }),
            },
            CosignAnswer::Stale(knows) if knows > size => {
                let why = format!(
                    "it says that it cosigned {knows} entries of {origin}, and the ledger here has {size}"
                );
                self.refusal(from, origin, why);
            }
            CosignAnswer::Stale(knows) => {
                turn.knows = knows;
                if !std::mem::replace(&mut turn.again, true) {
                    self.ask(origin, from, knows);
                }
            }
            CosignAnswer::Refused(why) => {
                let why: String = why.chars().take(300).collect();
                self.refusal(from, origin, format!("it does not cosign {origin}: {why}"));
            }
        }
    }

    /// The same words twice are told once.
    fn refusal(&mut self, from: NodeId, origin: &str, why: String) {
        let turn = self.beside.get_mut(&from).and_then(|beside| beside.turns.get_mut(origin));
        if turn.is_some_and(|turn| turn.refused.replace(why.clone()).as_ref() != Some(&why)) {
            self.event(Event::NotTaken { from, why });
        }
    }

    /// The ledger on this machine has shown how it grew, or has not.
    pub(crate) fn proven(
        &mut self,
        now: Timestamp,
        origin: &str,
        from: u64,
        to: u64,
        proof: Option<Vec<[u8; 32]>>,
    ) {
        let (wanted, others) = std::mem::take(&mut self.proofs.wanted)
            .into_iter()
            .partition(|(_, of, small, large)| (of.as_str(), *small, *large) == (origin, from, to));
        self.proofs.wanted = others;
        for (node, ..) in wanted {
            self.say_proof(node, origin, from, to, proof.as_deref());
        }
        if self.own.contains_key(origin) {
            self.settle_doubt(origin, from, to, proof.as_deref());
        }
        let current = self.own.get(origin).is_some_and(|own| own.seen.head.size == to);
        if let Some(proof) = proof {
            if self.proofs.made.len() >= MAX_PROOFS {
                self.proofs.made.clear();
            }
            self.proofs.made.insert((origin.to_owned(), from, to), proof);
            let waits = |node: &NodeId| self.beside[node].turns.get(origin)?.waits_from;
            let waiting: Vec<NodeId> =
                self.beside.keys().filter(|node| waits(node) == Some(from)).copied().collect();
            for node in waiting.into_iter().filter(|_| current) {
                self.ask(origin, node, from);
            }
        }
        self.wake(now);
    }

    /// A neighbour wants to see how a ledger of this machine grew.
    pub(super) fn asked_to_prove(&mut self, node: NodeId, origin: String, from: u64, to: u64) {
        // Of a head that is not known here yet, nobody says that there is no proof: others may have it a moment earlier.
        let size = self.own.get(&origin).map_or(0, |own| own.seen.head.size);
        if from == 0 || from >= to || to > size {
            return;
        }
        if let Some(proof) = self.proofs.made.get(&(origin.clone(), from, to)).cloned() {
            return self.say_proof(node, &origin, from, to, Some(&proof));
        }
        if self.proofs.wanted.len() >= MAX_PROOFS {
            // The ledger did not answer for long: they ask again.
            self.proofs.wanted.clear();
        }
        self.proofs.wanted.push((node, origin.clone(), from, to));
        self.deeds.push_back(Deed::Prove(origin, from, to));
    }

    fn say_proof(&mut self, to_node: NodeId, origin: &str, from: u64, to: u64, proof: Option<&[[u8; 32]]>) {
        let proof = proof.map(|hashes| hashes.iter().copied().map(Digest).collect());
        self.say(to_node, Word::Proof { origin: origin.to_owned(), from, to, proof });
    }
}
