//! What a platform looks at before it charges for a call that two nodes made without it.

use echo_core::{Digest, Timestamp};
use trust::{Envelope, Registry};

use crate::{
    call::{ANSWER, AnswerDoc, CALL, CallDoc, MeshReceipt, value_digest},
    document::{DocumentError, digest_of},
    grant::{Grant, KIND as GRANT},
};

/// How long after the end of a grant work that was begun in time may be done, in seconds; clocks differ, too.
pub const MAX_AFTER_SECONDS: i64 = 24 * 60 * 60;

/// A call that holds together: to be settled once, by the digest of the call.
#[derive(Debug, Clone, PartialEq)]
pub struct Settlement {
    /// The name to settle it once by.
    pub call: Digest,
    /// What was asked.
    pub request: CallDoc,
    /// What pays.
    pub grant: Grant,
    /// What is charged; nothing when the work was not done, and then nothing is to be settled.
    pub receipt: Option<MeshReceipt>,
    /// The digest of what the skill was given.
    pub input: Digest,
    /// The digest of what it gave back.
    pub output: Option<Digest>,
}

/// The settlement of a call, once everything in the three documents holds together: each is signed by whom it must be, the
/// grant's holder called, the grant pays for the skill, and the receipt says what grant and call say. `granted` is the time
/// of the grant's ledger entry, or now for a grant that the platform does not find there.
///
/// What only the platform knows is left to it: that the grant is one of its own and has calls left, that the executor is
/// a node that it certified, the grant's customer's or the operator's, and that this call was not settled before.
pub fn verify_settlement(
    answer: &Envelope,
    call: &Envelope,
    grant: &Envelope,
    registry: &Registry,
    granted: Timestamp,
) -> Result<Settlement, DocumentError> {
    let name = digest_of(call);
    let request = CallDoc::verify(call)?;
    let reply = AnswerDoc::verify(answer)?;
    if request.grant != digest_of(grant) {
        return Err(CALL.contradiction("it names another grant"));
    }
    let paid_by = Grant::verify_at(grant, registry, granted)?;
    if paid_by.holder != request.from {
        return Err(GRANT.contradiction("it was given to another node than the caller"));
    }
    if reply.call != name || reply.key != request.key {
        return Err(ANSWER.contradiction("it answers another call"));
    }
    if reply.from != request.to || reply.to != request.from {
        return Err(ANSWER.contradiction("it is between other nodes than the call"));
    }
    if reply.input != value_digest(&request.input) {
        return Err(ANSWER.contradiction("it was given another input than the call's"));
    }
    if let Some(receipt) = &reply.receipt {
        charges_rightly(receipt, &request, &paid_by)?;
    }
    Ok(Settlement {
        call: name,
        input: reply.input,
        output: reply.output,
        receipt: reply.receipt,
        grant: paid_by,
        request,
    })
}

/// Whether a receipt says what grant and call say.
pub(crate) fn charges_rightly(
    receipt: &MeshReceipt,
    call: &CallDoc,
    grant: &Grant,
) -> Result<(), DocumentError> {
    let fail = |why: &str| Err(ANSWER.contradiction(format!("its receipt {why}")));
    let Some(granted) = grant.of(&call.skill) else {
        return Err(GRANT.contradiction(format!("it does not pay for {}", call.skill)));
    };
    if receipt.grant != grant.id || receipt.customer != grant.customer || receipt.case != grant.case {
        return fail("names another grant, customer or case");
    }
    if receipt.skill != call.skill || receipt.sku != granted.sku {
        return fail("names another skill or SKU");
    }
    // That the amount is the price of one call, the answer's own check has seen.
    if receipt.unit_price != granted.unit_price {
        return fail("charges another price than was granted");
    }
    let done = receipt.at.as_second();
    let begins = grant.from.as_second().saturating_sub(MAX_AFTER_SECONDS);
    if done < begins || done > grant.until.as_second().saturating_add(MAX_AFTER_SECONDS) {
        return fail("is of a time at which the grant did not count");
    }
    Ok(())
}

#[cfg(test)]
mod tests;
