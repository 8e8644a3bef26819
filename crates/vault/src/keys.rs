//! What an open vault holds: its identity, and the keys that follow from it.

use echo_core::Digest;

use crate::age_file::{Identity, MacKey, Recipient};

/// The identity of an open vault.
#[derive(Debug, Clone)]
pub(crate) struct Keys {
    pub identity: Identity,
    pub recipient: Recipient,
    /// Makes and checks the code of the index.
    pub index: MacKey,
    pub audit: AuditKey,
}

/// Makes and checks the codes of audit lines.
#[derive(Debug, Clone)]
pub(crate) struct AuditKey {
    /// Which identity it is of.
    pub tag: String,
    pub mac: MacKey,
}

impl Keys {
    pub fn of(identity: Identity) -> Self {
        let recipient = identity.recipient();
        Self {
            index: identity.derive("echo vault index v1"),
            audit: AuditKey { tag: tag(&recipient), mac: identity.derive("echo vault audit v1") },
            recipient,
            identity,
        }
    }
}

/// The short name of an identity: 16 hexadecimal digits of its recipient's digest.
pub(crate) fn tag(recipient: &Recipient) -> String {
    Digest::of(recipient.to_string().as_bytes()).hex()[..16].to_owned()
}
