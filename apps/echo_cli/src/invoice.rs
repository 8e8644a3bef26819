//! `invoice`: bills, and the payments that settle them.

use clap::Subcommand;
use echo_core::InvoiceId;
use serde_json::{Value, json};

use crate::{Failure, answer, api::Api, out::Out};

/// What to do with invoices.
#[derive(Debug, Subcommand)]
pub enum Invoice {
    /// List the invoices, newest first
    List,
    /// Show an invoice with its lines
    Show {
        /// Its id
        id: InvoiceId,
    },
    /// Enter a payment of the whole amount that arrived outside of Echo
    Pay {
        /// The invoice's id
        id: InvoiceId,
        /// What finds the payment again: the line of a bank statement, the number of a till
        #[arg(long)]
        reference: String,
    },
}

impl Invoice {
    /// Does it.
    pub fn run(&self, api: &Api, out: Out) -> Result<(), Failure> {
        match self {
            Self::List => out.list(
                &api.list("/v1/invoices")?,
                &[
                    ("id", "/invoice/id"),
                    ("number", "/invoice/number"),
                    ("customer", "/invoice/customer_name"),
                    ("total", "/invoice/total"),
                    ("state", "/state"),
                    ("due", "/invoice/due"),
                ],
            ),
            Self::Show { id } => show(&api.get(&format!("/v1/invoices/{id}"))?, out),
            Self::Pay { id, reference } => show(&pay(api, id.to_string().as_str(), reference)?, out),
        }
    }
}

/// Pays an invoice's total.
pub fn pay(api: &Api, id: &str, reference: &str) -> Result<Value, Failure> {
    let invoice = api.get(&format!("/v1/invoices/{id}"))?;
    let amount = json!({
        "minor": answer::number(&invoice, "/invoice/total/minor")?,
        "currency": answer::text(&invoice, "/invoice/total/currency")?,
    });
    api.post(&format!("/v1/invoices/{id}/payments"), &json!({"amount": amount, "reference": reference}))
}

fn show(invoice: &Value, out: Out) -> Result<(), Failure> {
    out.one(
        invoice,
        &[
            ("id", "/invoice/id"),
            ("number", "/invoice/number"),
            ("customer", "/invoice/customer_name"),
            ("case", "/invoice/case"),
            ("issued", "/invoice/issued"),
            ("due", "/invoice/due"),
            ("total", "/invoice/total"),
            ("state", "/state"),
            ("paid by", "/settlement/reference"),
        ],
    )?;
    if out.is_json() {
        return Ok(());
    }
    out.line("")?;
    out.list(
        answer::list(invoice, "/invoice/lines")?,
        &[
            ("what", "/description"),
            ("quantity", "/quantity"),
            ("unit price", "/unit_price"),
            ("amount", "/amount"),
            ("proof", "/proof/id"),
        ],
    )
}
