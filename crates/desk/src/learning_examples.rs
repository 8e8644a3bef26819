//! What triage learns from: the cases that a technician sorted or closed; and whether what came of it is better than what
//! is in force.

use std::collections::BTreeSet;

use agents::{Engine as _, TriageInput, Triager, triage::Learned};
use echo_core::{CaseId, Digest, Id as _, PageRequest};
use serde::{Deserialize, Serialize};
use store::{Filter, Scope};
use triage_model::{Evaluation, Model, ModelError, Options, Outcome};

use crate::{Case, Desk, DeskError};

/// Fewer decided cases teach nothing that would hold.
pub const MIN_EXAMPLES: usize = 40;
/// The most decided cases that are learned from, the newest.
pub const MAX_EXAMPLES: usize = 20_000;
/// The most cases that are looked through for them.
const MAX_READ: usize = 100_000;
/// With fewer held back, a comparison says nothing.
pub const MIN_HELD_BACK: usize = 5;
/// One case in so many is held back.
const HELD_BACK: u8 = 5;
/// A model that is so often right where it answers is good enough, even when what is in force answers less and is right
/// more often.
pub const AIMED_PRECISION: f64 = 0.95;
/// The same examples give the same model.
const SEED: u64 = 1;

/// A case that somebody decided.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Example {
    pub case: CaseId,
    pub text: String,
    /// The label that it has.
    pub label: String,
}

/// How good triage was on cases that it had not learned from.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TriageFigures {
    /// How many cases.
    pub cases: usize,
    /// The share of right guesses, 0 to 1, with those that it did not act on.
    pub accuracy: f64,
    /// The mean of the labels' F1, 0 to 1.
    pub macro_f1: f64,
    /// The share that it answered.
    pub answered: f64,
    /// The share of right answers among them.
    pub answered_accuracy: f64,
}

impl From<Evaluation> for TriageFigures {
    fn from(e: Evaluation) -> Self {
        let Evaluation { cases, accuracy, macro_f1, answered, answered_accuracy, .. } = e;
        Self { cases, accuracy, macro_f1, answered, answered_accuracy }
    }
}

/// A model, and how it and what is in force did on the same held-back cases.
#[derive(Debug)]
pub(crate) struct Lesson {
    pub model: Model,
    pub learned_from: usize,
    pub new: TriageFigures,
    pub in_force: TriageFigures,
}

impl Lesson {
    /// Whether the new one may take over.
    pub fn holds(&self) -> bool {
        let (new, old) = (&self.new, &self.in_force);
        let precise = new.answered_accuracy >= old.answered_accuracy.min(AIMED_PRECISION);
        new.cases >= MIN_HELD_BACK && new.macro_f1 >= old.macro_f1 && precise
    }
}

impl Desk {
    /// The newest cases that somebody decided, and whose label is still one of the set.
    pub(crate) async fn examples(&self) -> Result<Vec<Example>, DeskError> {
        let labels = &self.content().labels;
        let mut tx = self.store().read().await?;
        let mut page = PageRequest::largest();
        let (mut out, mut read) = (Vec::new(), 0);
        loop {
            let found = tx.list::<Case>(&Scope::All, &Filter::default(), &page).await?;
            read += found.items.len();
            out.extend(found.items.into_iter().filter_map(|case| {
                let label = case.sorted?.label;
                labels.get(&label).map(|_| Example { case: case.id, text: case.text, label })
            }));
            match found.next {
                Some(next) if out.len() < MAX_EXAMPLES && read < MAX_READ => page.cursor = Some(next),
                _ => break,
            }
        }
        out.truncate(MAX_EXAMPLES);
        out.sort_by(|a, b| a.case.cmp(&b.case));
        Ok(out)
    }
}

/// Why these examples cannot be learned from, if they cannot.
pub(crate) fn too_few(examples: &[Example]) -> Option<String> {
    let labels: BTreeSet<&str> = examples.iter().map(|example| example.label.as_str()).collect();
    if examples.len() < MIN_EXAMPLES {
        return Some(format!("{} of {MIN_EXAMPLES} decided cases are there", examples.len()));
    }
    (labels.len() < 2).then(|| "all decided cases have the same label".to_owned())
}

/// A digest of all examples, to see whether anything changed.
pub(crate) fn digest(examples: &[Example]) -> Digest {
    let mut text = String::new();
    for example in examples {
        text.push_str(example.case.as_str());
        text.push(' ');
        text.push_str(&example.label);
        text.push('\n');
    }
    Digest::of(text.as_bytes())
}

/// Whether a case is held back: by its id alone, so that it stays so.
fn is_held_back(case: &CaseId) -> bool {
    Digest::of(case.as_str().as_bytes()).0[0].is_multiple_of(HELD_BACK)
}

