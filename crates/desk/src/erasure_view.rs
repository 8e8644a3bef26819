//! What erasing a customer would do, as a plan, and what it did.

use std::collections::BTreeMap;

use echo_core::{CustomerId, Digest, Id as _, PageRequest, Timestamp};
use serde::{Deserialize, Serialize};
use store::{Filter, Owned, Record, Scope, Tx};

use crate::{Case, CaseState, Customer, DeskError, Device, DeviceState, DocumentRecord, InvoiceRecord};

/// What kind of claim the attestation of an erasure makes.
pub const ERASURE_PREDICATE: &str = "urn:echo:attestation:erasure:v1";
/// The most unpaid invoices that are named.
const MAX_NAMED: usize = 10;

/// Why a customer is erased. A closed set, for it is kept for good, and a sentence could name who is to be forgotten.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ErasureReason {
    /// They asked for it.
    CustomerAsked,
    /// The contract with them is over.
    ContractEnded,
    /// What was kept for a while need not be kept any longer.
    RetentionOver,
    /// It never was a customer.
    TestData,
}

/// What is needed to erase a customer.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct EraseCustomer {
    /// The customer's name, written out: whoever writes it means this one.
    pub confirm: String,
    /// Why.
    pub reason: ErasureReason,
    /// Whether invoices and payments stay, for a law that wants them kept. Erase again when its time is over.
    #[serde(default)]
    pub keep_invoices: bool,
}

/// Where an erasure stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ErasureState {
    /// Nothing was done: this is what would be.
    Planned,
    /// The records are gone; files or free pages of the database are left to do.
    Erasing,
    /// It is done.
    Erased,
}

/// Something that stays, and why.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Stays {
    /// What.
    pub what: &'static str,
    /// Why.
    pub why: &'static str,
}

/// What was erased: digests and numbers, so that it can be kept. The predicate of the attestation.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Erased {
    /// SHA-256 of the salt and the customer's id: whoever has the id can tell that this is about it.
    pub customer: Digest,
    /// The salt: the fingerprint of the platform's trust root.
    pub salt: Digest,
    /// When.
    pub at: Timestamp,
    /// The id of the person who did it.
    pub by: String,
    /// Why.
    pub reason: ErasureReason,
    /// How many records went, by kind; `document` counts the signed ones.
    pub records: BTreeMap<String, u64>,
    /// How many invoices stay.
    pub kept_invoices: u64,
}

/// An erasure, planned or done.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ErasureView {
    /// Where it stands.
    pub state: ErasureState,
    /// How many records go or went, by kind.
    pub goes: BTreeMap<String, u64>,
    /// What stays.
    pub stays: Vec<Stays>,
    /// Why it cannot be done now; empty when it can.
    pub obstacles: Vec<String>,
    /// What is worth knowing before.
    pub notes: Vec<String>,
    /// What was done.
    pub erased: Option<Erased>,
    /// The id of the attestation in the genesis ledger.
    pub attestation: Option<String>,
}

/// Whether a record is an invoice or a payment, or the document of one.
pub(crate) fn is_money(owned: &Owned) -> bool {
    owned.kind == InvoiceRecord::KIND
        || (owned.kind == DocumentRecord::KIND
            && ["invoice/", "settlement/"].iter().any(|kind| owned.id.starts_with(kind)))
}

/// All records of a kind that `scope` sees, however many.
pub(crate) async fn every<R: Record>(
    tx: &mut Tx,
    scope: &Scope,
    filter: &Filter<'_>,
) -> Result<Vec<R>, DeskError> {
    let (mut found, mut page) = (Vec::new(), PageRequest::largest());
    loop {
        let next = tx.list::<R>(scope, filter, &page).await?;
        found.extend(next.items);
        match next.next {
            Some(cursor) => page.cursor = Some(cursor),
            None => return Ok(found),
        }
    }
}

