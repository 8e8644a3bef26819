//! Who is let in: a node with a manifest that an issuer of the trust registry certified, that counts now, is not revoked,
//! and belongs to a realm that may meet ours. Everything else is refused, with the reason. No network is asked.

use echo_core::Timestamp;
use serde::{Deserialize, Serialize};
use trust::{DsseError, Envelope, KeyRole, NodeManifest, Registry, TrustError};

use crate::{NodeId, Realm, document::DocumentError, news::Trust};

/// The most bytes of a certified manifest: its payload in base64.
pub const MAX_CERTIFICATE_BYTES: usize = 28 * 1024;
/// How far ahead of ours the clock of whoever certified a manifest may be, in seconds: a day.
pub const MAX_AHEAD_SECONDS: i64 = 24 * 60 * 60;

/// Why somebody is not let in, or something that was signed is not taken.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Refusal {
    /// The manifest has no signature.
    #[error("the manifest is not signed: enrol the device, nobody else can certify it")]
    Unsigned,
    /// The manifest is signed by nobody who may.
    #[error(
        "the manifest was not certified by an issuer of this trust registry ({0}): enrol the device here, or bring the older of the two registries up to date"
    )]
    UnknownIssuer(String),
    /// Something was changed after it was signed.
    #[error("{0}: send it as it was signed")]
    Altered(String),
    /// The manifest counts no more.
    #[error("the manifest expired on {0}: enrol the device again")]
    Expired(Timestamp),
    /// The manifest does not count yet.
    #[error("the manifest counts from {0} on: set the clock of the node that is wrong")]
    NotYet(Timestamp),
    /// The node was revoked.
    #[error(
        "the node was revoked on {since} ({reason}): enrol it anew with a fresh key if it is in good hands"
    )]
    Revoked {
        /// When.
        since: Timestamp,
        /// Why.
        reason: String,
    },
    /// The manifest is another node's.
    #[error("the manifest certifies another key than the one that signed: use this node's own manifest")]
    WrongKey,
    /// It is meant for somebody else.
    #[error("it is meant for another node: look the address up again")]
    NotForMe,
    /// It was seen before.
    #[error("it was seen before: make a new one")]
    Replayed,
    /// The token is not the one that this node announces now.
    #[error("the token is not the one that is announced now: look the node up again")]
    WrongToken,
    /// Whose it is, is not to be met here.
    #[error("nodes of this owner are not met here: enrol it with the same customer, or ask the operator")]
    OtherRealm,
    /// It is too large.
    #[error("{bytes} bytes, at most {most} are allowed: send less")]
    Oversize {
        /// How many.
        bytes: usize,
        /// The bound.
        most: usize,
    },
    /// It cannot be read.
    #[error("it cannot be read ({0}): both sides must speak the same version")]
    Malformed(String),
    /// Too much at once.
    #[error("too much at once ({0}): try again later")]
    TooMany(String),
    /// Nothing pays for the call, or not any more, or not for this.
    #[error("the call is not paid for ({0}): ask the operator for a grant that does")]
    NotPaid(String),
    /// The deadline of the call has passed, by the clock of the node that was called.
    #[error(
        "the call is too late, its deadline was {0}: ask again with a later one, or set the clock that is wrong"
    )]
    TooLate(Timestamp),
    /// The node that was called does not do this.
    #[error("this node does not offer {0}: ask one that does, `echo_cli mesh doctor` shows which")]
    NotOffered(String),
    /// It is this node.
    #[error("it is this node itself: nothing is to be done")]
    Myself,
    /// This node cannot judge anybody: what it knows of trust is out of date.
    #[error("this node cannot judge: {0}")]
    OwnTrust(String),
}

