//! What the words of a case add up to.

use std::collections::BTreeMap;

use super::{Because, Category, Level, MAX_BECAUSE, Severity, lexicon::Vote};

/// Evidence for "something else" that every case starts with: one hint of weight 1 cannot decide.
const PRIOR: f64 = 1.5;
/// How much a word counts that comes a second time; a third time it counts nothing.
const REPEATED: f64 = 0.5;

/// What the words of a case add up to.
#[derive(Default)]
pub(super) struct Tally {
    /// By word (its stems) and category: how often, the weight so far, and the first way it was written.
    words: BTreeMap<(Vec<String>, Category), (u32, Because)>,
    pub scores: BTreeMap<Category, f64>,
    /// The most pressing cue with its word, and the mildest.
    pub pressing: Option<(Severity, String)>,
    pub mild: Option<String>,
    /// What is said about how many are kept from work, and how soon help is needed: the highest that is said.
    pub impact: Option<Level>,
    pub urgency: Option<Level>,
    /// By index of the hint: how many words.
    pub hints: BTreeMap<usize, u32>,
}

impl Tally {
    pub fn word(&mut self, stems: &[String], written: &str, vote: &Vote) {
        let (times, because) = self.words.entry((stems.to_vec(), vote.category)).or_insert_with(|| {
            let because = Because { word: written.to_owned(), weight: 0.0, speaks_for: vote.category };
            (0, because)
        });
        let weight = match *times {
            0 => vote.weight,
            1 => vote.weight * REPEATED,
            _ => 0.0,
        };
        *times = times.saturating_add(1);
        because.weight += weight;
        *self.scores.entry(vote.category).or_default() += weight;
    }

    pub fn cue(&mut self, severity: Severity, written: &str) {
        if severity == Severity::Low {
            self.mild.get_or_insert_with(|| written.to_owned());
        } else if self.pressing.as_ref().is_none_or(|(known, _)| severity > *known) {
            self.pressing = Some((severity, written.to_owned()));
        }
    }

    /// The leading category with its share of all the evidence; the first in order among equals.
    pub fn leader(&self) -> (Category, f64) {
        let total: f64 = self.scores.values().sum();
        let best = self.scores.iter().fold((Category::General, 0.0), |best, (category, score)| {
            if *score > best.1 { (*category, *score) } else { best }
        });
        (best.0, best.1 / (total + PRIOR))
    }

    /// The reasons: the leader's first, each group heaviest first.
    pub fn because(self, leader: Category) -> Vec<Because> {
        let mut out: Vec<Because> = self.words.into_values().map(|(_, because)| because).collect();
        out.sort_by(|a, b| {
            let against = |because: &Because| because.speaks_for != leader;
            against(a).cmp(&against(b)).then(b.weight.total_cmp(&a.weight))
        });
        out.truncate(MAX_BECAUSE);
        out
    }
}
