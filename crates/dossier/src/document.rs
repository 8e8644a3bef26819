//! The kinds of documents, who signs each, and which ledger holds it.

use std::{fmt, str::FromStr};

use echo_core::Digest;
use ledger::Entry;
use serde::{Deserialize, Serialize};
use trust::{KeyRole, Registry, dsse::Envelope, statement::STATEMENT_TYPE};

use crate::{VerifyError, commitment::COMMITMENT_TYPE};

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
    /// The word that a signing key goes out of use.
    DeprecationNotice,
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
    /// A version of the list of files that are used without their author's signature for a while.
    Exceptions,
    /// A head of the aeterna ledger, entered into the genesis ledger.
    AeternaCommitment,
    /// A head of the genesis ledger, entered into the aeterna ledger.
    GenesisCommitment,
    /// The end of the audit of the vault: who had which secret, up to when.
    VaultAudit,
    /// A promise to pay for calls between nodes of the mesh.
    MeshGrant,
    /// A version of the list of nodes that the mesh lets in no more.
    NodeRevocations,
    /// What an agent key may do and spend, or that it was revoked.
    AgentKey,
    /// What a version of learned triage is: the digest of its model, its labels, how good it is.
    TriageModel,
    /// That the platform's clock was set, from when to when.
    ClockSet,
    /// A document that comes with Echo: the constitution, the handbook, the licences.
    Document,
}

impl Kind {
    /// All kinds.
    pub const ALL: [Self; 21] = [
        Self::TrustRegistry,
        Self::Content,
        Self::DeprecationNotice,
        Self::DeviceManifest,
        Self::Intake,
        Self::Finding,
        Self::Attestation,
        Self::Fulfilment,
        Self::Receipt,
        Self::Invoice,
        Self::Settlement,
        Self::Exceptions,
        Self::AeternaCommitment,
        Self::GenesisCommitment,
        Self::VaultAudit,
        Self::MeshGrant,
        Self::NodeRevocations,
        Self::AgentKey,
        Self::TriageModel,
        Self::ClockSet,
        Self::Document,
    ];

    /// The kind's name in ledger entries.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::TrustRegistry => "trust_registry",
            Self::Content => "content",
            Self::DeprecationNotice => "deprecation_notice",
            Self::DeviceManifest => "device_manifest",
            Self::Intake => "intake",
            Self::Finding => "finding",
            Self::Attestation => "attestation",
            Self::Fulfilment => "fulfilment",
            Self::Receipt => "receipt",
            Self::Invoice => "invoice",
            Self::Settlement => "settlement",
            Self::Exceptions => "exceptions",
            Self::AeternaCommitment => "aeterna_commitment",
            Self::GenesisCommitment => "genesis_commitment",
            Self::VaultAudit => "vault_audit",
            Self::MeshGrant => "mesh_grant",
            Self::NodeRevocations => "node_revocations",
            Self::AgentKey => "agent_key",
            Self::TriageModel => "triage_model",
            Self::ClockSet => "clock_set",
            Self::Document => "document",
        }
    }

    /// Which ledger holds it.
    pub fn log(self) -> LogName {
        match self {
            Self::Fulfilment | Self::Receipt | Self::Invoice | Self::Settlement | Self::GenesisCommitment => {
                LogName::Aeterna
            }
            _ => LogName::Genesis,
        }
    }

    /// What a head of `log` is when it is entered into the other ledger.
    pub fn commitment_of(log: LogName) -> Self {
        match log {
            LogName::Genesis => Self::GenesisCommitment,
            LogName::Aeterna => Self::AeternaCommitment,
        }
    }

    /// Whether it is a commitment.
    pub fn is_commitment(self) -> bool {
        matches!(self, Self::AeternaCommitment | Self::GenesisCommitment)
    }

    /// Who must have signed it.
    pub fn signer(self) -> KeyRole {
        match self {
            Self::TrustRegistry => KeyRole::Root,
            Self::Content => KeyRole::PlaybookAuthor,
            Self::DeviceManifest | Self::NodeRevocations => KeyRole::DeviceIssuer,
            Self::DeprecationNotice
            | Self::Intake
            | Self::Exceptions
            | Self::AeternaCommitment
            | Self::GenesisCommitment
            | Self::VaultAudit
            | Self::MeshGrant
            | Self::AgentKey
            | Self::TriageModel
            | Self::ClockSet
            | Self::Document => KeyRole::Operator,
            Self::Finding | Self::Attestation | Self::Fulfilment => KeyRole::Attestor,
            Self::Receipt | Self::Invoice | Self::Settlement => KeyRole::Receipts,
        }
    }

    /// The DSSE payload type it carries.
    pub fn payload_type(self) -> &'static str {
        match self {
            Self::TrustRegistry => trust::registry::REGISTRY_TYPE,
            Self::Content | Self::Document => trust::content::CONTENT_TYPE,
            Self::DeprecationNotice => governance::NOTICE_TYPE,
            Self::DeviceManifest => trust::manifest::NODE_MANIFEST_TYPE,
            Self::Intake => "application/vnd.echo.intake.v1+json",
            Self::Exceptions => trust::exception::EXCEPTIONS_TYPE,
            Self::Finding => "application/vnd.echo.finding.v1+json",
            Self::Attestation | Self::Fulfilment => STATEMENT_TYPE,
            Self::Receipt => revenue::RECEIPT_TYPE,
            Self::Invoice => revenue::INVOICE_TYPE,
            Self::Settlement => revenue::SETTLEMENT_TYPE,
            Self::AeternaCommitment | Self::GenesisCommitment => COMMITMENT_TYPE,
            Self::VaultAudit => "application/vnd.echo.vault-audit.v1+json",
            // As in `mesh::grant`: whoever checks papers needs no mesh.
            Self::MeshGrant => "application/vnd.echo.mesh-grant.v1+json",
            Self::NodeRevocations => trust::revocation::REVOCATIONS_TYPE,
            Self::AgentKey => "application/vnd.echo.agent-key.v1+json",
            Self::TriageModel => "application/vnd.echo.triage-model.v1+json",
            Self::ClockSet => "application/vnd.echo.clock-set.v1+json",
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
    /// Checks the entry, the inclusion proof and the signature against the registry's keys, and hands out the
    /// payload. The signature counts by the keys of the time when the ledger took the document: that time stands under
    /// the ledger's checkpoint, where nobody who has but a retired key can set it back.
    pub(crate) fn open(&self, registry: &Registry) -> Result<Vec<u8>, VerifyError> {
        let broken = |reason: String| VerifyError::Document { kind: self.kind, id: self.id.clone(), reason };
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
        registry
            .verify_bytes_at(self.kind.signer(), self.kind.payload_type(), &self.envelope, entry.at)
            .map_err(|e| broken(e.to_string()))
    }
}
