//! A call from node to node, its answer, and the receipt in it. Whoever holds the three envelopes (grant, call, answer) can
//! see who asked for what, who did it, what it cost and who said that it is paid.

use echo_core::{CaseId, CustomerId, Digest, GrantId, Money, Timestamp};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use trust::{Envelope, KeyPair};

use crate::{
    NodeId, Outcome,
    document::{DocumentError, Kind},
    grant::{MAX_NAME, is_name},
};

/// The payload type of a signed [`CallDoc`].
pub const CALL_TYPE: &str = "application/vnd.echo.mesh-call.v1+json";
/// The payload type of a signed [`AnswerDoc`].
pub const ANSWER_TYPE: &str = "application/vnd.echo.mesh-call-answer.v1+json";
/// The most bytes of a call's input as JSON. With its output and its grant it must fit one message that settles it.
pub const MAX_INPUT_BYTES: usize = 48 * 1024;
/// The most bytes of an output as JSON.
pub const MAX_OUTPUT_BYTES: usize = 48 * 1024;
/// The most bytes of the reason why there is no output.
pub const MAX_REASON: usize = 1_000;
/// What stands around the input or output, at most.
const AROUND: usize = 4 * 1024;

pub(crate) const CALL: Kind = Kind { what: "call", payload_type: CALL_TYPE, most: MAX_INPUT_BYTES + AROUND };
pub(crate) const ANSWER: Kind =
    Kind { what: "answer to a call", payload_type: ANSWER_TYPE, most: MAX_OUTPUT_BYTES + AROUND };

/// "Do this." Signed by the caller.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CallDoc {
    /// The idempotency key: a UUID (RFC 9562), in lower case with hyphens. A caller uses one for one piece of work.
    pub key: String,
    /// Who calls.
    pub from: NodeId,
    /// Who is called.
    pub to: NodeId,
    /// What to do.
    pub skill: String,
    /// What to do it on.
    pub input: Value,
    /// What pays: the digest of the grant's payload.
    pub grant: Digest,
    /// When it was made, by the caller's clock.
    pub made: Timestamp,
    /// When the caller gives up; a call that comes later is not begun.
    pub deadline: Timestamp,
}

/// How a call ended.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Reply {
    /// Done, with this output.
    Done(Value),
    /// Begun and not done: nothing is charged. Why, for people.
    Failed(String),
    /// Not begun. Why, for people.
    Refused(String),
}

/// "This came of it." Signed by the node that was called.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AnswerDoc {
    /// The idempotency key of the call.
    pub key: String,
    /// The call that was carried out: the digest of its payload. A later call with the same key and the same work gets
    /// the same answer.
    pub call: Digest,
    /// Who was called.
    pub from: NodeId,
    /// Who called.
    pub to: NodeId,
    /// How it ended.
    pub reply: Reply,
    /// The digest of the input.
    pub input: Digest,
    /// The digest of the output; nothing when there is none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub output: Option<Digest>,
    /// What is charged; nothing unless it was done.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub receipt: Option<MeshReceipt>,
    /// When it was answered, by the called node's clock.
    pub at: Timestamp,
}

/// What one call costs whom.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct MeshReceipt {
    /// The call: the digest of its payload.
    pub call: Digest,
    /// The grant that pays.
    pub grant: GrantId,
    /// Who is charged.
    pub customer: CustomerId,
    /// For which case.
    pub case: CaseId,
    /// What was sold.
    pub sku: String,
    /// By which skill.
    pub skill: String,
    /// What one call costs.
    pub unit_price: Money,
    /// What this one costs.
    pub amount: Money,
    /// When it was done, by the executor's clock.
    pub at: Timestamp,
    /// Who did it.
    pub executor: NodeId,
    /// Who asked.
    pub caller: NodeId,
}

impl CallDoc {
    /// Signs the call as the caller, once it is sound.
    pub fn sign(&self, caller: &KeyPair) -> Result<Envelope, DocumentError> {
        self.check()?;
        CALL.sign(self, caller)
    }

    /// The call in `envelope`, once the node that it names as the caller has signed it.
    pub fn verify(envelope: &Envelope) -> Result<Self, DocumentError> {
        let claimed: Self = CALL.claimed(envelope)?;
        CALL.signed(envelope, &claimed.from.key())?;
        claimed.check()?;
        Ok(claimed)
    }

