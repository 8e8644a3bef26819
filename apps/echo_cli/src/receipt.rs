//! `receipt`: what skill calls cost.

use clap::Subcommand;

use crate::{Failure, api::Api, out::Out};

/// What to do with receipts.
#[derive(Debug, Subcommand)]
pub enum Receipt {
    /// List the receipts, newest first
    List,
}

impl Receipt {
    /// Does it.
    pub fn run(&self, api: &Api, out: Out) -> Result<(), Failure> {
        let Self::List = self;
        out.list(
            &api.list("/v1/receipts")?,
            &[
                ("id", "/receipt/id"),
                ("skill", "/receipt/skill"),
                ("quantity", "/receipt/quantity"),
                ("amount", "/receipt/amount"),
                ("currency", "/receipt/currency"),
                ("proof", "/receipt/proof/id"),
                ("at", "/receipt/at"),
            ],
        )
    }
}
