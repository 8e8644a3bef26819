//! `plan`: what can be bought.

use clap::Subcommand;

use crate::{Failure, api::Api, out::Out};

/// What to do with plans.
#[derive(Debug, Subcommand)]
pub enum Plan {
    /// List the plans
    List,
}

impl Plan {
    /// Does it.
    pub fn run(&self, api: &Api, out: Out) -> Result<(), Failure> {
        let Self::List = self;
        out.list(
            &api.list("/v1/plans")?,
            &[
                ("id", "/id"),
                ("name", "/name"),
                ("monthly fee", "/monthly_fee"),
                ("offered", "/offered"),
                ("for", "/description"),
            ],
        )
    }
}
