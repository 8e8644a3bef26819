//! The federated index of attestations: what this Echo attested, and what it took over from others.
//!
//! One signed file. It names each attestation by digests, with its place in its maker's ledger: enough to notice
//! that one is missing or was changed, and nothing about anybody. [`merge`](crate::merge) takes another Echo's
//! part over, after checking it against that Echo's ledger.

mod part;
mod table;

use echo_core::Timestamp;
use serde::{Deserialize, Serialize};
use trust::{Envelope, KeyId, KeyPair, KeyRole, Registry, TrustError, dsse::MAX_PAYLOAD};

pub use self::part::{Attested, Origin, attestation_in};
use crate::{LogName, file::spell};

/// DSSE payload type of an [`Index`].
pub const INDEX_TYPE: &str = "application/vnd.echo.attestation-index.v1+json";
/// The index in the home directory.
pub const INDEX_FILE: &str = "federated_attestation_index.json";
/// The same for people, beside it.
pub const INDEX_TABLE_FILE: &str = "federated_attestation_index.md";
/// How many files that were no index are kept, each beside the index; the oldest ones.
pub const MAX_DAMAGED: u32 = 9;
/// Whoever changes the index holds the lock on this file meanwhile.
pub const INDEX_LOCK_FILE: &str = "federated_attestation_index.lock";
/// The most of its own attestations that an Echo's index lists: the newest.
pub const MAX_LISTED: usize = 10_000;
/// The most attestations of all others together that an index lists: the newest of each.
pub const MAX_OTHERS_LISTED: usize = 4_000;
/// The most bytes of JSON that the parts of all others together may have; own attestations always find room beside.
pub const MAX_OTHERS_BYTES: usize = 5 * 1024 * 1024;
/// The most other Echos whose attestations one index holds.
pub const MAX_ORIGINS: usize = 64;
/// The most subjects that are listed of one attestation; a fulfilment proof has three.
pub const MAX_LISTED_SUBJECTS: usize = 4;
/// The most bytes of an id, a subject's name or a predicate type.
pub const MAX_TEXT: usize = 200;
/// The most bytes of a part's checkpoint: room for a few signatures.
pub const MAX_CHECKPOINT: usize = 8 * 1024;

/// What an index file says.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Index {
    /// When it was written.
    pub made: Timestamp,
    /// This Echo's own attestations.
    pub own: Origin,
    /// Those of others, as they were when they were merged; ascending by root.
    pub merged: Vec<Origin>,
}

/// Why an index, or a part of it, is refused.
#[derive(Debug, thiserror::Error)]
pub enum IndexError {
    /// It is not an index, or not in its one spelling.
    #[error("not an attestation index as Echo writes it ({0}): get it again from where it came")]
    Malformed(String),
    /// The attestor has not signed it.
    #[error("the attestation index is not believed: {0}")]
    Signature(#[from] TrustError),
    /// It contradicts itself.
    #[error("the attestation index contradicts itself in the part of {origin}: {why}")]
    Contradiction {
        /// In whose part, by the name of its ledger.
        origin: String,
        /// How.
        why: String,
    },
    /// An attestation and its ledger entry do not belong together.
    #[error("the attestation {id} cannot be listed: {why}")]
    Attestation {
        /// Which one.
        id: String,
        /// What is wrong.
        why: String,
    },
    /// It does not fit its bound.
    #[error("the attestation index would be larger than {MAX_PAYLOAD} bytes: take an Echo out of it")]
    TooLarge,
}

impl Index {
    /// Signs the index and writes it: compact JSON and one line feed. `attestor` is the key of
    /// [`KeyRole::Attestor`].
    pub fn to_file(&self, attestor: &KeyPair) -> Result<Vec<u8>, IndexError> {
        self.check()?;
        let payload = serde_json::to_vec(self).map_err(|e| IndexError::Malformed(e.to_string()))?;
        if payload.len() > MAX_PAYLOAD {
            return Err(IndexError::TooLarge);
        }
        spell(&Envelope::sign_bytes(INDEX_TYPE, &payload, &[attestor])).map_err(|_| IndexError::TooLarge)
    }

    /// The index in `bytes`, once it is in its one spelling, signed by an attestor of `registry` for the ledger
    /// that `registry` names, and does not contradict itself. Whether `registry` is the right one, and whether the
    /// entries are in the ledger, is for the caller to know.
    pub fn open(bytes: &[u8], registry: &Registry) -> Result<Self, IndexError> {
        Self::opened(bytes, registry).map(|(index, _)| index)
    }

