//! `triage predict`.

use std::path::PathBuf;

use clap::Args;
use csv::WriterBuilder;
use durable::Mode;
use serde_json::json;
use triage_model::{Model, Prediction};

use super::{cases::Table, folder, spent::Spending};
use crate::{Failure, out::Out};

/// The columns that are added; the last one only when asked for.
const ADDED: [&str; 4] = ["predicted", "confidence", "abstained", "why"];

/// What to predict.
#[derive(Debug, Args)]
pub struct Arguments {
    /// The tickets: a CSV with the column `Document`
    #[arg(long, value_name = "IN")]
    csv: PathBuf,
    /// The model's folder
    #[arg(long, value_name = "DIR")]
    model: PathBuf,
    /// The CSV to write
    #[arg(long, value_name = "OUT")]
    out: PathBuf,
    /// Abstain below this confidence, in place of the model's own threshold: 0 (never) to 1 (always)
    #[arg(long, value_name = "CONFIDENCE")]
    threshold: Option<f32>,
    /// Add the column `why`: the words that spoke most for the label, the strongest first
    #[arg(long)]
    why: bool,
}

/// Predicts and writes.
pub fn run(arguments: &Arguments, out: Out) -> Result<(), Failure> {
    let spending = Spending::begin();
    let (model, _) = folder::read(&arguments.model)?;
    let model = match arguments.threshold {
        Some(threshold) => model.with_threshold(threshold).map_err(Failure::usage)?,
        None => model,
    };
    let table = Table::read(&arguments.csv)?;
    let (bytes, answered) = written(&table, &model, arguments.why)?;
    durable::write(&arguments.out, &bytes, Mode::Public)?;
    let (cases, spent) = (table.rows.len(), spending.spent());
    if out.is_json() {
        let file = arguments.out.display().to_string();
        return out.json(&json!({"file": file, "cases": cases, "answered": answered, "spent": spent}));
    }
    out.line(&format!(
        "wrote {cases} predictions to {}; {answered} answered, {} abstained; took {}",
        arguments.out.display(),
        cases - answered,
        spent.words()
    ))
}

/// The table with its predictions as CSV, and how many are answers.
fn written(table: &Table, model: &Model, why: bool) -> Result<(Vec<u8>, usize), Failure> {
    let added = if why { &ADDED[..] } else { &ADDED[..3] };
    if let Some(taken) = added.iter().find(|name| table.headings.iter().any(|h| h == name.as_bytes())) {
        return Err(Failure::failed(format!("the CSV has a column `{taken}` already"))
            .hint("predict the file without its predictions, or rename the column"));
    }
    let mut writer = WriterBuilder::new().from_writer(Vec::new());
    let mut row = table.headings.clone();
    for name in added {
        row.push_field(name.as_bytes());
    }
    writer.write_byte_record(&row).map_err(Failure::failed)?;
    let mut answered = 0;
    for (row, text) in table.rows.iter().zip(table.texts()) {
        let said = model.predict(text);
        answered += usize::from(!said.abstained);
        let mut row = row.clone();
        row.push_field(said.label.as_bytes());
        row.push_field(format!("{:.4}", said.confidence).as_bytes());
        row.push_field(said.abstained.to_string().as_bytes());
        if why {
            row.push_field(reasons(&said).as_bytes());
        }
        writer.write_byte_record(&row).map_err(Failure::failed)?;
    }
    Ok((writer.into_inner().map_err(|e| Failure::failed(e.error()))?, answered))
}

fn reasons(said: &Prediction) -> String {
    said.words.iter().map(|evidence| evidence.word.as_str()).collect::<Vec<_>>().join(" ")
}
