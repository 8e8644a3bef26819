//! What a node keeps of the calls that it carried out, so that work is done once and paid once, whatever crashes.
//!
//! An entry is durable before its work begins; what was under way at a crash is answered as failed at the next start, not
//! charged and not begun again. An entry stays until its call is settled and its grant is over, for until then somebody
//! could send the call again, and the calls of a grant must be counted.

mod read;

use std::collections::{BTreeMap, BTreeSet};

use echo_core::{Digest, Timestamp};
use serde::{Deserialize, Serialize};
use trust::{Envelope, KeyPair, NodeManifest};

use self::read::Known;
use crate::{
    NodeId, Outcome, Realm,
    acks::after,
    admission::{Admitted, Refusal, admit},
    call::{AnswerDoc, CALL, CallDoc, MeshReceipt, Reply, shortened, value_digest},
    document::{DocumentError, digest_of},
    grant::Grant,
    news::Trust,
    wire::{Body, MAX_NEWS},
};

/// The most calls that are kept.
pub const MAX_ENTRIES: usize = 4_096;
/// The most bytes of all entries together.
pub const MAX_BOOK_BYTES: usize = 16 * 1024 * 1024;
/// How many times as many calls as a grant pays for may be tried with it, for what fails is not charged; and some more.
const TRIES: usize = 4;
/// How long after its end a grant is remembered, in seconds, for the clock may be set back: a day.
const GRANT_OVER_SECONDS: i64 = 24 * 60 * 60;
/// The most bytes of one message that settles calls.
pub const MAX_SETTLE_BYTES: usize = 180 * 1024;
/// After how many seconds without a word calls are brought to be settled again.
pub const RESEND_SECONDS: i64 = 15;
/// What is said of a call that was under way at a crash.
const INTERRUPTED: &str = "interrupted: the node stopped while it was at it; nothing is charged, and it may be half done. \
                           Look at the device, then ask again with a new idempotency key";

/// One call as it is kept on disk.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Entry {
    /// The call: the digest of its envelope's payload.
    pub call: Digest,
    /// The call, signed by the caller.
    pub request: Envelope,
    /// The grant that pays for it.
    pub grant: Envelope,
    /// The signed answer; nothing while the work is under way.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub answer: Option<Envelope>,
    /// Whether nothing is left to settle.
    pub settled: bool,
}

/// What becomes of a call that came in.
#[derive(Debug, Clone, PartialEq)]
pub enum Received {
    /// Keep the entry, then do the work.
    Execute {
        /// To keep before anything else.
        keep: Box<Entry>,
        /// What to do.
        call: Box<CallDoc>,
        /// Who asks.
        caller: Box<NodeManifest>,
    },
    /// It was answered before: send this again.
    Known(Box<Envelope>),
    /// It is being done; the answer goes out when it is there.
    UnderWay,
    /// It is not done, and the caller is told so.
    Refused {
        /// The signed answer.
        answer: Box<Envelope>,
        /// Why.
        why: Refusal,
    },
    /// It is not done, and nobody is told: it is a forgery, or nobody that this node knows of.
    Ignored(Refusal),
}

/// What begins with a book.
#[derive(Debug)]
pub struct Opened {
    /// The book.
    pub book: Book,
    /// Entries that changed: what was under way is answered. To keep again.
    pub keep: Vec<Entry>,
    /// Entries that cannot be read: to show, and to forget.
    pub damaged: Vec<Digest>,
}

/// The calls that this node carried out or is carrying out.
#[derive(Debug)]
pub struct Book {
    key: KeyPair,
    /// The skills that it has.
    skills: BTreeSet<String>,
    entries: BTreeMap<Digest, Known>,
    /// By caller and idempotency key.
    keys: BTreeMap<(NodeId, String), Digest>,
    bytes: usize,
    settle_sent: Option<Timestamp>,
}

