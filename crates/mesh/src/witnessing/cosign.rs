//! The witness: cosigns a ledger's newer heads, each once it is durable here.

use echo_core::{Digest, Timestamp};
use witness::{Refusal, Submission};

use super::{
    CosignAnswer, Cosigned, MAX_REMEMBERED, PAUSE, Word,
    logs::{Seen, seconds},
    state::{Deed, Witnessing},
};
use crate::{NodeId, Realm};

impl Witnessing {
    /// Somebody keeps a ledger and asks to cosign its head. Only the operator's nodes do.
    pub(super) fn asked_to_cosign(&mut self, now: Timestamp, from: NodeId, request: &str) {
        if self.beside.get(&from).is_none_or(|beside| beside.realm != Realm::Operator) {
            return self.fault(from, "it asks to cosign a ledger, which only the operator's nodes keep");
        }
        let asked = match Submission::admit(request.as_bytes(), &self.logs.policy) {
            Ok(asked) => asked,
            Err(Refusal::UnknownLog) => {
                let origin = request.split_once("\n\n").and_then(|(_, note)| note.split('\n').next());
                let origin: String = origin.unwrap_or_default().chars().take(60).collect();
                return self.answer(from, &origin, CosignAnswer::Refused(Refusal::UnknownLog.to_string()));
            }
            Err(why) => return self.fault(from, why.to_string()),
        };
        let origin = asked.checkpoint.origin.clone();
        // The ledger's own signature alone: what else stands in the note is anybody's.
        let Ok(seen) = self.read(&asked.cosigned(&self.logs.policy, "")) else {
            return self.fault(from, "a head that cannot be passed on");
        };
        if !self.has_room(&origin) {
            let why = format!("this node remembers {MAX_REMEMBERED} ledgers, and no more");
            return self.answer(from, &origin, CosignAnswer::Refused(why));
        }
        let head = (seen.head.size, seen.root());
        if let Some(beside) = self.beside.get_mut(&from) {
            beside.has.insert(origin.clone(), head);
        }
        self.compare(&seen);
        let answer = self.judge(now, from, &origin, &asked, &seen);
        if let Some(answer) = answer {
            self.answer(from, &origin, answer);
        }
    }

    /// The answer; none when it waits for the disk.
    fn judge(
        &mut self,
        now: Timestamp,
        from: NodeId,
        origin: &str,
        asked: &Submission,
        seen: &Seen,
    ) -> Option<CosignAnswer> {
        let refused = |why: &str| Some(CosignAnswer::Refused(why.to_owned()));
        if self.is_damaged(origin) {
            return refused("this node's memory of the ledger is damaged, so it cosigns nothing of it");
        }
        let log = self.log(origin);
        log.keeper = Some(from);
        if log.remembered.fork.is_some() {
            return refused("the ledger is proven to have two histories");
        }
        if log.resting.is_some() {
            return refused("the head before is not durable yet: ask again");
        }
        let before = log.remembered.head.clone();
        let now_seconds = seconds(now);
        let next = match asked.judge(before.as_ref().map(Cosigned::kept).as_ref(), now_seconds) {
            Ok(next) => next,
            Err(Refusal::Stale { size }) => return Some(CosignAnswer::Stale(size)),
            Err(why @ Refusal::Inconsistent { .. }) => {
                // A bad proof of the very head that is known says nothing of the ledger.
                if let Some(before) = before.filter(|before| before.size < seen.head.size) {
                    self.suspect(origin, before.note, seen.note.clone(), &why.to_string());
                }
                return refused(&why.to_string());
            }
            Err(why) => return refused(&why.to_string()),
        };
        let again = before.filter(|b| {
            (b.size, b.root) == (next.size, Digest(next.root)) && next.at - b.at < PAUSE.as_secs()
        });
        if let Some(before) = again {
            // Who repeats a request costs no write.
            return Some(CosignAnswer::Line(before.line));
        }
        let line = asked.cosign(&self.cosigner, next.at);
        let log = self.log(origin);
        let root = Digest(next.root);
        log.remembered.head =
            Some(Cosigned { size: next.size, root, at: next.at, note: seen.note.clone(), line });
        log.resting = Some(from);
        log.passed(seen.clone());
        self.keep(origin);
        None
    }

    /// What was remembered of a ledger when its head had so many entries is durable: the cosignature may leave.
    pub(crate) fn kept(&mut self, now: Timestamp, origin: &str, size: u64) {
        let Some(log) = self.known.get_mut(origin) else { return };
        let Some(head) = log.remembered.head.as_ref().filter(|head| head.size <= size) else { return };
        let line = head.line.clone();
        let Some(to) = log.resting.take() else { return };
        if log.remembered.fork.is_none() {
            self.answer(to, origin, CosignAnswer::Line(line));
            self.tell_soon(now);
        }
        self.wake(now);
    }

    fn answer(&mut self, to: NodeId, origin: &str, answer: CosignAnswer) {
        self.deeds.push_back(Deed::Say(to, Word::Cosigned { origin: origin.to_owned(), answer }));
    }
}
