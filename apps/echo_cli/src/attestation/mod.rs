//! `attestation`: signs and counts signatures of attestations, and keeps the federated index of them.

mod file;
mod index;
mod merge;
mod sign;
mod source;
mod verify;

use std::path::{Path, PathBuf};

use clap::Subcommand;

use crate::{Failure, out::Out, passphrase::Opening, place};

/// What to do with attestations.
#[derive(Debug, Subcommand)]
pub enum Attestation {
    /// Add your signature to an attestation
    ///
    /// For attestations that need several signatures: one person signs after the other, or each signs a copy and
    /// `attestation join` brings the copies together.
    Sign(sign::Sign),
    /// Bring the signatures of copies of one attestation together
    Join(sign::Join),
    /// Say who signed an attestation, how many must, and what is missing
    Verify(verify::Arguments),
    /// Make the federated index of a home anew, from its genesis ledger and its attestations
    ///
    /// The platform keeps the index itself. This is for an index that was lost or damaged; what was merged from others
    /// is kept where the old one still holds.
    Index {
        /// The platform's home; --home without it
        #[arg(value_name = "HOME")]
        at: Option<PathBuf>,
        #[command(flatten)]
        opening: Opening,
    },
    /// Check an index against its maker's ledger
    Check(merge::Offered),
    /// Take another Echo's attestations into the index of the home, after checking them against its ledger
    ///
    /// A ledger that was set back, or that tells another history than at the last merge, is refused.
    Merge {
        #[command(flatten)]
        offered: merge::Offered,
        #[command(flatten)]
        opening: Opening,
    },
}

impl Attestation {
    /// Does it. `home` is what `--home` said.
    pub fn run(&self, home: Option<PathBuf>, out: Out) -> Result<(), Failure> {
        match self {
            Self::Join(arguments) => arguments.run(out),
            Self::Check(offered) => merge::check(offered, out),
            Self::Sign(arguments) => arguments.run(home, out),
            Self::Verify(arguments) => verify::run(arguments, home, out),
            Self::Index { at, opening } => {
                index::rebuild(&place::platform(at.clone().or(home))?, opening, out)
            }
            Self::Merge { offered, opening } => merge::merge(offered, &place::platform(home)?, opening, out),
        }
    }
}

/// A file that must be there.
fn read(path: &Path, limit: u64) -> Result<Vec<u8>, Failure> {
    durable::read(path, limit)?
        .ok_or_else(|| Failure::failed(format!("there is no file {}", path.display())).hint("check the path"))
}