impl Book {
    /// The book of the node with this key, which has these skills, with what was kept.
    pub fn open(key: KeyPair, skills: BTreeSet<String>, kept: Vec<Entry>, now: Timestamp) -> Opened {
        let mut book = Self {
            key,
            skills,
            entries: BTreeMap::new(),
            keys: BTreeMap::new(),
            bytes: 0,
            settle_sent: None,
        };
        let (mut under_way, mut damaged) = (Vec::new(), Vec::new());
        for entry in kept {
            let call = entry.call;
            match Known::read(entry) {
                Ok(known) => {
                    if known.entry.answer.is_none() {
                        under_way.push(call);
                    }
                    book.put(known);
                }
                Err(_) => damaged.push(call),
            }
        }
        let interrupted = || Outcome::Failed(INTERRUPTED.to_owned());
        let keep = under_way.iter().filter_map(|call| book.executed(call, interrupted(), now)).collect();
        Opened { book, keep, damaged }
    }

    /// Takes a call in: looks at every signature, at who calls, at what pays, and whether it was done before.
    pub fn receive(
        &mut self,
        body: (&Envelope, &Envelope, &Envelope),
        trust: &Trust,
        me: &NodeManifest,
        now: Timestamp,
    ) -> Received {
        let (request, manifest, grant) = body;
        let call = match CallDoc::verify(request) {
            Ok(call) if call.to == self.me() => call,
            Ok(_) => return Received::Ignored(Refusal::NotForMe),
            Err(why) => return Received::Ignored(why.into()),
        };
        if let Some(known) = self.known(&call) {
            return match (known.is_for(&call), known.entry.answer.as_ref().filter(|_| known.durable)) {
                (true, Some(answer)) => Received::Known(Box::new(answer.clone())),
                (true, None) => Received::UnderWay,
                (false, _) => self.refused(
                    &call,
                    request,
                    Refusal::Malformed(
                        "the idempotency key was used for other work: take a new one".to_owned(),
                    ),
                    now,
                ),
            };
        }
        match self.acceptable(&call, manifest, grant, trust, me, now) {
            Err(why @ Refusal::OtherRealm) => Received::Ignored(why),
            Err(why) => self.refused(&call, request, why, now),
            Ok((caller, paid_by)) => {
                let entry = Entry {
                    call: digest_of(request),
                    request: request.clone(),
                    grant: grant.clone(),
                    answer: None,
                    settled: false,
                };
                let known = Known::of(entry.clone(), &call, paid_by);
                if self.entries.len() >= MAX_ENTRIES || self.bytes + known.bytes > MAX_BOOK_BYTES {
                    let full =
                        Refusal::TooMany("the book of calls is full until some are settled".to_owned());
                    return self.refused(&call, request, full, now);
                }
                self.put(known);
                Received::Execute {
                    keep: Box::new(entry),
                    call: Box::new(call),
                    caller: Box::new(caller.manifest),
                }
            }
        }
    }

    /// The newest entry of a call is on the disk. Its answer with who asked, to send, when it was the answer that was kept.
    pub fn kept(&mut self, call: &Digest) -> Option<(NodeId, Envelope)> {
        let known = self.entries.get_mut(call).filter(|known| !known.durable)?;
        known.durable = true;
        Some((known.call.from, known.entry.answer.clone()?))
    }

    /// A call could not be written down, and its work was not begun: it is forgotten, and may be made again. The signed
    /// refusal with who asked, to send.
    pub fn lost(&mut self, call: &Digest, why: &str, now: Timestamp) -> Option<(NodeId, Envelope)> {
        let over = |known: &&Known| !known.durable && known.entry.answer.is_none();
        self.entries.get(call).filter(over)?;
        let known = self.entries.remove(call)?;
        self.bytes -= known.bytes;
        self.keys.remove(&(known.call.from, known.call.key.clone()));
        let why = format!("it cannot be written down here ({why}), so it was not begun: ask again later");
        let answer = known.answer(Reply::Refused(shortened(&why)), self.me(), now);
        Some((known.call.from, answer.sign(&self.key).ok()?))
    }

