//! `triage`: learn to name the topic of tickets from resolved ones, on this machine. No platform and no network.

mod cases;
mod evaluate;
mod folder;
mod predict;
mod spent;
mod train;

use clap::Subcommand;

use crate::{Failure, out::Out};

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
}

impl Triage {
    /// Does it.
    pub fn run(&self, out: Out) -> Result<(), Failure> {
        match self {
            Self::Train(arguments) => train::run(arguments, out),
            Self::Predict(arguments) => predict::run(arguments, out),
            Self::Evaluate(arguments) => evaluate::run(arguments, out),
        }
    }
}