    fn check(&self) -> Result<(), DocumentError> {
        if !is_key(&self.key) {
            return Err(CALL.malformed("its idempotency key is not a UUID in lower case with hyphens"));
        }
        if !is_name(&self.skill) {
            return Err(CALL.malformed(format!("a skill's name has 1 to {MAX_NAME} printable characters")));
        }
        if self.from == self.to {
            return Err(CALL.malformed("a node calls itself"));
        }
        let bytes = json_of(&self.input).len();
        if bytes > MAX_INPUT_BYTES {
            return Err(DocumentError::Oversize { what: "input of the call", bytes, most: MAX_INPUT_BYTES });
        }
        Ok(())
    }
}

impl AnswerDoc {
    /// Signs the answer as the node that was called, once it is sound.
    pub fn sign(&self, executor: &KeyPair) -> Result<Envelope, DocumentError> {
        self.check()?;
        ANSWER.sign(self, executor)
    }

    /// The answer in `envelope`, once the node that it names as the called one has signed it.
    pub fn verify(envelope: &Envelope) -> Result<Self, DocumentError> {
        let claimed: Self = ANSWER.claimed(envelope)?;
        ANSWER.signed(envelope, &claimed.from.key())?;
        claimed.check()?;
        Ok(claimed)
    }

    fn check(&self) -> Result<(), DocumentError> {
        let digest = match &self.reply {
            Reply::Done(output) => {
                let json = json_of(output);
                if json.len() > MAX_OUTPUT_BYTES {
                    let (bytes, most) = (json.len(), MAX_OUTPUT_BYTES);
                    return Err(DocumentError::Oversize { what: "output of the call", bytes, most });
                }
                Some(Digest::of(&json))
            }
            Reply::Failed(why) | Reply::Refused(why) if why.len() > MAX_REASON => {
                return Err(ANSWER.malformed(format!("its reason has more than {MAX_REASON} bytes")));
            }
            Reply::Failed(_) | Reply::Refused(_) => None,
        };
        if self.output != digest {
            return Err(ANSWER.contradiction("its digest is not that of its output"));
        }
        if !is_key(&self.key) {
            return Err(ANSWER.malformed("its idempotency key is not a UUID"));
        }
        match &self.receipt {
            Some(_) if digest.is_none() => Err(ANSWER.contradiction("it charges for what was not done")),
            Some(receipt) => self.check_receipt(receipt),
            None if digest.is_some() => Err(ANSWER.contradiction("it has no receipt for what was done")),
            None => Ok(()),
        }
    }

    fn check_receipt(&self, receipt: &MeshReceipt) -> Result<(), DocumentError> {
        let fail = |why: &str| Err(ANSWER.contradiction(format!("its receipt {why}")));
        if receipt.call != self.call {
            return fail("is for another call");
        }
        if receipt.executor != self.from || receipt.caller != self.to {
            return fail("names other nodes");
        }
        if receipt.amount != receipt.unit_price || receipt.amount.minor < 0 {
            return fail("charges something else than the price of one call");
        }
        if !is_name(&receipt.skill) || !is_name(&receipt.sku) {
            return fail("names nothing that can be sold");
        }
        if receipt.at != self.at {
            return fail("is of another time");
        }
        Ok(())
    }
}

impl From<Outcome> for Reply {
    fn from(outcome: Outcome) -> Self {
        match outcome {
            Outcome::Done(output) => Self::Done(output),
            Outcome::Failed(why) => Self::Failed(shortened(&why)),
        }
    }
}

/// The digest of a value: the SHA-256 of its JSON without spaces, the members of objects in the order of their names.
pub fn value_digest(value: &Value) -> Digest {
    Digest::of(&json_of(value))
}

/// A reason, cut to what an answer holds.
pub(crate) fn shortened(why: &str) -> String {
    why.chars().take(MAX_REASON / 4).collect()
}

fn json_of(value: &Value) -> Vec<u8> {
    serde_json::to_vec(value).expect("a JSON value always becomes JSON")
}

/// Whether a text is a UUID as RFC 9562, section 4, writes it, in lower case.
fn is_key(text: &str) -> bool {
    let bytes = text.as_bytes();
    bytes.len() == 36
        && bytes.iter().enumerate().all(|(at, byte)| match at {
            8 | 13 | 18 | 23 => *byte == b'-',
            _ => byte.is_ascii_digit() || (b'a'..=b'f').contains(byte),
        })
}

#[cfg(test)]
mod tests;
