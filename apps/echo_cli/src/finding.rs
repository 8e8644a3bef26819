//! `finding`: posture results that need attention.

use clap::Subcommand;

use crate::{
    Failure,
    api::{Api, escaped},
    out::Out,
};

/// What to do with findings.
#[derive(Debug, Subcommand)]
pub enum Finding {
    /// List the findings, newest first
    List {
        /// Only those in this state: open or fixed
        #[arg(long)]
        state: Option<String>,
    },
}

impl Finding {
    /// Does it.
    pub fn run(&self, api: &Api, out: Out) -> Result<(), Failure> {
        let Self::List { state } = self;
        let query = state.as_deref().map(|s| format!("?state={}", escaped(s))).unwrap_or_default();
        out.list(
            &api.list(&format!("/v1/findings{query}"))?,
            &[
                ("id", "/id"),
                ("state", "/state"),
                ("severity", "/result/severity"),
                ("check", "/result/check"),
                ("title", "/result/title"),
            ],
        )
    }
}
