//! A learned model, and what it says about a text.

use crate::{
    LabelSet, ModelError, calibrate,
    rounding::round,
    second::Second,
    space::{Entry, Space},
    svm::Weights,
    words::{Word, words},
};

/// The most words that are given as the reasons of a prediction.
pub const MAX_EVIDENCE: usize = 5;
/// The most characters of such a word.
pub const MAX_EVIDENCE_CHARS: usize = 40;

/// Names the label of a text. Learned by [`Model::train`], kept by [`Model::write`].
#[derive(Debug, Clone, PartialEq)]
pub struct Model {
    pub(crate) labels: LabelSet,
    pub(crate) space: Space,
    /// How much each row counts, by row.
    pub(crate) gains: Vec<f32>,
    /// What a weight of 1 stands for, by row.
    pub(crate) scales: Vec<f32>,
    /// The weights, by row, then label.
    pub(crate) weights: Vec<i8>,
    /// The scores of a text of which nothing is known, by label.
    pub(crate) base: Vec<f32>,
    pub(crate) second: Second,
    pub(crate) calibration: Calibration,
}

/// How scores become a confidence, and when it is too low.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Calibration {
    /// What scores are multiplied with before they are compared; above 0.
    pub temperature: f32,
    /// Below this confidence the model abstains, 0 to 1.
    pub threshold: f32,
}

/// What a model says about a text.
#[derive(Debug, Clone, PartialEq)]
pub struct Prediction {
    /// The likeliest label, also when the model abstains.
    pub label: String,
    /// Its number in the set.
    pub number: usize,
    /// How likely it is, by cases that were held back: 0 to [`calibrate::MAX_CONFIDENCE`].
    pub confidence: f32,
    /// Whether the confidence is below the threshold, or no word of the text is known: nobody should act on the label.
    pub abstained: bool,
    /// The words that spoke most for the label, the strongest first.
    pub words: Vec<Evidence>,
}

/// A word that spoke for a label.
#[derive(Debug, Clone, PartialEq)]
pub struct Evidence {
    /// The word, lower-cased, its first [`MAX_EVIDENCE_CHARS`] characters.
    pub word: String,
    /// Its share of all that spoke for the label: above 0, at most 1.
    pub share: f32,
}

impl Model {
    pub(crate) fn new(
        labels: LabelSet,
        space: Space,
        gains: Vec<f32>,
        learned: &Weights,
        second: Second,
        calibration: Calibration,
    ) -> Self {
        let mut scales = Vec::with_capacity(space.rows());
        let mut weights = Vec::with_capacity(space.rows() * labels.len());
        for row in 0..space.rows() {
            scales.push(round(learned.row(row).iter().copied(), &mut weights));
        }
        let base = learned.row(space.rows()).to_vec();
        Self { labels, space, gains, scales, weights, base, second, calibration }
    }

    /// The labels that it can name.
    pub fn labels(&self) -> &LabelSet {
        &self.labels
    }

    /// How many words it knows, and how many pairs of words.
    pub fn size(&self) -> (usize, usize) {
        (self.space.words.len(), self.space.seconds.len())
    }

    /// How it is calibrated.
    pub fn calibration(&self) -> Calibration {
        self.calibration
    }

    /// The same model with another threshold, 0 (always answers) to 1 (never).
    pub fn with_threshold(mut self, threshold: f32) -> Result<Self, ModelError> {
        if !(0.0..=1.0).contains(&threshold) {
            return Err(ModelError::Option {
                name: "threshold",
                given: threshold.to_string(),
                range: "0 to 1",
            });
        }
        self.calibration.threshold = threshold;
        Ok(self)
    }

    /// What it says about a text. Any text is fine; the first [`crate::words::MAX_WORDS`] words are read.
    pub fn predict(&self, text: &str) -> Prediction {
        let read = words(text);
        let places = self.space.places(&read);
        let bag = self.space.bag(&places);
        let vector = self.space.vector(&bag, |row| self.gains[row as usize]);
        let (number, confidence) = calibrate::confidence(&self.scores(&vector), self.calibration.temperature);
        Prediction {
            label: self.labels.name(number).unwrap_or_default().to_owned(),
            number,
            confidence,
            abstained: vector.is_empty() || confidence < self.calibration.threshold,
            words: self.evidence(number, &vector, &places, &read),
        }
    }

    fn row(&self, row: u32) -> (&[i8], f32) {
        let labels = self.labels.len();
        (&self.weights[row as usize * labels..][..labels], self.scales[row as usize])
    }

    fn scores(&self, vector: &[Entry]) -> Vec<f32> {
        let mut scores = self.base.clone();
        for (row, value) in vector {
            let (weights, scale) = self.row(*row);
            let value = value * scale;
            for (score, weight) in scores.iter_mut().zip(weights) {
                *score += value * f32::from(*weight);
            }
        }
        self.second.add(vector, &mut scores);
        scores
    }

