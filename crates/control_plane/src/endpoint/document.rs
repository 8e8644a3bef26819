//! `GET /v1/documents/{kind}/{id}`: a signed document with its inclusion proof.

use axum::{extract::State, http::StatusCode, response::Response};
use dossier::Kind;
use utoipa::ToSchema;

use crate::{body::json, caller::Caller, path::Pair, problem::Problem, schema::Envelope, state::Shared};

/// A document with all that is needed to check it.
#[derive(ToSchema)]
pub struct DocumentView {
    /// The document with its entry and inclusion proof.
    pub document: Document,
    /// Which ledger holds it.
    pub log: LogName,
    /// At which position, from 0.
    pub index: u64,
    /// The ledger's verifier key (C2SP signed-note).
    pub vkey: String,
    /// The public keys of which one must have signed it, in hexadecimal.
    pub signer: Vec<String>,
}

/// One document with its place in a ledger.
#[derive(ToSchema)]
pub struct Document {
    /// What it is.
    pub kind: DocumentKind,
    /// Its id.
    pub id: String,
    /// The signed document.
    pub envelope: Envelope,
    /// The ledger entry's text, which holds the SHA-256 of the envelope's compact JSON.
    pub entry: String,
    /// The inclusion proof (C2SP tlog-proof) with the checkpoint it ends in.
    pub proof: String,
}

/// The two ledgers.
#[derive(ToSchema)]
#[schema(rename_all = "snake_case")]
pub enum LogName {
    /// Provenance: documents, templates, trust changes, findings, attestations.
    Genesis,
    /// Revenue: receipts, fulfilments, invoices, settlements.
    Aeterna,
}

/// What a document is.
#[derive(ToSchema)]
#[schema(rename_all = "snake_case")]
pub enum DocumentKind {
    /// A version of the trust registry.
    TrustRegistry,
    /// A template: an intake form, a playbook, a policy, the catalogue.
    Content,
    /// The word that a signing key goes out of use.
    DeprecationNotice,
    /// A device's certified node manifest.
    DeviceManifest,
    /// What a customer filed.
    Intake,
    /// One posture result that needs attention.
    Finding,
    /// A fulfilment proof.
    Attestation,
    /// The same proof, entered where the money is.
    Fulfilment,
    /// What one skill call costs.
    Receipt,
    /// A bill.
    Invoice,
    /// A payment.
    Settlement,
    /// Files that are used without their author's signature for a while.
    Exceptions,
    /// A head of the aeterna ledger, entered into the genesis ledger.
    AeternaCommitment,
    /// A head of the genesis ledger, entered into the aeterna ledger.
    GenesisCommitment,
    /// The end of the audit of the vault.
    VaultAudit,
    /// A promise to pay for calls between nodes of the mesh.
    MeshGrant,
    /// Nodes that the mesh lets in no more.
    NodeRevocations,
    /// What an agent key may do and spend, or that it was revoked.
    AgentKey,
    /// What a version of learned triage is.
    TriageModel,
    /// That the platform's clock was set.
    ClockSet,
    /// A document that comes with Echo.
    Document,
}

/// Read a signed document with its inclusion proof.
#[utoipa::path(
    get, path = "/v1/documents/{kind}/{id}", tag = "proof", security(("bearer" = [])),
    params(
        ("kind" = DocumentKind, Path, description = "What it is."),
        ("id" = String, Path, description = "Its id: `rcpt_...`, `inv_...`, `proof_...`.")
    ),
    responses((status = 200, description = "The document.", body = DocumentView))
)]
pub(crate) async fn read_document(
    State(shared): State<Shared>,
    caller: Caller,
    Pair(kind, id): Pair,
) -> Result<Response, Problem> {
    let kind = Kind::ALL.into_iter().find(|k| k.as_str() == kind).ok_or_else(|| {
        let kinds = Kind::ALL.map(Kind::as_str).join(", ");
        Problem::not_found(format!("there is no such kind of document: write one of {kinds}"))
    })?;
    Ok(json(StatusCode::OK, &shared.desk.document(&caller.principal, kind, &id).await?))
}
