//! The calls that were made here and wait for an answer. The same envelope goes out again when a way to the called node is
//! there anew, or after a while, until the answer comes or the deadline does: the other side does the work once.
//!
//! A call for whoever offers something stays with the node that it went to first, also when that one goes away, and even when
//! it refuses: a copy may be on its way there still, and be done later, when there is room again. With the same call at a
//! second node there would be two receipts for one piece of work. Who wants another node asks again, with another key.

use std::collections::BTreeMap;

use echo_core::{Digest, Timestamp};
use serde_json::Value;
use trust::{Envelope, KeyPair};

use crate::{
    Call, CallFailure, NodeId, Ticket,
    acks::after,
    call::{AnswerDoc, CallDoc, Reply, value_digest},
    document::digest_of,
    grant::Grant,
    news::Trust,
    settlement::charges_rightly,
    wire::Body,
};

/// The most calls that wait for an answer at once.
pub const MAX_UNDER_WAY: usize = 256;
/// After how many seconds a call goes out again for the first time; then after twice as long each time.
pub const RESEND_SECONDS: i64 = 4;
/// The longest pause between two times, in seconds.
pub const MAX_RESEND_SECONDS: i64 = 64;

/// How a call ended: its output with the signed answer, or why there is none.
pub type Ended = (Ticket, Result<(Value, Box<Envelope>), CallFailure>);

/// The calls that were made here.
#[derive(Debug)]
pub struct Calls {
    key: KeyPair,
    certificate: Envelope,
    under_way: BTreeMap<String, UnderWay>,
}

#[derive(Debug)]
struct UnderWay {
    ticket: Ticket,
    call: CallDoc,
    envelope: Envelope,
    grant: Grant,
    signed_grant: Envelope,
    next: Timestamp,
    pause: i64,
}

impl Calls {
    /// None yet, for the node with this key and certificate.
    pub fn new(key: KeyPair, certificate: Envelope) -> Self {
        Self { key, certificate, under_way: BTreeMap::new() }
    }

    /// The node's manifest was certified anew.
    pub fn renew(&mut self, certificate: Envelope) {
        self.certificate = certificate;
    }

    /// Makes the call to `to`; [`Calls::due`] says when it goes out.
    pub fn begin(
        &mut self,
        call: Call,
        to: NodeId,
        trust: &Trust,
        now: Timestamp,
    ) -> Result<(), CallFailure> {
        if self.under_way.len() >= MAX_UNDER_WAY {
            return Err(CallFailure::Busy(self.under_way.len()));
        }
        if call.deadline <= now {
            return Err(CallFailure::TooLate);
        }
        let invalid = |why: String| CallFailure::Invalid(why);
        if self.under_way.contains_key(&call.key) {
            return Err(invalid(
                "a call with this idempotency key is under way: wait for its answer".to_owned(),
            ));
        }
        let from = self.me();
        let registry = trust.registry(now).map_err(|e| invalid(e.to_string()))?;
        let grant = Grant::verify(&call.grant, &registry).map_err(|e| invalid(e.to_string()))?;
        if grant.holder != from || !grant.counts_at(now) {
            return Err(invalid(format!(
                "{} is another node's, or does not count now: ask the operator",
                grant.id
            )));
        }
        if grant.of(&call.skill).is_none() {
            return Err(invalid(format!("{} does not pay for {}", grant.id, call.skill)));
        }
        let document = CallDoc {
            key: call.key,
            from,
            to,
            skill: call.skill,
            input: call.input,
            grant: digest_of(&call.grant),
            made: now,
            deadline: call.deadline,
        };
        let envelope = document.sign(&self.key).map_err(|e| invalid(e.to_string()))?;
        let under_way = UnderWay {
            ticket: call.ticket,
            envelope,
            grant,
            signed_grant: call.grant,
            next: now,
            pause: RESEND_SECONDS,
            call: document,
        };
        self.under_way.insert(under_way.call.key.clone(), under_way);
        Ok(())
    }

    /// What goes out now, and to whom.
    pub fn due(&mut self, now: Timestamp) -> Vec<(NodeId, Body)> {
        let manifest = &self.certificate;
        let due = self.under_way.values_mut().filter(|waiting| waiting.next <= now);
        due.map(|waiting| {
            waiting.next = after(now, waiting.pause);
            waiting.pause = (waiting.pause * 2).min(MAX_RESEND_SECONDS);
            let (call, grant) = (waiting.envelope.clone(), waiting.signed_grant.clone());
            (waiting.call.to, Body::Call { call, manifest: manifest.clone(), grant })
        })
        .collect()
    }

    /// A way to `node` is there anew: what waits for it goes out at once.
    pub fn reachable(&mut self, node: NodeId, now: Timestamp) {
        for waiting in self.under_way.values_mut().filter(|waiting| waiting.call.to == node) {
            waiting.next = now;
            waiting.pause = RESEND_SECONDS;
        }
    }

    /// An answer came. How the call ended; nothing when it answers nothing that was asked of who signed it.
    pub fn answered(&mut self, answer: &Envelope) -> Option<Ended> {
        let read = AnswerDoc::verify(answer).ok()?;
        let waiting = self.under_way.get(&read.key)?;
        let asked = &waiting.call;
        if read.from != asked.to || read.to != asked.from || read.input != value_digest(&asked.input) {
            return None;
        }
        let charged =
            read.receipt.as_ref().map_or(Ok(()), |receipt| charges_rightly(receipt, asked, &waiting.grant));
        let result = match (read.reply, charged) {
            (_, Err(why)) => Err(CallFailure::Refused(why.to_string())),
            (Reply::Done(output), Ok(())) => Ok((output, Box::new(answer.clone()))),
            (Reply::Failed(why), Ok(())) => Err(CallFailure::Failed(why)),
            (Reply::Refused(why), Ok(())) => Err(CallFailure::Refused(why)),
        };
        let ended = self.under_way.remove(&read.key)?;
        Some((ended.ticket, result))
    }

    /// The calls whose deadline came: they end without an answer.
    pub fn expired(&mut self, now: Timestamp) -> Vec<Ended> {
        let late = self.under_way.extract_if(.., |_, waiting| waiting.call.deadline <= now);
        late.map(|(_, waiting)| (waiting.ticket, Err(CallFailure::TooLate))).collect()
    }

    /// The next time at which something is to be done.
    pub fn deadline(&self) -> Option<Timestamp> {
        self.under_way.values().map(|waiting| waiting.next.min(waiting.call.deadline)).min()
    }

    /// Whom a call that is under way is for, by the call's digest.
    pub fn called(&self, call: &Digest) -> Option<NodeId> {
        let waiting = self.under_way.values().find(|waiting| digest_of(&waiting.envelope) == *call)?;
        Some(waiting.call.to)
    }

    /// The nodes that calls wait for.
    pub fn waiting_for(&self) -> std::collections::BTreeSet<NodeId> {
        self.under_way.values().map(|waiting| waiting.call.to).collect()
    }

    /// How many wait for an answer.
    pub fn under_way(&self) -> usize {
        self.under_way.len()
    }

    fn me(&self) -> NodeId {
        NodeId::of(&self.key.public())
    }
}

#[cfg(test)]
mod tests;
