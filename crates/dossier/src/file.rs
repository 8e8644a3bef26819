//! The file: one signed envelope in one exact spelling.

use echo_core::{CaseId, CustomerId, Timestamp};
use serde::{Deserialize, Serialize};
use trust::{KeyPair, dsse::Envelope};

use crate::Document;

/// DSSE payload type of a [`Dossier`].
pub const DOSSIER_TYPE: &str = "application/vnd.echo.dossier.v1+json";
/// The most bytes a dossier file may have: an envelope's largest payload in base64, and its frame.
pub const MAX_BYTES: usize = 24 * 1024 * 1024;

/// Everything that proves one case.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Dossier {
    /// Which case.
    pub case: CaseId,
    /// Whose.
    pub customer: CustomerId,
    /// When it was put together.
    pub exported: Timestamp,
    /// The trust chain from the pinned root (`sovereign_trust_registry.json`).
    pub chain: serde_json::Value,
    /// The documents, each with its inclusion proof.
    pub documents: Vec<Document>,
    /// The results that the device signed: the reports that the proofs speak of.
    pub results: Vec<Envelope>,
}

/// Why a dossier cannot be written.
#[derive(Debug, thiserror::Error)]
pub enum DossierError {
    /// It does not fit its bound.
    #[error("the case file would be larger than {MAX_BYTES} bytes: export fewer documents")]
    TooLarge,
    /// It cannot be written as JSON.
    #[error("the case file cannot be written: {0}")]
    Json(#[from] serde_json::Error),
}

impl Dossier {
    /// Signs the dossier and writes it: compact JSON and one line feed, so that there is one spelling only and a
    /// changed byte cannot hide.
    pub fn to_file(&self, operator: &KeyPair) -> Result<Vec<u8>, DossierError> {
        let payload = serde_json::to_vec(self)?;
        if payload.len() > trust::dsse::MAX_PAYLOAD {
            return Err(DossierError::TooLarge);
        }
        spell(&Envelope::sign_bytes(DOSSIER_TYPE, &payload, &[operator]))
    }
}

/// The one spelling of an envelope in a file.
pub(crate) fn spell(envelope: &Envelope) -> Result<Vec<u8>, DossierError> {
    let mut out = serde_json::to_vec(envelope)?;
    out.push(b'\n');
    if out.len() > MAX_BYTES {
        return Err(DossierError::TooLarge);
    }
    Ok(out)
}
