//! Signed documents, kept with their ledger entry.

use dossier::{Document, Kind, LogName, envelope_digest};
use echo_core::{CustomerId, Digest, Timestamp};
use ledger::Entry;
use serde::{Deserialize, Serialize};
use store::{Record, Scope, Tx};
use trust::dsse::Envelope;

use crate::{Desk, DeskError, call::scope_of, work::Owner};

/// One signed document.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct DocumentRecord {
    /// `receipt/rcpt_...`: a proof stands in both ledgers, once as each kind.
    record: String,
    /// What it is.
    pub kind: Kind,
    /// The id of what it documents.
    pub subject: String,
    /// Whose it is.
    pub customer: Option<CustomerId>,
    /// What it hangs under.
    pub parent: Option<String>,
    /// The signed document.
    pub envelope: Envelope,
    /// Digest of the envelope.
    pub digest: Digest,
    /// The ledger entry's text.
    pub entry: String,
    /// The entry's RFC 6962 leaf hash in hexadecimal.
    pub leaf: String,
}

impl Record for DocumentRecord {
    const KIND: &'static str = "document";

    fn id(&self) -> &str {
        &self.record
    }

    fn customer(&self) -> Option<&CustomerId> {
        self.customer.as_ref()
    }

    fn parent(&self) -> Option<&str> {
        self.parent.as_deref()
    }
}

impl DocumentRecord {
    pub(crate) fn new(
        kind: Kind,
        id: &str,
        owner: Owner<'_>,
        envelope: Envelope,
        at: Timestamp,
    ) -> Result<Self, DeskError> {
        let digest = envelope_digest(&envelope);
        let entry = Entry { kind: kind.as_str().to_owned(), id: id.to_owned(), digest, at };
        let bytes = entry.to_bytes().map_err(|e| DeskError::Internal(e.to_string()))?;
        Ok(Self {
            record: key(kind, id),
            kind,
            subject: id.to_owned(),
            customer: owner.customer.cloned(),
            parent: owner.parent.map(str::to_owned),
            envelope,
            digest,
            leaf: leaf(&bytes),
            entry: String::from_utf8(bytes).map_err(|e| DeskError::Internal(e.to_string()))?,
        })
    }
}

/// The record id of a document.
pub(crate) fn key(kind: Kind, id: &str) -> String {
    format!("{kind}/{id}")
}

/// A document with all that is needed to check it.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct DocumentView {
    /// The document with its entry and inclusion proof.
    pub document: Document,
    /// Which ledger holds it.
    pub log: LogName,
    /// At which position.
    pub index: u64,
    /// The ledger's verifier key (signed-note form).
    pub vkey: String,
    /// The public key that must have signed it, in hexadecimal.
    pub signer: Vec<String>,
}

impl Desk {
    /// The document of a kind and id, with its inclusion proof.
    pub async fn document(
        &self,
        principal: &access::Principal,
        kind: Kind,
        id: &str,
    ) -> Result<DocumentView, DeskError> {
        principal.require(access::Action::ReadLedger)?;
        let mut tx = self.store().read().await?;
        let record = tx
            .get::<DocumentRecord>(&scope_of(principal), &key(kind, id))
            .await?
            .ok_or_else(|| DeskError::not_found("document", id))?;
        let index = self.position(&mut tx, &record).await?;
        let log = kind.log();
        Ok(DocumentView {
            document: self.proven(&record, index)?,
            log,
            index,
            vkey: self.log(log).vkey().to_owned(),
            signer: self.signers_of(&record)?,
        })
    }

    /// The keys of which one must have signed a document, by the time that it was entered.
    fn signers_of(&self, record: &DocumentRecord) -> Result<Vec<String>, DeskError> {
        let entry = Entry::from_bytes(record.entry.as_bytes())
            .map_err(|e| DeskError::Internal(format!("{}: {e}", record.record)))?;
        let keys = self.registry().keys_at(record.kind.signer(), entry.at);
        Ok(keys.iter().map(ToString::to_string).collect())
    }

    /// All documents under a case or device, each with its inclusion proof.
    pub(crate) async fn documents_under(
        &self,
        tx: &mut Tx,
        scope: &Scope,
        parent: &str,
    ) -> Result<Vec<Document>, DeskError> {
        let records = tx.all::<DocumentRecord>(scope, &store::Filter::under(parent)).await?;
        let mut documents = Vec::with_capacity(records.len());
        for record in &records {
            let index = self.position(tx, record).await?;
            documents.push(self.proven(record, index)?);
        }
        Ok(documents)
    }

    pub(crate) async fn position(&self, tx: &mut Tx, record: &DocumentRecord) -> Result<u64, DeskError> {
        tx.leaf_index(record.kind.log().as_str(), &record.leaf).await?.ok_or_else(|| {
            DeskError::LedgerBehind(format!("{} {} is not in its ledger yet", record.kind, record.subject))
        })
    }

    /// A record as a document with its inclusion proof.
    pub(crate) fn proven(&self, record: &DocumentRecord, index: u64) -> Result<Document, DeskError> {
        let proof =
            self.log(record.kind.log()).tlog_proof(index).map_err(|e| DeskError::Home(e.to_string()))?;
        Ok(Document {
            kind: record.kind,
            id: record.subject.clone(),
            envelope: record.envelope.clone(),
            entry: record.entry.clone(),
            proof,
        })
    }
}

/// The leaf hash of an entry, in hexadecimal.
pub(crate) fn leaf(entry: &[u8]) -> String {
    Digest(ledger::leaf_hash(entry)).hex()
}