    /// As [`Index::open`], for the index that a home wrote itself: a key of its own that signs no more counts too,
    /// because what was merged goes on when the key is replaced. A revoked key does not count. With the keys that
    /// signed the file: its owner signs it anew when they are not those of today.
    pub fn open_own(bytes: &[u8], registry: &Registry) -> Result<(Self, Vec<KeyId>), IndexError> {
        let mut own = registry.clone();
        let retired = registry.retired.iter().filter(|retired| retired.role == KeyRole::Attestor);
        if let Some(held) = own.role_mut(KeyRole::Attestor) {
            held.keys.extend(retired.map(|retired| retired.key));
        }
        Self::opened(bytes, &own)
    }

    fn opened(bytes: &[u8], registry: &Registry) -> Result<(Self, Vec<KeyId>), IndexError> {
        let malformed = |why: String| IndexError::Malformed(why);
        if bytes.len() > crate::MAX_BYTES {
            return Err(malformed(format!("larger than {} bytes", crate::MAX_BYTES)));
        }
        let envelope: Envelope = serde_json::from_slice(bytes).map_err(|e| malformed(e.to_string()))?;
        if spell(&envelope).map_err(|e| malformed(e.to_string()))? != bytes {
            return Err(malformed("bytes were added or changed".to_owned()));
        }
        let index: Self = any_attestor(registry).verify(KeyRole::Attestor, INDEX_TYPE, &envelope)?;
        index.check()?;
        if registry.logs.get(LogName::Genesis.as_str()) != Some(&index.own.log) {
            return Err(IndexError::Contradiction {
                origin: index.own.name(),
                why: "its ledger is not the genesis ledger that the trust registry names".to_owned(),
            });
        }
        Ok((index, envelope.signatures.into_iter().map(|s| s.keyid).collect()))
    }

    /// Takes an Echo's part in, in place of what was there of it. The caller has checked it: see
    /// [`LogWalk`](crate::merge::LogWalk). Whether anything changed.
    pub fn put(&mut self, origin: Origin) -> Result<bool, IndexError> {
        let mut merged = self.merged.clone();
        match merged.binary_search_by_key(&origin.root, |held| held.root) {
            Ok(place) => merged[place] = origin,
            Err(place) => merged.insert(place, origin),
        }
        fit(&mut merged);
        if merged == self.merged {
            return Ok(false);
        }
        let before = std::mem::replace(&mut self.merged, merged);
        self.check().inspect_err(|_| self.merged = before)?;
        Ok(true)
    }

    fn check(&self) -> Result<(), IndexError> {
        let fail = |origin: &Origin, why: &str| {
            Err(IndexError::Contradiction { origin: origin.name(), why: why.to_owned() })
        };
        self.own.check()?;
        self.merged.iter().try_for_each(Origin::check)?;
        if self.merged.len() > MAX_ORIGINS {
            return fail(&self.own, &format!("it holds the parts of more than {MAX_ORIGINS} others"));
        }
        if self.merged.iter().map(|o| o.entries.len()).sum::<usize>() > MAX_OTHERS_LISTED {
            return fail(
                &self.own,
                &format!("it lists more than {MAX_OTHERS_LISTED} attestations of others"),
            );
        }
        if !self.merged.windows(2).all(|pair| pair[0].root < pair[1].root) {
            return fail(&self.own, "the parts of the others are not ascending by root");
        }
        let mut logs: Vec<&str> =
            self.merged.iter().chain([&self.own]).map(|o| o.log.origin.as_str()).collect();
        logs.sort_unstable();
        if logs.windows(2).any(|pair| pair[0] == pair[1])
            || self.merged.iter().any(|o| o.root == self.own.root)
        {
            return fail(&self.own, "two parts are of one Echo, or of one ledger");
        }
        Ok(())
    }
}

/// Shortens the lists of others, oldest first, to what may be kept of them.
fn fit(merged: &mut [Origin]) {
    let mut room = MAX_OTHERS_LISTED / merged.len().max(1);
    loop {
        for origin in merged.iter_mut() {
            origin.entries.truncate(room);
        }
        let bytes = serde_json::to_vec(merged).map_or(usize::MAX, |json| json.len());
        if bytes <= MAX_OTHERS_BYTES || room == 0 {
            return;
        }
        room /= 2;
    }
}

/// The name under which a file that is no index is put aside: the first that is not `taken`. Nothing when
/// [`MAX_DAMAGED`] are kept already; an earlier one is never written over.
pub fn damaged_name(taken: impl Fn(&str) -> bool) -> Option<String> {
    let name = |number| match number {
        1 => format!("{INDEX_FILE}.damaged"),
        number => format!("{INDEX_FILE}.damaged.{number}"),
    };
    (1..=MAX_DAMAGED).map(name).find(|name| !taken(name))
}

/// The registry as it counts for an index: one attestor signs it, however many must sign an attestation. What the
/// index says of others' signatures, anybody can count.
fn any_attestor(registry: &Registry) -> Registry {
    let mut any = registry.clone();
    if let Some(held) = any.role_mut(KeyRole::Attestor) {
        held.threshold = 1;
    }
    any
}

#[cfg(test)]
mod tests;
