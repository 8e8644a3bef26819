//! Who asks, and under which idempotency key.

use access::Principal;
use store::{Scope, StoredReply};

use crate::{Desk, DeskError};

/// The longest idempotency key, in characters.
const MAX_KEY: usize = 255;

/// An `Idempotency-Key` with the fingerprint of the request it came with.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Idempotency {
    key: String,
    fingerprint: String,
}

impl Idempotency {
    /// The key of a request: 1 to 255 printable ASCII characters.
    pub fn new(key: &str, method: &str, path: &str, body: &[u8]) -> Result<Self, DeskError> {
        if key.is_empty() || key.len() > MAX_KEY || !key.bytes().all(|b| b.is_ascii_graphic()) {
            return Err(DeskError::invalid(
                "Idempotency-Key",
                "write 1 to 255 printable ASCII characters without spaces, such as a UUID",
            ));
        }
        Ok(Self { key: key.to_owned(), fingerprint: StoredReply::fingerprint(method, path, body) })
    }
}

/// One request to the desk.
#[derive(Debug, Clone)]
pub struct Call {
    /// Who asks.
    pub principal: Principal,
    /// Under which key; nothing when the caller takes the risk of doing it twice.
    pub idempotency: Option<Idempotency>,
}

impl Call {
    /// A request without an idempotency key.
    pub fn by(principal: Principal) -> Self {
        Self { principal, idempotency: None }
    }

    /// What the caller may see.
    pub(crate) fn scope(&self) -> Scope {
        scope_of(&self.principal)
    }

    /// The caller's name in the table of kept answers.
    pub(crate) fn caller(&self) -> &str {
        &self.principal.subject
    }

    /// Keeps the answer under the caller's key.
    pub(crate) fn kept(&self, status: u16, body: &str) -> Option<(String, StoredReply)> {
        self.idempotency.as_ref().map(|i| {
            (i.key.clone(), StoredReply { fingerprint: i.fingerprint.clone(), status, body: body.to_owned() })
        })
    }
}

/// What a principal may see: the operator's people everything, everybody else one customer.
pub(crate) fn scope_of(principal: &Principal) -> Scope {
    match (&principal.role, &principal.customer) {
        (access::Role::OperatorAdmin | access::Role::Technician, _) => Scope::All,
        (_, Some(customer)) => Scope::Customer(customer.clone()),
        // A customer or device without a customer sees what belongs to nobody's id: nothing.
        (_, None) => Scope::Nothing,
    }
}

impl Desk {
    /// The answer that was given to this request before, once everything it owes the ledgers is in them.
    pub async fn replay(&self, call: &Call) -> Result<Option<StoredReply>, DeskError> {
        let Some(idempotency) = &call.idempotency else {
            return Ok(None);
        };
        let mut tx = self.store().read().await?;
        let reply = tx.reply(call.caller(), &idempotency.key).await?;
        drop(tx);
        match reply {
            Some(reply) if reply.fingerprint == idempotency.fingerprint => {
                self.drain().await?;
                Ok(Some(reply))
            }
            Some(_) => Err(DeskError::KeyReused),
            None => Ok(None),
        }
    }
}
