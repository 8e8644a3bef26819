//! The kinds of documents, who signs each, and which ledger holds it.

use std::{fmt, str::FromStr};

use echo_core::Digest;
use ledger::Entry;
use serde::{Deserialize, Serialize};
use trust::{KeyRole, Registry, dsse::Envelope, statement::STATEMENT_TYPE};

use crate::VerifyError;

/// The two ledgers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum LogName {
    /// Provenance: documents, templates, trust changes, findings, attestations.
    Genesis,
    /// Revenue: receipts, fulfilments, invoices, settlements.
    Aeterna,
}

impl LogName {
    /// Both, in order.
    pub const ALL: [Self; 2] = [Self::Genesis, Self::Aeterna];

    /// The name in URLs and in the trust registry.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Genesis => "genesis",
            Self::Aeterna => "aeterna",
        }
    }
}

impl fmt::Display for LogName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl FromStr for LogName {
    type Err = String;

    fn from_str(name: &str) -> Result<Self, String> {
        Self::ALL
            .into_iter()
            .find(|log| log.as_str() == name)
            .ok_or_else(|| "there are two ledgers: `genesis` and `aeterna`".to_owned())
    }
}

/// What a document is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    /// A version of the trust registry.
    TrustRegistry,
    /// A template that the platform offers: an intake form, a playbook, a policy, the catalogue.
    Content,
    /// A device's certified node manifest.
    DeviceManifest,
    /// What a customer filed.
    Intake,
    /// One posture result that needs attention.
    Finding,
    /// A fulfilment proof: posture before, change, posture after.
    Attestation,
    /// The same proof, entered where the money is.
    Fulfilment,
    /// What one skill call costs.
    Receipt,
    /// A bill.
    Invoice,
    /// A payment.
    Settlement,
}

impl Kind {
    /// All kinds.
    pub const ALL: [Self; 10] = [
        Self::TrustRegistry,
        Self::Content,
        Self::DeviceManifest,
        Self::Intake,
        Self::Finding,
        Self::Attestation,
        Self::Fulfilment,
        Self::Receipt,
        Self::Invoice,
        Self::Settlement,
    ];

    /// The kind's name in ledger entries.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::TrustRegistry => "trust_registry",
            Self::Content => "content",
            Self::DeviceManifest => "device_manifest",
            Self::Intake => "intake",
            Self::Finding => "finding",
            Self::Attestation => "attestation",
            Self::Fulfilment => "fulfilment",
            Self::Receipt => "receipt",
            Self::Invoice => "invoice",
            Self::Settlement => "settlement",
        }
    }

    /// Which ledger holds it.
    pub fn log(self) -> LogName {
        match self {
            Self::Fulfilment | Self::Receipt | Self::Invoice | Self::Settlement => LogName::Aeterna,
            _ => LogName::Genesis,
        }
    }

    /// Who must have signed it.
    pub fn signer(self) -> KeyRole {
        match self {
            Self::TrustRegistry => KeyRole::Root,
            Self::Content => KeyRole::PlaybookAuthor,
            Self::DeviceManifest => KeyRole::DeviceIssuer,
            Self::Intake => KeyRole::Operator,
            Self::Finding | Self::Attestation | Self::Fulfilment => KeyRole::Attestor,
            Self::Receipt | Self::Invoice | Self::Settlement => KeyRole::Receipts,
        }
    }

    /// The DSSE payload type it carries.
    pub fn payload_type(self) -> &'static str {
        match self {
            Self::TrustRegistry => trust::registry::REGISTRY_TYPE,
            Self::Content => trust::content::CONTENT_TYPE,
            Self::DeviceManifest => trust::manifest::NODE_MANIFEST_TYPE,
            Self::Intake => "application/vnd.echo.intake.v1+json",
            Self::Finding => "application/vnd.echo.finding.v1+json",
            Self::Attestation | Self::Fulfilment => STATEMENT_TYPE,
            Self::Receipt => revenue::RECEIPT_TYPE,
            Self::Invoice => revenue::INVOICE_TYPE,
            Self::Settlement => revenue::SETTLEMENT_TYPE,
        }
    }
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// One document with its place in a ledger.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Document {
    /// What it is.
    pub kind: Kind,
    /// Its id: `rcpt_...`, `proof_...`.
    pub id: String,
    /// The signed document.
    pub envelope: Envelope,
    /// The ledger entry's text, which holds the digest of the envelope.
    pub entry: String,
    /// The inclusion proof (C2SP tlog-proof) with the checkpoint it ends in.
    pub proof: String,
}

/// The digest by which a ledger entry names a signed document: SHA-256 of the envelope's compact JSON.
pub fn envelope_digest(envelope: &Envelope) -> Digest {
    Digest::of(&serde_json::to_vec(envelope).expect("an envelope of strings is always JSON"))
}

impl Document {
    /// Checks the signature, the entry and the inclusion proof against the registry's keys, and hands out the
    /// payload.
    pub(crate) fn open(&self, registry: &Registry) -> Result<Vec<u8>, VerifyError> {
        let broken = |reason: String| VerifyError::Document { kind: self.kind, id: self.id.clone(), reason };
        let payload = registry
            .verify_bytes(self.kind.signer(), self.kind.payload_type(), &self.envelope)
            .map_err(|e| broken(e.to_string()))?;
        let entry =
            Entry::from_bytes(self.entry.as_bytes()).map_err(|e| broken(format!("ledger entry: {e}")))?;
        if entry.kind != self.kind.as_str() || entry.id != self.id {
            return Err(broken(format!("its ledger entry is for {} {}", entry.kind, entry.id)));
        }
        if entry.digest != envelope_digest(&self.envelope) {
            return Err(broken("its ledger entry holds the digest of another document".to_owned()));
        }
        let log = self.kind.log();
        let key = registry
            .logs
            .get(log.as_str())
            .ok_or_else(|| broken(format!("the trust registry names no {log} ledger")))?;
        let verified = ledger::verify_tlog_proof(&self.proof, self.entry.as_bytes(), &key.vkey)
            .map_err(|e| broken(format!("inclusion in the {log} ledger: {e}")))?;
        if verified.origin != key.origin {
            return Err(broken(format!("its proof is of the ledger {}", verified.origin)));
        }
        Ok(payload)
    }
}
