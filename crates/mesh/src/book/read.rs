//! An entry of the book with what its envelopes say, read once.

use serde_json::Value;

use super::{
    AnswerDoc, CALL, CallDoc, Digest, DocumentError, Entry, Envelope, Grant, MeshReceipt, NodeId, Reply,
    Timestamp, digest_of, value_digest,
};
use crate::{call::ANSWER, document::envelope_bytes, grant};

#[derive(Debug)]
pub(super) struct Known {
    pub(super) entry: Entry,
    /// The call without its input, which may be large and stands in the entry.
    pub(super) call: CallDoc,
    input: Digest,
    pub(super) grant: Grant,
    pub(super) answered_at: Option<Timestamp>,
    /// When it was last brought to be settled.
    pub(super) brought: Option<Timestamp>,
    /// Whether there is something to charge.
    charged: bool,
    /// What it takes on disk, more or less.
    pub(super) bytes: usize,
    /// Whether the entry is on the disk as it is here, but for what the platform settled.
    pub(super) durable: bool,
}

impl Known {
    /// An entry that was kept. Its signatures were looked at before it was.
    pub(super) fn read(entry: Entry) -> Result<Self, DocumentError> {
        let call: CallDoc = CALL.claimed(&entry.request)?;
        let paid_by: Grant = grant::KIND.claimed(&entry.grant)?;
        if digest_of(&entry.request) != entry.call {
            return Err(CALL.contradiction("it is kept under another name"));
        }
        let mut known = Self::of(entry, &call, paid_by);
        known.durable = true;
        if let Some(answer) = known.entry.answer.take() {
            let _: AnswerDoc = ANSWER.claimed(&answer)?;
            let settled = known.entry.settled;
            known.answered(answer);
            known.entry.settled |= settled;
        }
        Ok(known)
    }

    /// An entry whose call has just come in.
    pub(super) fn of(entry: Entry, call: &CallDoc, grant: Grant) -> Self {
        let input = value_digest(&call.input);
        let call = CallDoc { key: call.key.clone(), skill: call.skill.clone(), input: Value::Null, ..*call };
        let mut known = Self {
            entry,
            call,
            input,
            grant,
            answered_at: None,
            brought: None,
            charged: false,
            bytes: 0,
            durable: false,
        };
        known.measure();
        known
    }

    /// Whether `call` asks for the same work: then it is the same call, though it may have been made anew.
    pub(super) fn is_for(&self, call: &CallDoc) -> bool {
        (&self.call.key, self.call.from, self.call.to) == (&call.key, call.from, call.to)
            && (&self.call.skill, self.call.grant) == (&call.skill, call.grant)
            && self.input == value_digest(&call.input)
    }

    /// The answer for its call. It charges only what was done.
    pub(super) fn answer(&self, reply: Reply, me: NodeId, now: Timestamp) -> AnswerDoc {
        let output = match &reply {
            Reply::Done(output) => Some(value_digest(output)),
            Reply::Failed(_) | Reply::Refused(_) => None,
        };
        let price = self.grant.of(&self.call.skill).filter(|_| output.is_some());
        let receipt = price.map(|granted| MeshReceipt {
            call: self.entry.call,
            grant: self.grant.id.clone(),
            customer: self.grant.customer.clone(),
            case: self.grant.case.clone(),
            sku: granted.sku.clone(),
            skill: self.call.skill.clone(),
            unit_price: granted.unit_price,
            amount: granted.unit_price,
            at: now,
            executor: me,
            caller: self.call.from,
        });
        AnswerDoc {
            key: self.call.key.clone(),
            call: self.entry.call,
            from: me,
            to: self.call.from,
            reply,
            input: self.input,
            output,
            receipt,
            at: now,
        }
    }

    /// Takes its signed answer in. Where nothing is charged, nothing is left to settle.
    pub(super) fn answered(&mut self, answer: Envelope) {
        if let Ok(read) = ANSWER.claimed::<AnswerDoc>(&answer) {
            self.charged = read.receipt.is_some();
            self.answered_at = Some(read.at);
        }
        self.entry.answer = Some(answer);
        self.entry.settled = !self.charged;
        self.measure();
    }

    pub(super) fn is_unsettled(&self) -> bool {
        self.charged && !self.entry.settled
    }

    /// Whether it counts among the calls that `grant` pays for: what failed does not.
    pub(super) fn spends(&self, grant: &Digest) -> bool {
        self.call.grant == *grant && (self.charged || self.entry.answer.is_none())
    }

    fn measure(&mut self) {
        let answer = self.entry.answer.as_ref().map_or(0, envelope_bytes);
        self.bytes = envelope_bytes(&self.entry.request) + envelope_bytes(&self.entry.grant) + answer;
    }
}