    /// The words that moved the label's score beyond the mean of the others'. A pair counts half for each of its words.
    fn evidence(&self, label: usize, vector: &[Entry], places: &[u32], read: &[Word<'_>]) -> Vec<Evidence> {
        let others = f32::from(u8::try_from(self.labels.len() - 1).unwrap_or(u8::MAX));
        let mut spoke: Vec<Entry> = Vec::with_capacity(vector.len() * 2);
        for (row, value) in vector {
            let (weights, scale) = self.row(*row);
            let own = f32::from(weights[label]);
            let sum: f32 = weights.iter().map(|weight| f32::from(*weight)).sum();
            let part = value * scale * (own - (sum - own) / others);
            match self.space.pair_of(*row) {
                None => spoke.push((*row, part)),
                Some((first, second)) => spoke.extend([(first, part / 2.0), (second, part / 2.0)]),
            }
        }
        spoke.extend(self.second.spoke(vector, label));
        spoke.sort_by_key(|(word, _)| *word);
        let mut spoke: Vec<Entry> = spoke
            .chunk_by(|a, b| a.0 == b.0)
            .map(|same| (same[0].0, same.iter().map(|(_, part)| part).sum()))
            .filter(|(_, part)| *part > 0.0)
            .collect();
        spoke.sort_by(|a, b| b.1.total_cmp(&a.1).then(a.0.cmp(&b.0)));
        let all: f32 = spoke.iter().map(|(_, part)| part).sum();
        spoke
            .iter()
            .take(MAX_EVIDENCE)
            .filter_map(|(word, part)| {
                let at = places.iter().position(|place| place == word)?;
                Some(Evidence { word: shown(read[at].text), share: part / all })
            })
            .collect()
    }
}

fn shown(word: &str) -> String {
    word.to_lowercase().chars().take(MAX_EVIDENCE_CHARS).collect()
}

#[cfg(test)]
pub(crate) mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::{Options, Trained};

    /// Cases of two labels.
    pub const TEXTS: [(&str, usize); 16] = [
        ("the printer jams and the printer is out of paper", 0),
        ("printer paper jam again", 0),
        ("paper jam in the printer on floor two", 0),
        ("please replace the printer toner", 0),
        ("printer toner is empty please replace", 0),
        ("the printer prints blank paper", 0),
        ("new toner for the printer please", 0),
        ("printer floor two out of toner", 0),
        ("cannot send mail from outlook", 1),
        ("outlook mail is not received", 1),
        ("my mailbox is full please help mail bounces", 1),
        ("mail from the customer bounces mailbox", 1),
        ("outlook cannot open the mailbox", 1),
        ("please add me to the mail list outlook", 1),
        ("mailbox full outlook cannot send", 1),
        ("mail list of the team bounces", 1),
    ];

    /// Their names.
    pub fn labels() -> LabelSet {
        LabelSet::new(["Printing", "Mail", "Never seen"]).unwrap()
    }

    /// A model of [`TEXTS`].
    pub fn trained(seed: u64) -> Trained {
        let (texts, truths) = TEXTS.into_iter().unzip::<_, _, Vec<_>, Vec<_>>();
        let options = Options { pair_cases: 2, ..Options::default() };
        Model::train(&texts, &truths, labels(), &options, seed, |_| {}).unwrap()
    }

    /// A model of them many times over: with nets.
    pub fn with_nets() -> Model {
        let (texts, truths) =
            TEXTS.iter().cycle().take(crate::second::LEAST_CASES).copied().unzip::<_, _, Vec<_>, Vec<_>>();
        let options = Options { pair_cases: 2, nets: 1, ..Options::default() };
        Model::train(&texts, &truths, labels(), &options, 1, |_| {}).unwrap().model
    }

    #[test]
    fn nets_have_their_say_and_the_words_are_named_all_the_same() {
        let model = with_nets();
        let said = model.predict("the printer has no toner");
        assert_eq!(said.label, "Printing");
        assert!(
            said.words.len() > 1 && said.words.iter().all(|e| e.share > 0.0 && e.share <= 1.0),
            "{said:?}"
        );
        let mut alone = model.clone();
        alone.second = Second::none();
        assert_ne!(alone.predict("the printer has no toner").words, said.words);
    }

    #[test]
    fn an_unseen_text_gets_the_label_of_its_words_and_they_are_named() {
        let model = trained(1).model;
        let said = model.predict("Please: the PRINTER has a paper jam");
        assert_eq!((said.label.as_str(), said.number), ("Printing", 0));
        let named: Vec<&str> = said.words.iter().map(|e| e.word.as_str()).collect();
        assert!(
            named.len() == MAX_EVIDENCE && named[..3].contains(&"printer") && named[..3].contains(&"paper"),
            "{named:?}"
        );
        assert!(said.words.is_sorted_by(|a, b| a.share >= b.share), "{:?}", said.words);
        assert_eq!(model.predict("the mailbox of the team bounces").label, "Mail");
    }

    #[test]
    fn a_text_of_unknown_words_is_not_answered() {
        let model = trained(1).model.with_threshold(0.0).unwrap();
        for text in ["", "zzz qqq", "\u{0}"] {
            let said = model.predict(text);
            assert!(said.abstained && said.words.is_empty(), "{said:?}");
        }
        assert!(!model.predict("printer").abstained);
    }

    #[test]
    fn the_threshold_decides_about_abstaining_and_nothing_else() {
        let model = trained(1).model;
        let never = model.clone().with_threshold(1.0).unwrap().predict("printer toner");
        let always = model.clone().with_threshold(0.0).unwrap().predict("printer toner");
        assert!(never.abstained && !always.abstained);
        assert_eq!((never.label, never.confidence), (always.label, always.confidence));
        assert!(model.with_threshold(f32::NAN).is_err());
    }

    proptest! {
        #[test]
        fn no_text_gets_a_label_outside_the_set(text in "\\PC{0,200}") {
            thread_local!(static MODEL: Model = trained(1).model);
            let said = MODEL.with(|model| model.predict(&text));
            prop_assert!(labels().number(&said.label) == Some(said.number));
            prop_assert!((0.0..=calibrate::MAX_CONFIDENCE).contains(&said.confidence));
            prop_assert!(said.words.iter().all(|e| e.share > 0.0 && e.share <= 1.0));
        }
    }
}
