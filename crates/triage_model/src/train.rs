//! Learning a model from resolved cases.

use std::collections::BTreeSet;

use crate::{
    Evaluation, LabelSet, Model, ModelError, Options, Outcome, calibrate,
    gain::{Counts, Gains},
    model::Calibration,
    net::Net,
    random::{Random, mix},
    second::{self, Second},
    space::Entry,
    svm::{Lesson, Weights},
    vocabulary::{self, Vocabulary},
};

/// The fewest cases that are learned from.
pub const MIN_CASES: usize = 10;
/// The most.
pub const MAX_CASES: usize = 1_000_000;

/// A fold's model goes through its cases this often where the final one does it eight times: enough to calibrate by.
const FOLD_PASSES: usize = 5;

/// A model, and how good it is.
#[derive(Debug)]
pub struct Trained {
    /// Learned from all cases.
    pub model: Model,
    /// How good models of the other folds were on each fold: what to expect of the model on unseen cases like these, or
    /// a little less than that. The threshold was chosen on the same cases, so the share of right answers among the
    /// answered is what it was chosen for.
    pub held_back: Evaluation,
}

/// How far the learning is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Progress {
    /// The words and pairs are known.
    Rows {
        /// How many words.
        words: usize,
        /// How many pairs.
        pairs: usize,
    },
    /// A fold of so many was learned without, and scored.
    Fold {
        /// Which, from 1.
        done: usize,
        /// Of how many.
        of: usize,
    },
    /// A pass over all cases is done.
    Pass {
        /// Which, from 1.
        done: usize,
        /// Of how many.
        of: usize,
    },
}

/// Cases in rows, and their labels.
struct Cases<'a> {
    vocabulary: &'a Vocabulary,
    truths: &'a [usize],
    labels: usize,
    options: &'a Options,
    seed: u64,
}

/// Some of the cases, weighed.
struct Weighed {
    gains: Gains,
    /// Each as the others see it.
    vectors: Vec<Vec<Entry>>,
    truths: Vec<usize>,
}

impl Model {
    /// Learns from `texts`, whose labels have the numbers `truths`. The same input gives the same model.
    ///
    /// `tell` hears how far it is. Errors when there is nothing to learn, see [`ModelError`].
    pub fn train(
        texts: &[&str],
        truths: &[usize],
        labels: LabelSet,
        options: &Options,
        seed: u64,
        mut tell: impl FnMut(Progress),
    ) -> Result<Trained, ModelError> {
        options.check()?;
        check(texts, truths, &labels)?;
        let vocabulary = vocabulary::learn(texts, options)?;
        let (words, pairs) = (vocabulary.space.words.len(), vocabulary.space.seconds.len());
        tell(Progress::Rows { words, pairs });
        let cases = Cases { vocabulary: &vocabulary, truths, labels: labels.len(), options, seed };
        let all: Vec<usize> = (0..texts.len()).collect();
        let weighed = cases.weigh(&all);
        let (scores, nets) = cases.held_back_scores(&weighed, &mut tell);
        let temperature = calibrate::temperature(&scores, truths);
        let mut outcomes: Vec<Outcome> = scores
            .iter()
            .zip(truths)
            .map(|(scores, truth)| {
                let (guess, confidence) = calibrate::confidence(scores, temperature);
                Outcome { truth: *truth, guess, confidence, abstained: false }
            })
            .collect();
        let threshold = calibrate::threshold(&outcomes, options.precision);
        for outcome in &mut outcomes {
            outcome.abstained = outcome.confidence < threshold;
        }
        let held_back = Evaluation::of(&outcomes, &labels);
        let told = |pass| tell(Progress::Pass { done: pass, of: options.passes });
        let weights = Weights::learn(cases.lesson(&weighed), options.cost, options.passes, seed, told);
        let calibration = Calibration { temperature, threshold };
        let second = Second::join(&nets);
        let model = Model::new(labels, vocabulary.space, weighed.gains.rows, &weights, second, calibration);
        Ok(Trained { model, held_back })
    }
}

fn check(texts: &[&str], truths: &[usize], labels: &LabelSet) -> Result<(), ModelError> {
    let rows = texts.len().min(truths.len());
    if !(MIN_CASES..=MAX_CASES).contains(&rows) || texts.len() != truths.len() {
        return Err(ModelError::Rows { rows, least: MIN_CASES, most: MAX_CASES });
    }
    if let Some((row, label)) = truths.iter().enumerate().find(|(_, label)| **label >= labels.len()) {
        return Err(ModelError::Label { row, label: *label, labels: labels.len() });
    }
    let seen: BTreeSet<usize> = truths.iter().copied().collect();
    match (seen.first(), seen.len()) {
        (Some(only), 1) => Err(ModelError::OneLabel(labels.name(*only).unwrap_or_default().to_owned())),
        _ => Ok(()),
    }
}