impl Refusal {
    /// One word for machines; never changes.
    pub fn code(&self) -> &'static str {
        match self {
            Self::Unsigned => "unsigned",
            Self::UnknownIssuer(_) => "unknown_issuer",
            Self::Altered(_) => "altered",
            Self::Expired(_) => "expired",
            Self::NotYet(_) => "not_yet",
            Self::Revoked { .. } => "revoked",
            Self::WrongKey => "wrong_key",
            Self::NotForMe => "not_for_me",
            Self::Replayed => "replayed",
            Self::WrongToken => "wrong_token",
            Self::OtherRealm => "other_realm",
            Self::Oversize { .. } => "oversize",
            Self::Malformed(_) => "malformed",
            Self::TooMany(_) => "too_many",
            Self::NotPaid(_) => "not_paid",
            Self::TooLate(_) => "too_late",
            Self::NotOffered(_) => "not_offered",
            Self::Myself => "myself",
            Self::OwnTrust(_) => "own_trust",
        }
    }
}

impl From<DocumentError> for Refusal {
    fn from(error: DocumentError) -> Self {
        match error {
            DocumentError::Oversize { bytes, most, .. } => Self::Oversize { bytes, most },
            DocumentError::Malformed { .. } => Self::Malformed(error.to_string()),
            DocumentError::Signature { .. } | DocumentError::Contradiction { .. } => {
                Self::Altered(error.to_string())
            }
        }
    }
}

/// A node that is let in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Admitted {
    /// Which.
    pub node: NodeId,
    /// Whose.
    pub realm: Realm,
    /// What the issuer certified.
    pub manifest: NodeManifest,
    /// The same, as it was signed.
    pub certificate: Envelope,
}

/// Lets the node of `certificate` in, or says why not, as `trust` stands at `now` for the node of manifest `me`.
pub fn admit(
    certificate: &Envelope,
    trust: &Trust,
    me: &NodeManifest,
    now: Timestamp,
) -> Result<Admitted, Refusal> {
    let bytes = certificate.payload.len();
    if bytes > MAX_CERTIFICATE_BYTES {
        return Err(Refusal::Oversize { bytes, most: MAX_CERTIFICATE_BYTES });
    }
    if certificate.signatures.is_empty() {
        return Err(Refusal::Unsigned);
    }
    let registry = trust.registry(now).map_err(|e| Refusal::OwnTrust(e.to_string()))?;
    let manifest = NodeManifest::verify_signed(certificate, &registry)
        .map_err(|e| not_certified(&e, certificate, &registry))?;
    let node = NodeId::of(&manifest.public_key);
    if manifest.public_key == me.public_key {
        return Err(Refusal::Myself);
    }
    counts(&manifest, now)?;
    if let Some(revoked) = trust.revoked(&node) {
        return Err(Refusal::Revoked { since: revoked.since, reason: revoked.reason.clone() });
    }
    let realm = Realm::of(&manifest);
    if !realm.meets(&Realm::of(me)) {
        return Err(Refusal::OtherRealm);
    }
    Ok(Admitted { node, realm, manifest, certificate: certificate.clone() })
}

/// Whether a manifest's dates let it count at `now`.
fn counts(manifest: &NodeManifest, now: Timestamp) -> Result<(), Refusal> {
    if now >= manifest.expires {
        return Err(Refusal::Expired(manifest.expires));
    }
    if manifest.issued.as_second() > now.as_second().saturating_add(MAX_AHEAD_SECONDS) {
        return Err(Refusal::NotYet(manifest.issued));
    }
    Ok(())
}

fn not_certified(error: &TrustError, certificate: &Envelope, registry: &Registry) -> Refusal {
    match error {
        TrustError::Signature { source: DsseError::BadSignature(_), .. } => {
            Refusal::Altered("the manifest was changed after it was signed".to_owned())
        }
        TrustError::Signature { source: DsseError::Unsigned, .. } => {
            let signed = |key| certificate.signatures.iter().any(|s| s.keyid == key);
            let retired =
                registry.retired.iter().find(|r| r.role == KeyRole::DeviceIssuer && signed(r.key.id()));
            Refusal::UnknownIssuer(match retired {
                Some(key) => format!("the key that signed it was retired on {}", key.until),
                None => format!("version {}", registry.version),
            })
        }
        TrustError::Revoked { key, at, .. } => {
            Refusal::UnknownIssuer(format!("the key {key} that signed it was revoked on {at}"))
        }
        other => Refusal::Malformed(other.to_string()),
    }
}

#[cfg(test)]
mod tests;
