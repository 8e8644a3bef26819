//! `customer`: accounts that buy plans.

use clap::Subcommand;
use serde_json::json;

use crate::{Failure, api::Api, out::Out};

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
        }
    }
}
