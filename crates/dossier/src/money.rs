//! Whether the bill follows from the receipts, and the receipts from the proofs.

use std::collections::BTreeMap;

use echo_core::{Digest, Money};
use revenue::{Invoice, Receipt, Settlement};

use crate::{
    Dossier, Kind,
    verify::{Check, Papers, VerifyError},
};

/// What the case cost.
pub(crate) struct Bill {
    pub(crate) checks: Vec<Check>,
    pub(crate) total: Option<Money>,
    pub(crate) paid: bool,
}

/// Every receipt's arithmetic holds and the proof it names is in the file; every invoice follows from its
/// receipts; a settlement pays the invoice's total.
pub(crate) fn check(dossier: &Dossier, papers: &Papers) -> Result<Bill, VerifyError> {
    let receipts = receipts(dossier, papers)?;
    let mut bill = Bill { checks: Vec::new(), total: None, paid: false };
    if !receipts.is_empty() {
        bill.checks.push(Check {
            what: "arithmetic",
            detail: format!("{} receipts: quantity times price, each proof present", receipts.len()),
        });
    }
    let invoices: Vec<(String, Digest, Invoice)> = papers.of(Kind::Invoice)?;
    let settlements: Vec<(String, Digest, Settlement)> = papers.of(Kind::Settlement)?;
    for (id, _, invoice) in &invoices {
        if invoice.case != dossier.case
            || invoice.customer != dossier.customer
            || invoice.id.to_string() != *id
        {
            return Err(contradiction(format!("{id} bills another case")));
        }
        invoice.check(&receipts).map_err(|faults| {
            contradiction(format!(
                "{id}: {}",
                faults.iter().map(ToString::to_string).collect::<Vec<_>>().join("; ")
            ))
        })?;
        bill.total = Some(invoice.total);
        bill.checks.push(Check {
            what: "arithmetic",
            detail: format!(
                "invoice {}: {} lines, total {}",
                invoice.number,
                invoice.lines.len(),
                invoice.total
            ),
        });
    }
    for (id, _, settlement) in &settlements {
        bill.checks.push(paid(id, settlement, &invoices)?);
        bill.paid = true;
    }
    Ok(bill)
}

fn paid(
    id: &str,
    settlement: &Settlement,
    invoices: &[(String, Digest, Invoice)],
) -> Result<Check, VerifyError> {
    let (_, _, invoice) = invoices
        .iter()
        .find(|(_, _, invoice)| invoice.id == settlement.invoice)
        .ok_or_else(|| contradiction(format!("{id} pays an invoice that is not in the file")))?;
    if settlement.amount != invoice.total {
        return Err(contradiction(format!("{id} pays {}, not {}", settlement.amount, invoice.total)));
    }
    Ok(Check { what: "settlement", detail: format!("{} paid", settlement.amount) })
}

fn receipts(dossier: &Dossier, papers: &Papers) -> Result<Vec<(Receipt, Digest)>, VerifyError> {
    let proofs: BTreeMap<String, Digest> = papers
        .of::<serde_json::Value>(Kind::Fulfilment)?
        .into_iter()
        .map(|(id, digest, _)| (id, digest))
        .collect();
    let mut out = Vec::new();
    for (id, digest, receipt) in papers.of::<Receipt>(Kind::Receipt)? {
        if receipt.case != dossier.case
            || receipt.customer != dossier.customer
            || receipt.id.to_string() != id
        {
            return Err(contradiction(format!("{id} is for another case")));
        }
        receipt.check().map_err(|fault| contradiction(format!("{id}: {fault}")))?;
        if let Some(proof) = &receipt.proof
            && proofs.get(&proof.id.to_string()) != Some(&proof.digest)
        {
            return Err(contradiction(format!(
                "{id} names the proof {}, which is not in the file",
                proof.id
            )));
        }
        out.push((receipt, digest));
    }
    Ok(out)
}

fn contradiction(reason: String) -> VerifyError {
    VerifyError::Contradiction { what: "bill", reason }
}
