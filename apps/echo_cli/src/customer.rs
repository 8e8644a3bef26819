//! `customer`: accounts that buy plans.

use clap::{Args, Subcommand, ValueEnum};
use echo_core::CustomerId;
use serde::Serialize;
use serde_json::{Value, json};

use crate::{
    Failure, answer,
    api::Api,
    confirm,
    out::{Colour, Out, printable},
};

/// What to do with customers.
#[derive(Debug, Subcommand)]
pub enum Customer {
    /// List the customers, newest first
    List,
    /// Add a customer
    Add {
        /// Its name
        #[arg(long)]
        name: String,
        /// The plan it is on: see `plan list`
        #[arg(long)]
        plan: String,
    },
    /// Erase a customer with everything that is theirs; there is no way back
    Erase(Erase),
}

/// Whom to erase, and why.
#[derive(Debug, Args)]
pub struct Erase {
    /// The customer's id
    id: CustomerId,
    /// Why; it is kept for good
    #[arg(long, required_unless_present = "dry_run")]
    reason: Option<Reason>,
    /// Keep invoices and payments, for a law that wants them kept; erase again when it does not
    #[arg(long)]
    keep_invoices: bool,
    /// Say what would go and what stays, and change nothing
    #[arg(long, conflicts_with = "confirm")]
    dry_run: bool,
    /// The customer's name, written out, where nobody is there to ask
    #[arg(long, value_name = "NAME")]
    confirm: Option<String>,
}

/// Why a customer is erased.
#[derive(Debug, Clone, Copy, Serialize, ValueEnum)]
#[serde(rename_all = "snake_case")]
#[value(rename_all = "snake_case")]
enum Reason {
    /// They asked for it
    CustomerAsked,
    /// The contract with them is over
    ContractEnded,
    /// What was kept for a while need not be kept any longer
    RetentionOver,
    /// It never was a customer
    TestData,
}

impl Customer {
    /// Does it.
    pub fn run(&self, api: &Api, out: Out) -> Result<(), Failure> {
        match self {
            Self::List => out.list(
                &api.list("/v1/customers")?,
                &[("id", "/id"), ("name", "/name"), ("plan", "/plan"), ("since", "/created")],
            ),
            Self::Add { name, plan } => {
                let customer = api.post("/v1/customers", &json!({"name": name, "plan": plan}))?;
                out.one(&customer, &[("id", "/id"), ("name", "/name"), ("plan", "/plan")])
            }
            Self::Erase(erase) => erase.run(api, out),
        }
    }
}

impl Erase {
    fn run(&self, api: &Api, out: Out) -> Result<(), Failure> {
        let path = format!("/v1/customers/{}/erasure", self.id);
        if self.dry_run {
            return show(&api.get(&format!("{path}?keep_invoices={}", self.keep_invoices))?, out);
        }
        let confirm = if let Some(name) = &self.confirm {
            name.clone()
        } else {
            confirm::somebody_or("pass the customer's name with --confirm when you are sure")?;
            confirm::answer("Write the customer's name to erase everything that is theirs:")?
        };
        let ask =
            json!({"confirm": confirm.trim(), "reason": self.reason, "keep_invoices": self.keep_invoices});
        show(&api.post(&path, &ask)?, out)
    }
}

fn show(erasure: &Value, out: Out) -> Result<(), Failure> {
    if out.is_json() {
        return out.json(erasure);
    }
    let planned = answer::text(erasure, "/state")? == "planned";
    let goes: Vec<String> = erasure["goes"]
        .as_object()
        .into_iter()
        .flatten()
        .map(|(kind, count)| format!("{count} {}", printable(kind)))
        .collect();
    out.line(&format!("{}: {}", if planned { "would go" } else { "went" }, goes.join(", ")))?;
    for stays in answer::list(erasure, "/stays")? {
        out.line(&format!("stays: {}: {}", answer::shown(stays, "/what"), answer::shown(stays, "/why")))?;
    }
    for (word, list) in [("note", "/notes"), ("in the way", "/obstacles")] {
        for text in answer::list(erasure, list)? {
            out.line(&format!("{word}: {}", printable(text.as_str().unwrap_or_default())))?;
        }
    }
    if planned {
        return Ok(());
    }
    let done = if answer::text(erasure, "/state")? == "erased" { "erased" } else { "not finished yet" };
    out.painted(&format!(
        "{} on {}: {} in the genesis ledger",
        out.paint(Colour::Green, done),
        answer::shown(erasure, "/erased/at"),
        answer::shown(erasure, "/attestation")
    ))
}
