//! `triage train`.

use std::{
    io::{self, IsTerminal as _, Write as _},
    path::PathBuf,
};

use clap::Args;
use triage_model::{Model, Options, Progress};

use super::{
    cases::{self, Table},
    folder::{self, Card, Source},
    spent::Spending,
};
use crate::{
    Failure,
    out::{Colour, Out},
};

/// What to learn from.
#[derive(Debug, Args)]
pub struct Arguments {
    /// The tickets: a CSV with the columns `Document` and `Topic_group`
    #[arg(long, value_name = "IN")]
    csv: PathBuf,
    /// The model's folder, made or replaced
    #[arg(long, value_name = "DIR")]
    model: PathBuf,
    /// The labels that are allowed, one a line; without it, those that occur
    #[arg(long, value_name = "FILE")]
    labels: Option<PathBuf>,
    /// The share of right answers, among the tickets that are answered, that the threshold is chosen for
    #[arg(long, value_name = "SHARE", default_value_t = Options::default().precision)]
    precision: f32,
    /// What random orders come from; the same tickets and seed give the same model
    #[arg(long, default_value_t = 1)]
    seed: u64,
}

/// Learns, writes the model, says what to expect of it.
pub fn run(arguments: &Arguments, out: Out) -> Result<(), Failure> {
    let spending = Spending::begin();
    let options = Options { precision: arguments.precision, ..Options::default() };
    options.check().map_err(Failure::usage)?;
    folder::check_place(&arguments.model)?;
    let labels = arguments.labels.as_deref().map(cases::labels_of).transpose()?;
    let table = Table::read(&arguments.csv)?;
    let cases = table.labelled(labels)?;
    note(&format!("{} tickets, {} labels", cases.texts.len(), cases.labels.len()));
    let trained =
        Model::train(&cases.texts, &cases.truths, cases.labels.clone(), &options, arguments.seed, tell)
            .map_err(Failure::failed)?;
    let source =
        Source { cases: &cases, data: table.digest, seed: arguments.seed, precision: arguments.precision };
    let card = folder::write(&arguments.model, &trained, &source, spending.spent())?;
    if out.is_json() {
        return out.json(&card);
    }
    told(&card, arguments, out)
}

fn told(card: &Card, arguments: &Arguments, out: Out) -> Result<(), Failure> {
    let held = &card.held_back;
    out.painted(&format!(
        "{} {}: {} labels, {} words, {} pairs, {:.1} MB",
        out.paint(Colour::Green, "✓"),
        crate::out::printable(&arguments.model.display().to_string()),
        card.labels.len(),
        card.words,
        card.pairs,
        f64::from(u32::try_from(card.model_bytes).unwrap_or(u32::MAX)) / 1e6,
    ))?;
    out.line(&format!(
        "on tickets held back: accuracy {:.4}, macro-F1 {:.4}; answers {:.1} %, of which {:.1} % right, and abstains below {:.3}",
        held.accuracy,
        held.macro_f1,
        held.answered * 100.0,
        held.answered_accuracy * 100.0,
        card.threshold
    ))?;
    out.line(&format!("took {}", card.spent.words()))
}

/// Says how far learning is.
pub fn tell(progress: Progress) {
    match progress {
        Progress::Rows { words, pairs } => note(&format!("{words} words, {pairs} pairs of words")),
        Progress::Fold { done, of } => note(&format!("held back part {done} of {of}")),
        Progress::Pass { done, of } if done == of => note("learned from all tickets"),
        Progress::Pass { done, of } => {
            // Passes are quick: they are shown to somebody who watches, in one line.
            if io::stderr().is_terminal() {
                let _ = write!(io::stderr(), "pass {done} of {of}\r");
            }
        }
    }
}

/// Says a line to whoever watches. When nobody can hear it, the work goes on.
pub fn note(line: &str) {
    let _ = writeln!(io::stderr().lock(), "{line}");
}
