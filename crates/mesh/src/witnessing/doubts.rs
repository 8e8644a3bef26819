//! Heads from everywhere are held against one another: two of one size with two roots are a fork; of two sizes, the ledger
//! has to show that the larger begins with the smaller.

use std::time::Duration;

use echo_core::Timestamp;
use ledger::verify_consistency;

use super::{
    ForkError, ForkProof, Suspicion, Word,
    logs::{NoHead, Seen},
    state::{Deed, Witnessing},
};
use crate::{NodeId, event::Event, room::after};

/// How long a ledger's keeper has to show its growth before it is asked again.
const ASK_AGAIN: Duration = Duration::from_secs(30);
/// So often it is asked; a neighbour that still shows nothing is suspicious. A keeper learns its newest head a moment after
/// others may, so its first silence says nothing.
const MAX_ASKS: u32 = 6;
/// How often the keeper of a suspected ledger may show that there was nothing to suspect.
const RECHECK: Duration = Duration::from_mins(10);

impl Witnessing {
    /// A neighbour tells the newest head that it cosigned.
    pub(super) fn told(&mut self, from: NodeId, note: &str) {
        let seen = match self.read(note) {
            Ok(seen) => seen,
            // Its registry may be newer than ours.
            Err(NoHead::Unknown) => return,
            Err(NoHead::Wrong(why)) => return self.fault(from, why),
        };
        let origin = seen.head.origin.clone();
        // Every ledger begins with the empty one.
        if seen.head.size == 0 || !self.has_room(&origin) {
            return;
        }
        if let Some(beside) = self.beside.get_mut(&from) {
            beside.has.insert(origin.clone(), (seen.head.size, seen.root()));
        }
        if self.compare(&seen) {
            return;
        }
        let mine = self.reference(&origin);
        let log = self.log(&origin);
        let open = match (&mine, &log.told) {
            (Some(mine), told) => mine.head.size != seen.head.size && told.is_none() && !log.knows(&seen),
            (None, told) => told.as_ref().is_none_or(|told| told.head.size < seen.head.size),
        };
        if open {
            log.told = Some(seen);
            (log.asked, log.ask_after) = (0, Timestamp::MIN);
        }
    }

    /// The head that others are held against: that of the ledger on this machine, or what was cosigned.
    fn reference(&mut self, origin: &str) -> Option<Seen> {
        if let Some(own) = self.own.get(origin) {
            return Some(own.seen.clone());
        }
        let note = self.known.get(origin)?.remembered.head.as_ref()?.note.clone();
        self.read(&note).ok()
    }

    /// Whether a head makes a fork with any other that is known, or one was proven before.
    pub(super) fn compare(&mut self, seen: &Seen) -> bool {
        let origin = &seen.head.origin;
        let Some(log) = self.known.get(origin) else { return false };
        if log.remembered.fork.is_some() {
            return true;
        }
        let mut heads: Vec<Seen> = log.past.iter().chain(&log.told).cloned().collect();
        let suspected = log.remembered.suspicion.iter().flat_map(|s| [s.smaller.clone(), s.larger.clone()]);
        let notes: Vec<String> =
            log.remembered.head.iter().map(|head| head.note.clone()).chain(suspected).collect();
        heads.extend(notes.iter().filter_map(|note| self.read(note).ok()));
        let proof = heads.iter().find_map(|other| ForkProof::of(other, seen));
        if let Some(proof) = &proof {
            self.forked(proof, None);
        }
        proof.is_some()
    }

    /// Somebody tells of a fork; two signatures say whether it is one.
    pub(super) fn fork_told(&mut self, from: NodeId, proof: &ForkProof) {
        let known = self.known.get(&proof.origin).is_some_and(|log| log.remembered.fork.is_some());
        if known || !self.has_room(&proof.origin) {
            return;
        }
        match proof.judge(&self.logs) {
            Ok(_) => self.forked(proof, Some(from)),
            Err(ForkError::UnknownLog(_)) => {}
            Err(why) => self.fault(from, why.to_string()),
        }
    }

    /// A fork is proven: it is kept and told to everybody, and the ledger is cosigned no more.
    fn forked(&mut self, proof: &ForkProof, told_by: Option<NodeId>) {
        let origin = proof.origin.clone();
        let what = match proof.judge(&self.logs) {
            Ok(forked) => format!(
                "the ledger {origin} has two roots of {} entries, {} and {}, both signed by its key: see \
                 `mesh doctor`",
                forked.size, forked.roots[0], forked.roots[1]
            ),
            Err(why) => {
                return self
                    .event(Event::NotTaken { from: told_by.unwrap_or(self.me), why: why.to_string() });
            }
        };
        let log = self.log(&origin);
        log.remembered.fork = Some(proof.clone());
        (log.told, log.resting) = (None, None);
        self.keep(&origin);
        self.event(Event::Forked { what });
        let others: Vec<NodeId> =
            self.beside.keys().filter(|node| Some(**node) != told_by).copied().collect();
        for node in others {
            self.say(node, Word::Forks { proofs: vec![proof.clone()] });
        }
    }

