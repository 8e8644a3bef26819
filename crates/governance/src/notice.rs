//! The word that a key goes out of use: for machines, which warn and refuse by it, and for people, who read why.
//!
//! It is signed by the operator. When the operator's own key goes in good order, the old and the new key sign it both,
//! so that it is believed by readers who have not seen the next version of the registry. A notice can only take
//! trust away, and never from the root: what a chain of registries says of its own root, no notice changes.

use std::collections::BTreeSet;

use echo_core::{NoticeId, Timestamp};
use serde::{Deserialize, Serialize};
use trust::{
    Envelope, KeyId, KeyPair, KeyRole, PublicKey, Registry, Revocation,
    registry::{MAX_ROLE_KEYS, MAX_TEXT},
};

use crate::GovernanceError;

/// DSSE payload type of a [`DeprecationNotice`].
pub const NOTICE_TYPE: &str = "application/vnd.echo.deprecation-notice.v1+json";
/// The most bytes a notice's envelope may have as JSON.
pub const MAX_NOTICE_BYTES: u64 = 32 * 1024;
/// The most keys, replacements or actions one notice may name.
const MAX_ITEMS: usize = 64;
/// The most bytes of its words for people.
const MAX_WORDS: usize = 4 * MAX_TEXT;

/// What becomes of the key.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum NoticeKind {
    /// It signs nothing new; what it signed before goes on counting.
    Retirement,
    /// It is in wrong hands: nothing that it signed counts.
    Revocation,
}

/// A key and what it signs, or signed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Deprecated {
    /// What it signs.
    pub role: KeyRole,
    /// Which key.
    pub key: KeyId,
}

/// What a reader has to do.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "do", rename_all = "snake_case", deny_unknown_fields)]
pub enum Action {
    /// Fetch the trust chain until it holds this version.
    FetchRegistry {
        /// Which version, at least.
        version: u64,
    },
    /// Whoever keeps single keys rather than the root's fingerprint keeps these from now on.
    UpdatePin {
        /// What they sign.
        role: KeyRole,
        /// The keys.
        keys: Vec<PublicKey>,
    },
    /// Enrol devices again whose certificate is signed by the old key.
    ReEnrol {
        /// Until when.
        before: Timestamp,
    },
    /// Have everything signed again that others shall take from you and that the old key signed.
    ReSign {
        /// In which role.
        role: KeyRole,
        /// Until when.
        before: Timestamp,
    },
    /// Sign in again.
    SignInAgain {},
}

/// The word that keys go out of use.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DeprecationNotice {
    /// Its id.
    pub id: NoticeId,
    /// Retired or revoked.
    pub kind: NoticeKind,
    /// Which keys.
    pub keys: Vec<Deprecated>,
    /// Which keys sign in their place.
    pub replaced_by: Vec<Deprecated>,
    /// When it was made.
    pub issued: Timestamp,
    /// From when on readers warn.
    pub warn_from: Timestamp,
    /// From when on readers take nothing new that the keys signed.
    pub refuse_from: Timestamp,
    /// What readers have to do.
    pub actions: Vec<Action>,
    /// What it is about, for people.
    pub text: String,
    /// The version of the trust registry that lists the new keys.
    pub registry_version: u64,
}

/// What a notice asks for at a time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Standing {
    /// Nothing yet.
    Announced,
    /// To warn.
    Warns,
    /// To take nothing new by the keys.
    Refuses,
}

impl DeprecationNotice {
    /// Signs the notice. Each signer is an operator's key.
    pub fn sign(&self, signers: &[&KeyPair]) -> Result<Envelope, GovernanceError> {
        self.check()?;
        Envelope::sign(NOTICE_TYPE, self, signers).map_err(|e| GovernanceError::Notice(e.to_string()))
    }

    /// The notice in `envelope`, once the operator of `registry` has signed it.
    pub fn verify(envelope: &Envelope, registry: &Registry) -> Result<Self, GovernanceError> {
        if !is_small(envelope) {
            return Err(GovernanceError::Notice(format!("it is larger than {MAX_NOTICE_BYTES} bytes")));
        }
        let notice: Self = registry.verify(KeyRole::Operator, NOTICE_TYPE, envelope)?;
        notice.check()?;
        Ok(notice)
    }

    /// The version of the trust registry that `envelope` speaks of, whoever signed it: a reason to look for that
    /// version, and no more. Nothing when it is no notice.
    pub fn claimed_version(envelope: &Envelope) -> Option<u64> {
        if envelope.payload_type != NOTICE_TYPE || !is_small(envelope) {
            return None;
        }
        let payload = envelope.payload_unchecked().ok()?;
        serde_json::from_slice::<Self>(&payload).ok().map(|notice| notice.registry_version)
    }

    /// What it asks for at `now`.
    pub fn standing(&self, now: Timestamp) -> Standing {
        if now >= self.refuse_from {
            Standing::Refuses
        } else if now >= self.warn_from {
            Standing::Warns
        } else {
            Standing::Announced
        }
    }

    fn check(&self) -> Result<(), GovernanceError> {
        let fail = |why: &str| Err(GovernanceError::Notice(format!("{}: {why}", self.id)));
        if self.keys.is_empty() {
            return fail("it names no key");
        }
        if [self.keys.len(), self.replaced_by.len(), self.actions.len()].iter().any(|n| *n > MAX_ITEMS) {
            return fail("it names too much");
        }
        let pins =
            |action: &Action| matches!(action, Action::UpdatePin { keys, .. } if keys.len() > MAX_ROLE_KEYS);
        if self.actions.iter().any(pins) {
            return fail("it pins too many keys");
        }
        if self.text.len() > MAX_WORDS {
            return fail("its words are too long");
        }
        if self.refuse_from < self.warn_from {
            return fail("it refuses before it warns");
        }
        let replaced: BTreeSet<&KeyId> = self.replaced_by.iter().map(|k| &k.key).collect();
        if self.keys.iter().any(|k| replaced.contains(&k.key)) {
            return fail("a key takes its own place");
        }
        Ok(())
    }
}

/// Whether an envelope keeps to [`MAX_NOTICE_BYTES`], what is around its payload included.
fn is_small(envelope: &Envelope) -> bool {
    serde_json::to_vec(envelope).is_ok_and(|bytes| bytes.len() as u64 <= MAX_NOTICE_BYTES)
}

/// The notices among `envelopes` that the operator of `registry` signed. The others are passed over: a key that was
/// taken out of the registry since has no say about what counts.
pub fn believed(envelopes: &[Envelope], registry: &Registry) -> Vec<DeprecationNotice> {
    envelopes.iter().filter_map(|e| DeprecationNotice::verify(e, registry).ok()).collect()
}

/// `registry` as a careful reader takes it at `now`: without the keys that a notice refuses by then, whether or not
/// a newer version came through. To judge new documents with, never a chain.
pub fn narrowed(registry: &Registry, notices: &[DeprecationNotice], now: Timestamp) -> Registry {
    let mut narrowed = registry.clone();
    for notice in notices.iter().filter(|n| n.standing(now) == Standing::Refuses) {
        for gone in notice.keys.iter().filter(|k| k.role != KeyRole::Root) {
            if narrowed.revocation(&gone.key).is_none() {
                narrowed.revoked.push(Revocation {
                    key: gone.key.clone(),
                    at: notice.refuse_from,
                    reason: format!("by {}", notice.id),
                });
            }
        }
    }
    narrowed
}
