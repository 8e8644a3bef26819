//! `triage`: learn to name the topic of tickets from resolved ones, on this machine, with no platform and no network; and
//! the versions of it that a platform goes by.

mod cases;
mod evaluate;
mod folder;
mod platform;
mod predict;
mod spent;
mod train;

pub use self::{cases::Table, spent::processor, train::note};

use std::path::PathBuf;

use clap::Subcommand;

use crate::{Failure, api::Api, out::Out};

/// What to do with learned triage.
#[derive(Debug, Subcommand)]
pub enum Triage {
    /// Learn a model from tickets whose topic is known
    ///
    /// The CSV has a heading line with the columns `Document` (the text) and `Topic_group` (the label).
    Train(train::Arguments),
    /// Name the topic of tickets
    ///
    /// Writes the CSV again with three more columns: `predicted`, `confidence` (0 to 1) and `abstained` (true or false).
    Predict(predict::Arguments),
    /// Say how good predictions are, on tickets whose topic is known
    ///
    /// Without `--model` the tickets are cut into parts, and each part is predicted by a model of the others.
    Evaluate(evaluate::Arguments),
    /// Show the versions of learned triage that the platform keeps, and which it goes by
    Versions,
    /// Have the platform go by another version
    Use {
        /// Which; 0 for the lexicon alone
        #[arg(value_name = "VERSION")]
        number: u64,
    },
    /// Have the platform learn from the cases that technicians decided, now
    Learn,
    /// Bring a model of `triage train` to the platform, which goes by it from then on
    ///
    /// Its labels must all be in `manifest/triage_labels.yaml`.
    Install {
        /// The model's folder
        dir: PathBuf,
    },
}

impl Triage {
    /// Does it.
    pub fn run(&self, online: impl FnOnce() -> Result<Api, Failure>, out: Out) -> Result<(), Failure> {
        match self {
            Self::Train(arguments) => train::run(arguments, out),
            Self::Predict(arguments) => predict::run(arguments, out),
            Self::Evaluate(arguments) => evaluate::run(arguments, out),
            Self::Versions => platform::versions(&online()?, out),
            Self::Use { number } => platform::choose(&online()?, *number, out),
            Self::Learn => platform::learn(&online()?, out),
            Self::Install { dir } => platform::install(&online()?, dir, out),
        }
    }
}