/// Learns from the examples that are not held back, and compares on those that are. Takes its time: not for a task.
pub(crate) fn learn(examples: &[Example], in_force: &Triager) -> Result<Lesson, ModelError> {
    let (held, own): (Vec<&Example>, Vec<&Example>) = examples.iter().partition(|e| is_held_back(&e.case));
    let labels = in_force.labels().ids();
    let truths: Vec<usize> = own.iter().filter_map(|example| labels.number(&example.label)).collect();
    let texts: Vec<&str> = own.iter().map(|example| example.text.as_str()).collect();
    let model = Model::train(&texts, &truths, labels, &Options::default(), SEED, |_| {})?.model;
    let learned = Learned::new(0, Digest::of(b""), model.clone().into(), in_force.labels())
        .map_err(|foreign| ModelError::Labels(foreign.to_string()))?;
    let new = in_force.taught(Some(learned));
    Ok(Lesson {
        model,
        learned_from: own.len(),
        new: figures(&held, &new),
        in_force: figures(&held, in_force),
    })
}

/// How good a triager is on the examples that are held back.
pub(crate) fn held_back_figures(examples: &[Example], triager: &Triager) -> TriageFigures {
    let held: Vec<&Example> = examples.iter().filter(|example| is_held_back(&example.case)).collect();
    figures(&held, triager)
}

fn figures(held: &[&Example], triager: &Triager) -> TriageFigures {
    let labels = triager.labels().ids();
    let outcomes: Vec<Outcome> = held
        .iter()
        .filter_map(|example| {
            let truth = labels.number(&example.label)?;
            let input = TriageInput { text: example.text.clone(), ..TriageInput::default() };
            let said = triager.run(&input).ok()?;
            let likeliest = said.label.as_deref().or(said.guess.as_ref().map(|guess| guess.label.as_str()));
            // A guess that is no label is never right.
            let guess = likeliest.and_then(|label| labels.number(label)).unwrap_or(labels.len());
            #[expect(clippy::cast_possible_truncation, reason = "a share needs no more than an f32")]
            let confidence = said.confidence as f32;
            Some(Outcome { truth, guess, confidence, abstained: said.abstained })
        })
        .collect();
    Evaluation::of(&outcomes, &labels).into()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn figures(cases: usize, macro_f1: f64, answered_accuracy: f64) -> TriageFigures {
        TriageFigures { cases, accuracy: macro_f1, macro_f1, answered: 0.8, answered_accuracy }
    }

    fn examples(count: usize) -> Vec<Example> {
        let topics = [("network", "the tunnel to the office drops"), ("access", "my badge opens no door")];
        (0..count)
            .map(|n| Example {
                case: format!("case_{n:032x}").parse().unwrap(),
                text: format!("{} since day {}", topics[n % 2].1, n % 7),
                label: topics[n % 2].0.to_owned(),
            })
            .collect()
    }

    #[test]
    fn a_model_that_is_worse_may_not_take_over() {
        let model = learn(&examples(60), &Triager::default()).unwrap().model;
        let lesson = |new, in_force| Lesson { model: model.clone(), learned_from: 48, new, in_force };
        assert!(lesson(figures(20, 0.8, 0.9), figures(20, 0.8, 0.9)).holds());
        assert!(
            lesson(figures(20, 0.8, 0.96), figures(20, 0.5, 1.0)).holds(),
            "precise enough, and answers more"
        );
        assert!(!lesson(figures(20, 0.7, 0.99), figures(20, 0.8, 0.9)).holds(), "fewer labels right");
        assert!(
            !lesson(figures(20, 0.8, 0.8), figures(20, 0.8, 0.9)).holds(),
            "wrong more often where it answers"
        );
        assert!(!lesson(figures(4, 0.8, 0.9), figures(4, 0.1, 0.1)).holds(), "too few to say");
    }

    #[test]
    fn what_is_held_back_is_not_learned_from_and_stays_held_back() {
        let all = examples(100);
        let lesson = learn(&all, &Triager::default()).unwrap();
        assert_eq!(lesson.learned_from + lesson.new.cases, all.len());
        assert!((10..=30).contains(&lesson.new.cases), "{}", lesson.new.cases);
        let held: Vec<bool> = all.iter().map(|e| is_held_back(&e.case)).collect();
        let later: Vec<bool> = examples(200)[..100].iter().map(|e| is_held_back(&e.case)).collect();
        assert_eq!(held, later);
        assert!(lesson.new.macro_f1 > 0.99 && lesson.holds(), "{:?}", lesson.new);
    }

    #[test]
    fn few_examples_or_one_label_teach_nothing_and_say_so() {
        assert!(too_few(&examples(39)).unwrap().contains("39 of 40"));
        let same: Vec<Example> = examples(80).into_iter().filter(|e| e.label == "access").collect();
        assert!(too_few(&same).unwrap().contains("same label"));
        assert_eq!(too_few(&examples(40)), None);
    }

    #[test]
    fn a_correction_changes_the_digest() {
        let mut all = examples(3);
        let before = digest(&all);
        all[1].label = "network".to_owned();
        assert_ne!(digest(&all), before);
    }
}