impl Cases<'_> {
    /// The scores of each case, from a model that did not learn from it; and the nets of these models. They are the
    /// second opinion of the final model, so their input is weighed by `all`: each case is known to most of them.
    fn held_back_scores(&self, all: &Weighed, tell: &mut impl FnMut(Progress)) -> (Vec<Vec<f32>>, Vec<Net>) {
        let Options { folds, passes, nets, cost, .. } = *self.options;
        let fold_of = stratified(self.truths, self.labels, folds, self.seed);
        let words = self.vocabulary.space.words.len();
        let each = second::how_many(nets, self.truths.len(), words, folds);
        let mut scores = vec![Vec::new(); self.truths.len()];
        let mut every = Vec::with_capacity(each * folds);
        for fold in 0..folds {
            let others: Vec<usize> = (0..fold_of.len()).filter(|case| fold_of[*case] != fold).collect();
            let weighed = self.weigh(&others);
            let passes = (passes * FOLD_PASSES).div_ceil(8);
            let weights = Weights::learn(self.lesson(&weighed), cost, passes, self.seed, |_| {});
            let seeds = (every.len()..every.len() + each).map(|net| mix(self.seed ^ mix(net as u64)));
            let nets: Vec<Net> =
                seeds.map(|seed| Net::learn(self.lesson(all), &others, words, seed)).collect();
            for case in (0..fold_of.len()).filter(|case| fold_of[*case] == fold) {
                let bag = &self.vocabulary.bags[case];
                let vector = self.vocabulary.space.vector(bag, |row| weighed.gains.rows[row as usize]);
                scores[case] = weights.scores(&vector);
                second::add(&nets, &vector, &mut scores[case]);
            }
            every.extend(nets);
            tell(Progress::Fold { done: fold + 1, of: folds });
        }
        (scores, every)
    }

    /// Weighs some of the cases by what they tell of the labels.
    fn weigh(&self, chosen: &[usize]) -> Weighed {
        let Vocabulary { space, rarity, bags } = self.vocabulary;
        let mut counts = Counts::new(self.labels, space.words.len(), space.rows());
        for case in chosen {
            counts.add(&bags[*case], self.truths[*case]);
        }
        let gains = counts.gains(rarity);
        drop(counts);
        let truths: Vec<usize> = chosen.iter().map(|case| self.truths[*case]).collect();
        let vectors: Vec<Vec<Entry>> = chosen
            .iter()
            .zip(&truths)
            .map(|(case, truth)| space.vector(&bags[*case], |row| gains.without(row, *truth)))
            .collect();
        Weighed { gains, vectors, truths }
    }

    fn lesson<'a>(&self, of: &'a Weighed) -> Lesson<'a> {
        let rows = self.vocabulary.space.rows();
        Lesson { vectors: &of.vectors, truths: &of.truths, labels: self.labels, rows }
    }
}

/// The fold of each case: cases of a label are spread evenly, in a random order.
pub fn stratified(truths: &[usize], labels: usize, folds: usize, seed: u64) -> Vec<usize> {
    let mut random = Random::new(seed);
    let mut fold_of = vec![0; truths.len()];
    let mut next = 0;
    for label in 0..labels {
        let mut own: Vec<usize> = (0..truths.len()).filter(|case| truths[*case] == label).collect();
        random.shuffle(&mut own);
        for case in own {
            fold_of[case] = next % folds;
            next += 1;
        }
    }
    fold_of
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::tests::{TEXTS, labels, trained};

    #[test]
    fn the_same_cases_and_seed_give_the_same_bytes() {
        let bytes = |seed| {
            let mut bytes = Vec::new();
            trained(seed).model.write(&mut bytes).unwrap();
            bytes
        };
        assert_eq!(bytes(1), bytes(1));
        assert_ne!(bytes(1), bytes(2));
    }

    #[test]
    fn what_cannot_be_learned_from_is_said() {
        let train = |texts: &[&str], truths: &[usize]| {
            Model::train(texts, truths, labels(), &Options::default(), 1, |_| {}).unwrap_err().to_string()
        };
        assert!(train(&["a"], &[0]).contains("10 to 1000000"));
        assert!(train(&["a b"; 10], &[1; 10]).contains("`Mail`"));
        assert!(train(&["a b"; 10], &[7; 10]).contains("label number 7"));
        assert!(train(&[" "; 10], &[0, 1, 0, 1, 0, 1, 0, 1, 0, 1]).contains("no words"));
        assert!(train(&["a b"; 11], &[0; 10]).contains("cannot learn"));
    }

    #[test]
    fn progress_is_told_to_the_end() {
        let (texts, truths) = TEXTS.into_iter().unzip::<_, _, Vec<_>, Vec<_>>();
        let mut heard = Vec::new();
        Model::train(&texts, &truths, labels(), &Options::default(), 1, |p| heard.push(p)).unwrap();
        assert!(matches!(heard[0], Progress::Rows { words: 10.., pairs: 1.. }), "{heard:?}");
        assert!(heard.contains(&Progress::Fold { done: 3, of: 3 }));
        assert_eq!(heard.last(), Some(&Progress::Pass { done: 8, of: 8 }));
    }

    #[test]
    fn folds_have_their_share_of_every_label() {
        let truths: Vec<usize> = (0..100).map(|i| usize::from(i % 5 == 0)).collect();
        let folds = stratified(&truths, 2, 4, 9);
        for fold in 0..4 {
            let own: Vec<usize> = (0..100).filter(|case| folds[*case] == fold).collect();
            assert_eq!((own.len(), own.iter().filter(|case| truths[**case] == 1).count()), (25, 5));
        }
    }
}
