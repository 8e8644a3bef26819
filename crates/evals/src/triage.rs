//! Topics of tickets: learned from some, predicted for others.

use std::time::Instant;

use triage_model::{Evaluation, LabelSet, Model, ModelError, Options, Outcome, train::stratified};

use crate::{Figure, Suite, SuiteName, figure::percentile};

/// Into how many parts the tickets are cut: one is predicted, the others are learned from.
const PARTS: usize = 7;
/// What the parts and random orders come from.
const SEED: u64 = 42;

/// Tickets whose label is known.
#[derive(Debug, Clone, Copy)]
pub struct Tickets<'a> {
    /// Their texts.
    pub texts: &'a [&'a str],
    /// Their labels, by number in the set.
    pub truths: &'a [usize],
    /// The labels.
    pub labels: &'a LabelSet,
}

/// Learns from six sevenths and predicts the last. `cpu` gives the processor seconds used so far.
pub fn run(tickets: &Tickets<'_>, cpu: impl Fn() -> f64) -> Result<Suite, ModelError> {
    let began = Instant::now();
    // Another stream than the one that learning takes its own parts from.
    let parts = stratified(tickets.truths, tickets.labels.len(), PARTS, SEED ^ u64::from(u32::MAX));
    let cases = parts.iter().zip(tickets.texts.iter().copied().zip(tickets.truths.iter().copied()));
    let (test, learn): (Vec<_>, Vec<_>) = cases.partition(|(part, _)| **part == 0);
    let (texts, truths): (Vec<&str>, Vec<usize>) = learn.into_iter().map(|(_, case)| case).unzip();
    let before = cpu();
    let options = Options::default();
    let model = Model::train(&texts, &truths, tickets.labels.clone(), &options, SEED, |_| {})?.model;
    let trained = cpu() - before;
    let mut millis = Vec::with_capacity(test.len());
    let outcomes: Vec<Outcome> = test
        .into_iter()
        .map(|(_, (text, truth))| {
            let asked = Instant::now();
            let said = model.predict(text);
            millis.push(asked.elapsed().as_secs_f64() * 1000.0);
            Outcome { truth, guess: said.number, confidence: said.confidence, abstained: said.abstained }
        })
        .collect();
    millis.sort_by(f64::total_cmp);
    let found = Evaluation::of(&outcomes, tickets.labels);
    Ok(Suite {
        suite: SuiteName::Triage,
        cases: found.cases,
        figures: vec![
            Figure::higher("accuracy", found.accuracy),
            Figure::higher("macro_f1", found.macro_f1),
            Figure::higher("answered", found.answered),
            Figure::higher("answered_accuracy", found.answered_accuracy),
            Figure::lower("train_cpu_s", trained),
            Figure::lower("p95_ms", percentile(&millis, 95)),
        ],
        misses: Vec::new(),
        seconds: began.elapsed().as_secs_f64(),
    })
}