/// How many records of each kind go.
pub(crate) fn counted(owned: &[Owned], keep_invoices: bool) -> BTreeMap<String, u64> {
    let mut goes = BTreeMap::new();
    for owned in owned.iter().filter(|owned| !(keep_invoices && is_money(owned))) {
        *goes.entry(owned.kind.clone()).or_default() += 1;
    }
    goes
}

/// The name that has to be written out.
pub(crate) async fn name_of(tx: &mut Tx, id: &CustomerId) -> Result<String, DeskError> {
    let scope = Scope::Customer(id.clone());
    if let Some(customer) = tx.get::<Customer>(&scope, id.as_str()).await? {
        return Ok(customer.name);
    }
    // Erased before, but for the invoices.
    let one = PageRequest { cursor: None, limit: Some(1) };
    let kept = tx.list::<InvoiceRecord>(&scope, &Filter::default(), &one).await?;
    let name = kept.items.into_iter().next().map(|kept| kept.invoice.customer_name);
    name.ok_or_else(|| DeskError::not_found("customer", id.as_str()))
}

/// What would go and stay, and what stands in the way.
pub(crate) async fn plan(
    tx: &mut Tx,
    id: &CustomerId,
    owned: &[Owned],
    keep_invoices: bool,
) -> Result<ErasureView, DeskError> {
    name_of(tx, id).await?;
    let scope = Scope::Customer(id.clone());
    let unpaid = every::<InvoiceRecord>(tx, &scope, &Filter::in_state("open")).await?;
    let mut obstacles = Vec::new();
    if !unpaid.is_empty() && !keep_invoices {
        let named: Vec<&str> = unpaid.iter().take(MAX_NAMED).map(|u| u.invoice.number.as_str()).collect();
        obstacles.push(format!(
            "{} unpaid: {}; enter the payments first, or keep the invoices",
            counted_words(unpaid.len() as u64, "invoice is", "invoices are"),
            named.join(", ")
        ));
    }
    let mut notes = Vec::new();
    let closed = tx.count::<Case>(&scope, &Filter::in_state(CaseState::Closed.as_str())).await?;
    let open = tx.count::<Case>(&scope, &Filter::default()).await?.saturating_sub(closed);
    if open > 0 {
        notes.push(format!(
            "{} not closed: what was done in them is not billed any more",
            counted_words(open, "case is", "cases are")
        ));
    }
    let devices = tx.count::<Device>(&scope, &Filter::in_state(DeviceState::Active.as_str())).await?;
    if devices > 0 {
        notes.push(format!(
            "{} retired, and revoked in the mesh: stop `echo_probe` there, and delete its home",
            counted_words(devices, "device is", "devices are")
        ));
    }
    Ok(ErasureView {
        state: ErasureState::Planned,
        goes: counted(owned, keep_invoices),
        stays: stays(keep_invoices),
        obstacles,
        notes,
        erased: None,
        attestation: None,
    })
}

fn counted_words(count: u64, one: &str, many: &str) -> String {
    format!("{count} {}", if count == 1 { one } else { many })
}

/// What stays of everybody.
pub(crate) fn stays(invoices: bool) -> Vec<Stays> {
    let always = [
        Stays {
            what: "entries of the ledgers",
            why: "they only grow, and everybody else's proofs rest on them. An entry is a random id, a kind, a time and \
                  the digest of a signed document that is gone",
        },
        Stays {
            what: "the listing of fulfilment proofs in the attestation index",
            why: "other Echos check that it is complete. It holds random ids, times and digests",
        },
        Stays {
            what: "public keys of nodes in the signed lists of revoked nodes",
            why: "without them the mesh would let the nodes in until their certificates end",
        },
        Stays {
            what: "an attestation of this erasure",
            why: "it shows when, by whom and how much, by numbers and one salted digest",
        },
        Stays {
            what: "backups, exported files, and what lies on the customer's own devices",
            why: "the platform does not reach them: delete them where they are",
        },
    ];
    let kept =
        Stays { what: "invoices and payments", why: "a law wants them kept: erase again when it does not" };
    always.into_iter().chain(invoices.then_some(kept)).collect()
}
