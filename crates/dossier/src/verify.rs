//! Checks a dossier from the pinned root upwards.

use std::collections::BTreeMap;

use echo_core::{CaseId, CustomerId, Digest, Timestamp};
use serde::{Serialize, de::DeserializeOwned};
use trust::{Registry, TrustChain, TrustError, dsse::Envelope};

use crate::{DOSSIER_TYPE, Document, Dossier, Kind, MAX_BYTES, file::spell, money, posture};

/// The most documents one dossier may hold.
const MAX_DOCUMENTS: usize = 10_000;

/// One thing that was checked and held.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Check {
    /// What was checked: `inclusion`, `arithmetic`.
    pub what: &'static str,
    /// With what result, in words.
    pub detail: String,
}

/// What a sound dossier says.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Verified {
    /// Which case.
    pub case: CaseId,
    /// Whose.
    pub customer: CustomerId,
    /// When it was put together.
    pub exported: Timestamp,
    /// Every check, in order.
    pub checks: Vec<Check>,
    /// What the case cost, when it was billed: `7.10 EUR`.
    pub total: Option<String>,
    /// Whether a settlement covers the bill.
    pub paid: bool,
}

/// The first thing that does not hold.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum VerifyError {
    /// It is not a dossier, or not in the one spelling.
    #[error("not a case file as Echo writes it ({0}): export the case again")]
    Malformed(String),
    /// The trust chain does not lead from the pinned root.
    #[error("the trust chain does not hold: {0}")]
    Trust(String),
    /// The whole is not signed by the operator.
    #[error("the case file as a whole: {0}")]
    Seal(String),
    /// A document does not hold.
    #[error("{kind} {id}: {reason}")]
    Document {
        /// What it is.
        kind: Kind,
        /// Which one.
        id: String,
        /// What is wrong.
        reason: String,
    },
    /// Documents contradict one another.
    #[error("{what}: {reason}")]
    Contradiction {
        /// What was compared.
        what: &'static str,
        /// How they differ.
        reason: String,
    },
}

/// The payloads of the verified documents, by kind and id.
#[derive(Debug, Default)]
pub(crate) struct Papers(BTreeMap<(Kind, String), (Digest, Vec<u8>)>);

impl Papers {
    /// All documents of a kind, read as `T`, each with its id and the digest of its envelope.
    pub(crate) fn of<T: DeserializeOwned>(
        &self,
        kind: Kind,
    ) -> Result<Vec<(String, Digest, T)>, VerifyError> {
        self.0
            .iter()
            .filter(|((k, _), _)| *k == kind)
            .map(|((_, id), (digest, payload))| {
                serde_json::from_slice(payload)
                    .map(|value| (id.clone(), *digest, value))
                    .map_err(|e| VerifyError::Document { kind, id: id.clone(), reason: e.to_string() })
            })
            .collect()
    }
}

/// Verifies a dossier file with the fingerprint of the trust root alone.
///
/// The trust chain is judged at the time of the export, which the operator signed: old proof stays proof after
/// the registry has expired.
pub fn verify(bytes: &[u8], root: &Digest) -> Result<Verified, VerifyError> {
    check(bytes, root, None)
}

/// As [`verify`], by what `known`, a trust chain of later than the file, says of the keys: what was retired since
/// still counts, what was revoked since does not.
pub fn verify_with(bytes: &[u8], root: &Digest, known: &TrustChain) -> Result<Verified, VerifyError> {
    check(bytes, root, Some(known))
}

fn check(bytes: &[u8], root: &Digest, known: Option<&TrustChain>) -> Result<Verified, VerifyError> {
    let envelope = read(bytes)?;
    let claimed: Dossier =
        envelope.payload_unchecked().map_err(|e| VerifyError::Malformed(e.to_string())).and_then(
            |payload| serde_json::from_slice(&payload).map_err(|e| VerifyError::Malformed(e.to_string())),
        )?;
    if claimed.documents.len() > MAX_DOCUMENTS {
        return Err(VerifyError::Malformed(format!("more than {MAX_DOCUMENTS} documents")));
    }
    let (carried, registry) = trust(&claimed, root, known)?;
    // Not a ledger but the seal itself says when it was made: its key must count by the chain that it carries. What
    // is known since can only take trust away; each document has its own proof and its own time.
    let operator = trust::KeyRole::Operator;
    let dossier: Dossier = carried
        .verify(operator, DOSSIER_TYPE, &envelope)
        .and_then(|dossier| {
            registry.verify_bytes_at(operator, DOSSIER_TYPE, &envelope, claimed.exported).map(|_| dossier)
        })
        .map_err(|e| VerifyError::Seal(e.to_string()))?;
    let mut checks = vec![
        Check { what: "trust", detail: format!("chain of version {} from root {root}", registry.version) },
        Check { what: "seal", detail: "the whole file is signed by the operator".to_owned() },
    ];
    let papers = open_all(&dossier.documents, &registry, &mut checks)?;
    checks.extend(posture::check(&dossier, &papers)?);
    let bill = money::check(&dossier, &papers)?;
    checks.extend(bill.checks);
    Ok(Verified {
        case: dossier.case,
        customer: dossier.customer,
        exported: dossier.exported,
        checks,
        total: bill.total.map(|t| t.to_string()),
        paid: bill.paid,
    })
}

fn read(bytes: &[u8]) -> Result<Envelope, VerifyError> {
    if bytes.len() > MAX_BYTES {
        return Err(VerifyError::Malformed(format!("larger than {MAX_BYTES} bytes")));
    }
    let envelope: Envelope =
        serde_json::from_slice(bytes).map_err(|e| VerifyError::Malformed(e.to_string()))?;
    match spell(&envelope) {
        Ok(spelled) if spelled == bytes => Ok(envelope),
        _ => Err(VerifyError::Malformed("not in the one spelling: bytes were added or changed".to_owned())),
    }
}

/// The newest registry that the file carries, and the newest of all.
fn trust(
    claimed: &Dossier,
    root: &Digest,
    known: Option<&TrustChain>,
) -> Result<(Registry, Registry), VerifyError> {
    let json = serde_json::to_vec(&claimed.chain).map_err(|e| VerifyError::Trust(e.to_string()))?;
    TrustChain::from_json(&json)
        .and_then(|mut chain| {
            let carried = chain.verify(root, claimed.exported)?;
            match known.map(|known| chain.advance(known.clone(), root, claimed.exported)) {
                // What the file carries is newer than what is known, and adds to it.
                None | Some(Err(TrustError::RolledBack { .. })) => Ok((carried.clone(), carried)),
                Some(Ok(_)) => Ok((carried, chain.newest()?)),
                Some(Err(other)) => Err(other),
            }
        })
        .map_err(|e| VerifyError::Trust(e.to_string()))
}

fn open_all(
    documents: &[Document],
    registry: &Registry,
    checks: &mut Vec<Check>,
) -> Result<Papers, VerifyError> {
    let mut papers = Papers::default();
    let mut counts = BTreeMap::<Kind, usize>::new();
    for document in documents {
        let payload = document.open(registry)?;
        let digest = crate::document::envelope_digest(&document.envelope);
        if papers.0.insert((document.kind, document.id.clone()), (digest, payload)).is_some() {
            return Err(VerifyError::Document {
                kind: document.kind,
                id: document.id.clone(),
                reason: "it is in the file twice".to_owned(),
            });
        }
        *counts.entry(document.kind).or_default() += 1;
    }
    for (kind, count) in counts {
        checks.push(Check {
            what: "inclusion",
            detail: format!("{count} {kind}: signature and place in the {} ledger", kind.log()),
        });
    }
    Ok(papers)
}