    /// Nobody shows that one head is the beginning of the other.
    pub(super) fn suspect(&mut self, origin: &str, smaller: String, larger: String, why: &str) {
        let log = self.log(origin);
        log.told = None;
        if log.remembered.suspicion.is_some() || log.remembered.fork.is_some() {
            return;
        }
        let why: String = why.chars().take(300).collect();
        let what = format!("the ledger {origin} may have two histories: {why}");
        let doubted = Suspicion { smaller, larger, why };
        let word = doubted.word();
        log.remembered.suspicion = Some(doubted);
        self.keep(origin);
        self.event(Event::Suspected { what });
        for node in self.beside.keys().copied().collect::<Vec<_>>() {
            self.say(node, word.clone());
        }
    }

    /// Asks the ledgers about the heads that were told. When to look again.
    pub(super) fn look_into_doubts(&mut self, now: Timestamp) -> Option<Timestamp> {
        let mut next: Option<Timestamp> = None;
        for origin in self.known.keys().cloned().collect::<Vec<_>>() {
            let at = self.look_into(now, &origin);
            next = [next, at].into_iter().flatten().min();
        }
        next
    }

    fn look_into(&mut self, now: Timestamp, origin: &str) -> Option<Timestamp> {
        let mine = self.reference(origin)?.head.size;
        let log = self.log(origin);
        log.told = log.told.take().filter(|told| told.head.size != mine);
        let told = log.told.is_some();
        let (small, large) = self.doubt(origin)?;
        let keeper = self.log(origin).keeper.filter(|keeper| self.beside.contains_key(keeper));
        let kept_here = self.own.contains_key(origin);
        if !kept_here && keeper.is_none() {
            return None;
        }
        let (from, to) = (small.head.size, large.head.size);
        let log = self.log(origin);
        if log.ask_after > now {
            return Some(log.ask_after);
        }
        // A disk of this machine that fails is no sign of another history.
        if told && log.asked >= MAX_ASKS && !(kept_here && to <= mine) {
            let why = if kept_here {
                format!(
                    "somebody has a head of {to} entries, and the ledger here has {mine}: was it set back?"
                )
            } else {
                format!(
                    "asked {MAX_ASKS} times, it did not show that its {to} entries begin with {from} of it"
                )
            };
            log.ask_after = after(now, RECHECK);
            let next = log.ask_after;
            self.suspect(origin, small.note, large.note, &why);
            return Some(next);
        }
        log.asked = log.asked.saturating_add(1);
        log.ask_after = after(now, if told { ASK_AGAIN } else { RECHECK });
        let next = log.ask_after;
        match keeper.filter(|_| !kept_here) {
            Some(keeper) => self.say(keeper, Word::Prove { origin: origin.to_owned(), from, to }),
            None if to <= mine => self.deeds.push_back(Deed::Prove(origin.to_owned(), from, to)),
            // Its newest head may not have come here yet.
            None => {}
        }
        Some(next)
    }

    /// Two heads of which the ledger has to show that the larger begins with the smaller, which is the first: one that was
    /// told and the one here, or those of a suspicion.
    fn doubt(&mut self, origin: &str) -> Option<(Seen, Seen)> {
        let log = self.known.get(origin).filter(|log| log.remembered.fork.is_none())?;
        let (one, other) = match (log.told.clone(), log.remembered.suspicion.clone()) {
            (Some(told), _) => (told, self.reference(origin)?),
            (None, Some(known)) => (self.read(&known.smaller).ok()?, self.read(&known.larger).ok()?),
            (None, None) => return None,
        };
        Some(if one.head.size < other.head.size { (one, other) } else { (other, one) })
    }

    /// The ledger's answer about two heads.
    pub(super) fn settle_doubt(&mut self, origin: &str, from: u64, to: u64, proof: Option<&[[u8; 32]]>) {
        let Some((small, large)) = self.doubt(origin) else { return };
        if (small.head.size, large.head.size) != (from, to) {
            return;
        }
        let grew = proof.is_some_and(|proof| {
            verify_consistency(from, &small.head.root, to, &large.head.root, proof).is_ok()
        });
        let log = self.log(origin);
        let told = log.told.is_some();
        if grew {
            (log.told, log.asked, log.ask_after) = (None, 0, Timestamp::MIN);
            log.passed(small);
            log.passed(large);
            if !told {
                log.remembered.suspicion = None;
                self.keep(origin);
                let what =
                    format!("the ledger {origin} has shown that its {to} entries begin with the {from}");
                self.event(Event::Cleared { what });
            }
        } else if told {
            let why =
                format!("it cannot show that its {to} entries begin with the {from} that were cosigned");
            self.suspect(origin, small.note, large.note, &why);
        }
    }
}