    /// The work of a call has ended: the entry with its signed answer, to keep; [`Book::kept`] then gives the answer to send.
    /// Nothing when no such work was under way.
    pub fn executed(&mut self, call: &Digest, outcome: Outcome, now: Timestamp) -> Option<Entry> {
        let known = self.entries.get(call).filter(|known| known.entry.answer.is_none())?;
        let answer = known.answer(Reply::from(outcome), self.me(), now);
        // An output beyond its bound is told, not sent.
        let answer = answer.sign(&self.key).or_else(|why| {
            let failed = Reply::Failed(shortened(&format!("the output cannot be sent: {why}")));
            known.answer(failed, self.me(), now).sign(&self.key)
        });
        let envelope = answer.ok()?;
        let known = self.entries.get_mut(call)?;
        self.bytes -= known.bytes;
        known.answered(envelope);
        known.durable = false;
        self.bytes += known.bytes;
        Some(known.entry.clone())
    }

    /// Who made a call that is kept.
    pub fn caller(&self, call: &Digest) -> Option<NodeId> {
        self.entries.get(call).map(|known| known.call.from)
    }

    /// The calls that are to be settled and were not brought for longest, as many as one message holds, when it is time to bring them.
    pub fn settle_due(&mut self, now: Timestamp) -> Option<Body> {
        if self.settle_deadline().is_some_and(|at| now < at) {
            return None;
        }
        let mut left = MAX_SETTLE_BYTES;
        let (mut answers, mut calls, mut grants) = (Vec::new(), Vec::new(), Vec::new());
        for known in self.to_settle().into_iter().take(MAX_NEWS) {
            let Some(rest) = left.checked_sub(known.bytes) else { break };
            left = rest;
            answers.extend(known.entry.answer.clone());
            calls.push(known.entry.request.clone());
            grants.push(known.entry.grant.clone());
        }
        if calls.is_empty() {
            return None;
        }
        self.settle_sent = Some(now);
        for call in &calls {
            if let Some(known) = self.entries.get_mut(&digest_of(call)) {
                known.brought = Some(now);
            }
        }
        Some(Body::Settle { answers, calls, grants })
    }

    /// When to bring again what was brought; nothing while nothing was.
    pub fn settle_deadline(&self) -> Option<Timestamp> {
        self.settle_sent.map(|sent| after(sent, RESEND_SECONDS))
    }

    /// A way to a platform is there: bring what waits at once.
    pub fn settle_again(&mut self) {
        self.settle_sent = None;
    }

    /// These calls are settled, or refused for good, says a node of the operator's. The entries that changed, to keep.
    pub fn settled(&mut self, calls: &[Digest]) -> Vec<Entry> {
        self.settle_sent = None;
        let mut changed = Vec::new();
        for call in calls {
            if let Some(known) = self.entries.get_mut(call).filter(|known| known.is_unsettled()) {
                known.entry.settled = true;
                changed.push(known.entry.clone());
            }
        }
        changed
    }

    /// How many calls are to be settled.
    pub fn unsettled(&self) -> usize {
        self.entries.values().filter(|known| known.is_unsettled()).count()
    }

    /// How many calls are kept, and how many bytes they take.
    pub fn size(&self) -> (usize, usize) {
        (self.entries.len(), self.bytes)
    }

    /// Drops what is settled and whose grant is over since a day, so that the call could not be begun again. To forget.
    pub fn prune(&mut self, now: Timestamp) -> Vec<Digest> {
        let over = |known: &Known| {
            known.entry.answer.is_some()
                && !known.is_unsettled()
                && after(known.grant.until, GRANT_OVER_SECONDS) <= now
        };
        let gone: Vec<Digest> =
            self.entries.iter().filter(|(_, known)| over(known)).map(|(call, _)| *call).collect();
        for call in &gone {
            if let Some(known) = self.entries.remove(call) {
                self.bytes -= known.bytes;
                self.keys.remove(&(known.call.from, known.call.key));
            }
        }
        gone
    }

