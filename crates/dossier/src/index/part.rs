//! One Echo's part of an index: its ledger, and its attestations in it.

use echo_core::{Digest, Timestamp};
use ledger::{Checkpoint, Entry};
use serde::{Deserialize, Serialize, de::IgnoredAny};
use trust::{Envelope, KeyId, LogKey, Statement, Subject};

use super::{IndexError, MAX_CHECKPOINT, MAX_LISTED, MAX_LISTED_SUBJECTS, MAX_TEXT};
use crate::{Kind, document::envelope_digest};

/// One Echo's attestations.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Origin {
    /// Fingerprint of its trust root: which Echo it is.
    pub root: Digest,
    /// The version of its trust registry at the time.
    pub registry: u64,
    /// The ledger that holds the attestations: its genesis ledger.
    pub log: LogKey,
    /// The ledger's head (C2SP tlog-checkpoint) that covers all entries below.
    pub checkpoint: String,
    /// How many attestations the ledger holds in all.
    pub count: u64,
    /// The newest [`MAX_LISTED`] of them, newest first.
    pub entries: Vec<Attested>,
}

/// One attestation.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Attested {
    /// Its id in the ledger: `proof_...`.
    pub id: String,
    /// What kind of claim it makes (in-toto predicate type).
    pub predicate_type: String,
    /// When it was entered.
    pub at: Timestamp,
    /// Digest of the statement's bytes, which further signatures do not change.
    pub statement: Digest,
    /// Digest of the signed envelope, as the ledger entry names it.
    pub document: Digest,
    /// What it is about, by name and content; at most [`MAX_LISTED_SUBJECTS`].
    pub subjects: Vec<Subject>,
    /// Who signed it, by key id.
    pub signers: Vec<KeyId>,
    /// The number of its entry in the ledger, from 0.
    pub index: u64,
    /// The entry's RFC 6962 leaf hash.
    pub leaf: Digest,
}

/// The attestation that a ledger entry is for, if it is for one.
pub fn attestation_in(entry: &[u8]) -> Option<Entry> {
    Entry::from_bytes(entry).ok().filter(|e| e.kind == Kind::Attestation.as_str())
}

impl Attested {
    /// The listing of the attestation in `envelope`, whose ledger entry `entry` is number `index`. What its
    /// signatures are worth, whoever verifies it finds out.
    pub fn new(envelope: &Envelope, entry: &[u8], index: u64) -> Result<Self, IndexError> {
        let fail = |id: &str, why: String| IndexError::Attestation { id: id.to_owned(), why };
        let read =
            attestation_in(entry).ok_or_else(|| fail("?", "it is no attestation's entry".to_owned()))?;
        if read.digest != envelope_digest(envelope) {
            return Err(fail(&read.id, "its ledger entry is for another document".to_owned()));
        }
        let payload = envelope.payload_unchecked().map_err(|e| fail(&read.id, e.to_string()))?;
        let head: Statement<IgnoredAny> =
            serde_json::from_slice(&payload).map_err(|e| fail(&read.id, e.to_string()))?;
        let attested = Self {
            predicate_type: head.predicate_type,
            at: read.at,
            statement: Digest::of(&payload),
            document: read.digest,
            subjects: head.subject.into_iter().take(MAX_LISTED_SUBJECTS).collect(),
            signers: envelope.signatures.iter().map(|s| s.keyid.clone()).collect(),
            index,
            leaf: Digest(ledger::leaf_hash(entry)),
            id: read.id,
        };
        attested.check().map_err(|why| fail(&attested.id, why))?;
        Ok(attested)
    }

    fn check(&self) -> Result<(), String> {
        if self.subjects.len() > MAX_LISTED_SUBJECTS || self.signers.len() > trust::dsse::MAX_SIGNATURES {
            return Err("it lists too many subjects or signers".to_owned());
        }
        let names = self.subjects.iter().map(|s| s.name.as_str());
        let keys = self.signers.iter().map(KeyId::as_str);
        let mut texts = names.chain(keys).chain([self.id.as_str(), self.predicate_type.as_str()]);
        if texts.any(|t| t.len() > MAX_TEXT || t.chars().any(char::is_control)) {
            return Err(format!("a name is longer than {MAX_TEXT} bytes or not printable"));
        }
        Ok(())
    }
}

impl Origin {
    /// The ledger's head that covers the entries, once it is signed by the ledger's key.
    pub fn head(&self) -> Result<Checkpoint, IndexError> {
        let fail = |why: String| IndexError::Contradiction { origin: self.name(), why };
        let head = ledger::verify_checkpoint(&self.checkpoint, &self.log.vkey)
            .map_err(|e| fail(format!("its checkpoint: {e}")))?;
        if head.origin != self.log.origin {
            return Err(fail(format!("its checkpoint is of the ledger {}", head.origin)));
        }
        Ok(head)
    }

    /// The part of an Echo that has attested nothing yet.
    pub fn empty(root: Digest, registry: u64, log: LogKey) -> Self {
        Self { root, registry, log, checkpoint: String::new(), count: 0, entries: Vec::new() }
    }

    /// Adds attestations, oldest first, that were entered after those that are listed. The head has to be set to one
    /// that covers them.
    pub fn grow(&mut self, newer: Vec<Attested>) {
        self.count += newer.len() as u64;
        let listed = std::mem::take(&mut self.entries);
        self.entries = newer.into_iter().rev().chain(listed).take(MAX_LISTED).collect();
    }

    /// What messages call this Echo: the name of its ledger, cut to 120 characters.
    pub fn name(&self) -> String {
        self.log.origin.chars().take(120).collect()
    }

    pub(super) fn check(&self) -> Result<(), IndexError> {
        let fail = |why: String| IndexError::Contradiction { origin: self.name(), why };
        let head = self.head()?;
        if self.checkpoint.len() > MAX_CHECKPOINT {
            return Err(fail(format!("its checkpoint is larger than {MAX_CHECKPOINT} bytes")));
        }
        if self.entries.len() > MAX_LISTED || (self.entries.len() as u64) > self.count {
            return Err(fail(format!("{} entries of {} are listed", self.entries.len(), self.count)));
        }
        if !self.entries.windows(2).all(|pair| pair[0].index > pair[1].index) {
            return Err(fail("its entries are not newest first".to_owned()));
        }
        if self.entries.first().is_some_and(|e| e.index >= head.size) {
            return Err(fail(format!("an entry lies beyond the {} of its checkpoint", head.size)));
        }
        self.entries.iter().try_for_each(|e| e.check().map_err(|why| fail(format!("{}: {why}", e.index))))
    }
}
