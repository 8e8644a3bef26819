//! `triage evaluate`.

use std::{path::PathBuf, time::Instant};

use clap::Args;
use serde::Serialize;
use triage_model::{Evaluation, LabelSet, Model, Options, Outcome, train::stratified};

use super::{
    cases::{Labelled, Table},
    folder,
    spent::{Spending, Spent},
    train,
};
use crate::{Failure, out, out::Out};

/// What to compare with what.
#[derive(Debug, Args)]
pub struct Arguments {
    /// The tickets: a CSV with the columns `Document` and `Topic_group`
    #[arg(long, value_name = "IN")]
    csv: PathBuf,
    /// A model that has not learned from these tickets
    #[arg(long, value_name = "DIR", conflicts_with_all = ["folds", "precision", "seed"])]
    model: Option<PathBuf>,
    /// Into how many parts the tickets are cut: 2 to 20
    #[arg(long, default_value_t = 5, value_parser = clap::value_parser!(u8).range(2..=20))]
    folds: u8,
    /// What each part's threshold is chosen for, see `triage train`
    #[arg(long, value_name = "SHARE", default_value_t = Options::default().precision)]
    precision: f32,
    /// What random orders and parts come from
    #[arg(long, default_value_t = 1)]
    seed: u64,
}

/// What is printed as JSON.
#[derive(Serialize)]
struct Report {
    /// How many parts; nothing when a finished model was compared.
    folds: Option<usize>,
    figures: Evaluation,
    /// Milliseconds for one ticket: the median, and 95 of 100 are below.
    predict_ms_p50: f64,
    predict_ms_p95: f64,
    /// One after the other, on one core.
    predictions_per_second: f64,
    spent: Spent,
}

/// Outcomes, and the milliseconds that each took.
#[derive(Default)]
struct Measured {
    outcomes: Vec<Outcome>,
    millis: Vec<f64>,
}

/// Compares and prints.
pub fn run(arguments: &Arguments, out: Out) -> Result<(), Failure> {
    let spending = Spending::begin();
    let table = Table::read(&arguments.csv)?;
    let mut measured = Measured::default();
    let (labels, folds) = if let Some(dir) = &arguments.model {
        let (model, _) = folder::read(dir)?;
        let cases = table.labelled(Some(model.labels().clone()))?;
        measured.add(&model, cases.texts.iter().copied().zip(cases.truths.iter().copied()));
        (cases.labels, None)
    } else {
        let cases = table.labelled(None)?;
        crossed(&cases, arguments, &mut measured)?;
        (cases.labels, Some(usize::from(arguments.folds)))
    };
    let report = measured.report(&labels, folds, &spending);
    if out.is_json() {
        return out.json(&report);
    }
    report.print(out)
}

/// Predicts each part by a model of the others.
fn crossed(cases: &Labelled<'_>, arguments: &Arguments, measured: &mut Measured) -> Result<(), Failure> {
    let options = Options { precision: arguments.precision, ..Options::default() };
    options.check().map_err(Failure::usage)?;
    let folds = usize::from(arguments.folds);
    // Another stream than the one that learning takes its own parts from.
    let parts = stratified(&cases.truths, cases.labels.len(), folds, arguments.seed ^ u64::from(u32::MAX));
    for part in 0..folds {
        let all = parts.iter().zip(cases.texts.iter().copied().zip(cases.truths.iter().copied()));
        let (own, others): (Vec<_>, Vec<_>) = all.partition(|(of, _)| **of == part);
        let (texts, truths): (Vec<&str>, Vec<usize>) = others.into_iter().map(|(_, case)| case).unzip();
        let trained = Model::train(&texts, &truths, cases.labels.clone(), &options, arguments.seed, |_| {})
            .map_err(Failure::failed)?;
        measured.add(&trained.model, own.into_iter().map(|(_, case)| case));
        train::note(&format!("part {} of {folds}", part + 1));
    }
    Ok(())
}

impl Measured {
    fn add<'a>(&mut self, model: &Model, cases: impl Iterator<Item = (&'a str, usize)>) {
        for (text, truth) in cases {
            let began = Instant::now();
            let said = model.predict(text);
            self.millis.push(began.elapsed().as_secs_f64() * 1000.0);
            let (guess, confidence, abstained) = (said.number, said.confidence, said.abstained);
            self.outcomes.push(Outcome { truth, guess, confidence, abstained });
        }
    }

    fn report(mut self, labels: &LabelSet, folds: Option<usize>, spending: &Spending) -> Report {
        self.millis.sort_by(f64::total_cmp);
        let at = |percent: usize| self.millis.get(self.millis.len() * percent / 100).copied().unwrap_or(0.0);
        let cases = u32::try_from(self.millis.len()).ok().filter(|cases| *cases > 0);
        let mean = cases.map(|cases| self.millis.iter().sum::<f64>() / f64::from(cases));
        Report {
            folds,
            figures: Evaluation::of(&self.outcomes, labels),
            predict_ms_p50: at(50),
            predict_ms_p95: at(95),
            predictions_per_second: mean.filter(|millis| *millis > 0.0).map_or(0.0, |millis| 1000.0 / millis),
            spent: spending.spent(),
        }
    }
}

impl Report {
    fn print(&self, out: Out) -> Result<(), Failure> {
        let figures = &self.figures;
        let how = self.folds.map_or_else(
            || "by the model".to_owned(),
            |folds| format!("in {folds} parts, each by a model of the others"),
        );
        out.line(&format!("{} tickets, {how}", figures.cases))?;
        out.line(&format!("accuracy {:.4}, macro-F1 {:.4}", figures.accuracy, figures.macro_f1))?;
        out.line(&format!(
            "answers {:.1} %, of which {:.1} % are right; abstains on the others",
            figures.answered * 100.0,
            figures.answered_accuracy * 100.0
        ))?;
        out.line(&format!(
            "one prediction takes {:.3} ms (median), {:.3} ms (95 of 100 are below); {:.0} a second",
            self.predict_ms_p50, self.predict_ms_p95, self.predictions_per_second
        ))?;
        out.line(&format!("took {}", self.spent.words()))?;
        out.line("")?;
        let rows: Vec<Vec<String>> = figures
            .labels
            .iter()
            .map(|own| {
                let share = |share: f64| format!("{share:.3}");
                let label = out::printable(&own.label);
                vec![label, own.cases.to_string(), share(own.precision), share(own.recall), share(own.f1)]
            })
            .collect();
        print_table(&["label", "tickets", "precision", "recall", "F1"], &rows, out)?;
        out.line("")?;
        let rows: Vec<Vec<String>> = figures
            .curve
            .iter()
            .map(|point| {
                let percent = |share: f64| format!("{:.0} %", share * 100.0);
                vec![
                    percent(point.coverage),
                    format!("{:.4}", point.accuracy),
                    format!("{:.3}", point.confidence),
                ]
            })
            .collect();
        print_table(&["answered", "accuracy", "from confidence"], &rows, out)
    }
}

fn print_table(headings: &[&str], rows: &[Vec<String>], out: Out) -> Result<(), Failure> {
    out::table(headings, rows).iter().try_for_each(|line| out.line(line))
}