    fn acceptable(
        &self,
        call: &CallDoc,
        manifest: &Envelope,
        grant: &Envelope,
        trust: &Trust,
        me: &NodeManifest,
        now: Timestamp,
    ) -> Result<(Admitted, Grant), Refusal> {
        let caller = admit(manifest, trust, me, now)?;
        if caller.node != call.from {
            return Err(Refusal::WrongKey);
        }
        let no = |why: String| Err(Refusal::NotPaid(why));
        if digest_of(grant) != call.grant {
            return no("the call names another grant".to_owned());
        }
        let registry = trust.registry(now).map_err(|e| Refusal::OwnTrust(e.to_string()))?;
        let paid_by = Grant::verify(grant, &registry).map_err(|why| Refusal::NotPaid(why.to_string()))?;
        if paid_by.holder != call.from {
            return no(format!("{} was given to another node", paid_by.id));
        }
        if !paid_by.counts_at(now) {
            return no(format!("{} counts from {} to {}", paid_by.id, paid_by.from, paid_by.until));
        }
        let charged = Realm::Customer(paid_by.customer.clone());
        if !charged.meets(&caller.realm) || !charged.meets(&Realm::of(me)) {
            return Err(Refusal::OtherRealm);
        }
        if paid_by.of(&call.skill).is_none() {
            return no(format!("{} does not pay for {}", paid_by.id, call.skill));
        }
        if !self.skills.contains(&call.skill) {
            return Err(Refusal::NotOffered(call.skill.clone()));
        }
        if call.deadline <= now {
            return Err(Refusal::TooLate(call.deadline));
        }
        let spent = self.entries.values().filter(|known| known.spends(&call.grant)).count();
        if spent >= paid_by.most_calls as usize {
            return no(format!("the {} calls of {} are used up", paid_by.most_calls, paid_by.id));
        }
        let tried = self.entries.values().filter(|known| known.call.grant == call.grant).count();
        if tried >= TRIES * (paid_by.most_calls as usize + TRIES) {
            return Err(Refusal::TooMany(format!("{tried} calls with {}", paid_by.id)));
        }
        Ok((caller, paid_by))
    }

    fn refused(&self, call: &CallDoc, request: &Envelope, why: Refusal, now: Timestamp) -> Received {
        let answer = AnswerDoc {
            key: call.key.clone(),
            call: digest_of(request),
            from: self.me(),
            to: call.from,
            reply: Reply::Refused(shortened(&why.to_string())),
            input: value_digest(&call.input),
            output: None,
            receipt: None,
            at: now,
        };
        match answer.sign(&self.key) {
            Ok(answer) => Received::Refused { answer: Box::new(answer), why },
            Err(_) => Received::Ignored(why),
        }
    }

    fn known(&self, call: &CallDoc) -> Option<&Known> {
        self.keys.get(&(call.from, call.key.clone())).and_then(|name| self.entries.get(name))
    }

    /// The calls to settle: first those that were never brought, oldest answer first. So one that cannot be settled yet
    /// holds up no other.
    fn to_settle(&self) -> Vec<&Known> {
        let settles = |known: &&Known| known.durable && known.is_unsettled();
        let mut waiting: Vec<&Known> = self.entries.values().filter(settles).collect();
        waiting.sort_by_key(|known| (known.brought, known.answered_at, known.entry.call));
        waiting
    }

    fn put(&mut self, known: Known) {
        self.bytes += known.bytes;
        self.keys.insert((known.call.from, known.call.key.clone()), known.entry.call);
        self.entries.insert(known.entry.call, known);
    }

    fn me(&self) -> NodeId {
        NodeId::of(&self.key.public())
    }
}

#[cfg(test)]
mod tests;
