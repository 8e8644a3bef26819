//! The one transaction in which a customer's records go.

use std::collections::BTreeSet;

use access::Principal;
use dossier::{Kind, index::Attested};
use echo_core::CustomerId;
use mesh::NodeId;
use serde::{Deserialize, Serialize};
use store::{Filter, Owned, Record, Scope};
use trust::{Statement, Subject};

use crate::{
    Case, DeskError, Device, DeviceState, DocumentRecord, EraseCustomer, Event, InvoiceRecord,
    erasure::{ErasureRecord, Todo},
    erasure_view::{ERASURE_PREDICATE, Erased, counted, every, is_money},
    mesh_witness, session,
    witness_policy::put,
    work::{Owner, Work},
};

/// The kinds of documents that lie as single files.
const AS_FILES: [Kind; 4] = [Kind::Receipt, Kind::Invoice, Kind::Settlement, Kind::Fulfilment];

/// How an attestation that is gone is listed in the attestation index, which has to be complete.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct ErasedAttestation {
    /// As its document had.
    id: String,
    /// But for its place in the ledger, which the ledger says.
    pub(crate) listing: Attested,
}

impl Record for ErasedAttestation {
    const KIND: &'static str = "erased attestation";

    fn id(&self) -> &str {
        &self.id
    }

    fn customer(&self) -> Option<&CustomerId> {
        None
    }
}

/// Everything by which a text can speak of a customer.
struct Names(BTreeSet<String>);

impl Names {
    fn of(customer: &CustomerId, owned: &[Owned], nodes: &[NodeId]) -> Self {
        let ids = owned.iter().map(|owned| owned.id.clone());
        let nodes = nodes.iter().map(NodeId::to_string);
        Self(ids.chain(nodes).chain([customer.to_string()]).collect())
    }

    /// Whether a text names something of theirs: an id or a node, as a whole word.
    fn in_text(&self, text: &str) -> bool {
        let apart = |c: char| !(c.is_ascii_alphanumeric() || c == '_' || c == ':');
        text.split(apart).map(|word| word.trim_matches(':')).any(|word| self.0.contains(word))
    }
}

impl Work<'_> {
    /// Forgets a customer's records, and leaves the word that this was done and what is left to do.
    pub(crate) async fn forget_customer(
        &mut self,
        id: &CustomerId,
        ask: &EraseCustomer,
        by: &Principal,
        owned: &[Owned],
        times: u32,
    ) -> Result<(), DeskError> {
        let scope = Scope::Customer(id.clone());
        let devices = every::<Device>(&mut self.tx, &scope, &Filter::default()).await?;
        let in_care: Vec<&Device> = devices.iter().filter(|d| d.state == DeviceState::Active).collect();
        self.revoke_nodes(&in_care, "retired").await?;
        self.keep_listings(owned).await?;
        let stays = |owned: &Owned| ask.keep_invoices && is_money(owned);
        let nodes: Vec<NodeId> = devices.iter().map(|device| NodeId::of(&device.public_key)).collect();
        self.tx.forget_owned(id, stays).await?;
        let names = Names::of(id, owned, &nodes);
        let kinds = session::UNOWNED.into_iter().chain([mesh_witness::COSIGNATURE]).collect::<Vec<_>>();
        self.tx.forget_mentions(&kinds, |text| names.in_text(text)).await?;
        let kept = |owned: &&Owned| owned.kind == InvoiceRecord::KIND && stays(owned);
        let erased = Erased {
            customer: self.desk.erased_digest(id),
            salt: *self.desk.root(),
            at: self.now,
            by: by.subject.clone(),
            reason: ask.reason,
            records: counted(owned, ask.keep_invoices),
            kept_invoices: owned.iter().filter(kept).count() as u64,
        };
        let todo = Todo {
            customer: id.clone(),
            devices: devices.into_iter().map(|device| device.id).collect(),
            nodes,
            taught: owned.iter().any(|owned| owned.kind == Case::KIND),
            documents: owned.iter().filter(|owned| !stays(owned)).filter_map(file_of).collect(),
        };
        let record = ErasureRecord::new(erased, times, todo);
        self.attest_erasure(&record).await?;
        put(&mut self.tx, &record).await
    }

    async fn attest_erasure(&mut self, record: &ErasureRecord) -> Result<(), DeskError> {
        let subject = Subject::new("erased-customer", record.erased.customer);
        let statement = Statement::new(ERASURE_PREDICATE, vec![subject], record.erased.clone());
        self.record(Kind::Attestation, &record.attestation, Owner::default(), &statement).await?;
        let event = Event {
            topic: "customer".to_owned(),
            id: record.attestation.clone(),
            what: "a customer was erased".to_owned(),
            at: self.now,
        };
        self.tell(None, &event).await
    }

    /// Keeps how the customer's attestations are listed in the index: it may have to be made anew from the ledger.
    async fn keep_listings(&mut self, owned: &[Owned]) -> Result<(), DeskError> {
        let prefix = format!("{}/", Kind::Attestation);
        for owned in owned.iter().filter(|o| o.kind == DocumentRecord::KIND && o.id.starts_with(&prefix)) {
            let Some(record) = self.tx.get::<DocumentRecord>(&Scope::All, &owned.id).await? else { continue };
            let listing = Attested::new(&record.envelope, record.entry.as_bytes(), 0)
                .map_err(|e| DeskError::Internal(e.to_string()))?;
            self.tx.insert(&ErasedAttestation { id: owned.id.clone(), listing }).await?;
        }
        Ok(())
    }
}

/// The name of the file that a document lies in, if it lies in one.
fn file_of(owned: &Owned) -> Option<String> {
    if owned.kind != DocumentRecord::KIND {
        return None;
    }
    let (kind, subject) = owned.id.split_once('/')?;
    AS_FILES.iter().any(|known| known.as_str() == kind).then(|| subject.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn owned(kind: &str, id: &str) -> Owned {
        Owned { kind: kind.to_owned(), id: id.to_owned() }
    }

    #[test]
    fn a_text_speaks_of_somebody_by_whole_names_alone() {
        let customer: CustomerId = format!("cus_{}", "a".repeat(32)).parse().unwrap();
        let case = format!("case_{}", "b".repeat(32));
        let node: NodeId = "did:key:z6MkhaXgBZDvotDkL5257faiztiGiC2QtKLGpbnnEGta2doK".parse().unwrap();
        let names = Names::of(&customer, &[owned("case", &case)], &[node]);
        for text in [
            format!(r#"{{"customer":"{customer}"}}"#),
            format!("see {case}: it is closed"),
            format!("genesis/{node}"),
            format!(r#"{{"detail":"{{\"id\":\"{case}\"}}"}}"#),
        ] {
            assert!(names.in_text(&text), "{text}");
        }
        for text in ["", &format!("{case}0"), &format!("x{customer}"), "did:key:z6Mk", "case_"] {
            assert!(!names.in_text(text), "{text}");
        }
    }

    #[test]
    fn only_documents_that_are_published_have_files() {
        assert_eq!(file_of(&owned("document", "receipt/rcpt_1")), Some("rcpt_1".to_owned()));
        assert_eq!(file_of(&owned("document", "intake/case_1")), None);
        assert_eq!(file_of(&owned("receipt", "receipt/rcpt_1")), None);
    }
}
