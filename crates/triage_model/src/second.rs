//! The nets of a model, joined: their hidden units side by side are one wide net that says the mean of what they say.
//!
//! That mean is added to the linear classifier's scores. Words are kept in eight bits, as there.

use crate::{
    net::{Net, WIDTH, input},
    rounding::round,
    space::Entry,
};

/// How much the mean of the nets counts beside the linear classifier's scores.
pub const SHARE: f32 = 0.16;
/// The most hidden units of a model.
pub const MAX_WIDTH: usize = 320 * WIDTH;
/// The most weights of words in all nets together.
const MAX_WEIGHTS: usize = 1 << 26;
/// From so many cases on nets are learned. With fewer, too few are held back to say how sure the two are together.
pub const LEAST_CASES: usize = 200;

/// Nets side by side; of width 0 where there are none.
#[derive(Debug, Clone, PartialEq)]
pub struct Second {
    /// How many hidden units there are.
    pub(crate) width: usize,
    /// What a weight of 1 stands for, by word.
    pub(crate) scales: Vec<f32>,
    /// What the hidden units have before any word.
    pub(crate) hidden: Vec<f32>,
    /// By label, then unit.
    pub(crate) out: Vec<f32>,
    /// What each label has before any hidden unit.
    pub(crate) base: Vec<f32>,
    /// By word, then unit.
    pub(crate) words: Vec<i8>,
}

/// How many nets to learn on each part of the cases, where `wanted` are.
pub fn how_many(wanted: usize, cases: usize, words: usize, parts: usize) -> usize {
    if cases < LEAST_CASES { 0 } else { wanted.min(MAX_WEIGHTS / (words * WIDTH * parts).max(1)) }
}

/// Adds the mean of what these nets say of a vector.
pub fn add(nets: &[Net], vector: &[Entry], scores: &mut [f32]) {
    for net in nets {
        for (score, said) in scores.iter_mut().zip(net.scores(vector)) {
            *score += said * part(nets);
        }
    }
}

/// What a net's scores are multiplied with.
fn part(nets: &[Net]) -> f32 {
    nets.iter().fold(0.0, |count, _| count + 1.0f32).recip() * SHARE
}

impl Second {
    /// No second opinion.
    pub fn none() -> Self {
        let (scales, hidden, out, base) = Default::default();
        Self { width: 0, scales, hidden, out, base, words: Vec::new() }
    }

    /// Joins nets of the same words and labels.
    pub fn join(nets: &[Net]) -> Self {
        let mut joined = Self::none();
        let Some(first) = nets.first() else { return joined };
        joined.width = nets.len() * WIDTH;
        for word in 0..first.words.len() {
            let own = nets.iter().flat_map(|net| net.words[word]);
            joined.scales.push(round(own, &mut joined.words));
        }
        joined.hidden = nets.iter().flat_map(|net| net.hidden).collect();
        for label in 0..first.out.len() {
            joined.out.extend(nets.iter().flat_map(|net| net.out[label]).map(|weight| weight * part(nets)));
            joined.base.push(nets.iter().map(|net| net.base[label] * part(nets)).sum());
        }
        joined
    }

    /// Adds what it says of a vector.
    pub fn add(&self, vector: &[Entry], scores: &mut [f32]) {
        if self.width == 0 {
            return;
        }
        let units = self.units(vector);
        for ((score, base), out) in scores.iter_mut().zip(&self.base).zip(self.out.chunks_exact(self.width)) {
            *score += base + out.iter().zip(&units).map(|(weight, unit)| weight * unit).sum::<f32>();
        }
    }

    /// How far each word of a vector moved the label's score beyond the mean of the others': exact, for with the same
    /// units at work the net is linear.
    pub fn spoke(&self, vector: &[Entry], label: usize) -> Vec<Entry> {
        if self.width == 0 {
            return Vec::new();
        }
        let others = self.base.iter().skip(1).fold(0.0, |count, _| count + 1.0f32);
        let mut toward = vec![0.0; self.width];
        for (number, out) in self.out.chunks_exact(self.width).enumerate() {
            let side = if number == label { 1.0 } else { -1.0 / others };
            toward.iter_mut().zip(out).for_each(|(toward, weight)| *toward += side * weight);
        }
        for (toward, unit) in toward.iter_mut().zip(self.units(vector)) {
            *toward *= f32::from(u8::from(unit > 0.0));
        }
        let moved = |word: u32| {
            let (own, scale) = self.word(word);
            own.iter().zip(&toward).map(|(weight, toward)| f32::from(*weight) * toward).sum::<f32>() * scale
        };
        input(vector, self.scales.len()).map(|(word, value)| (word, value * moved(word))).collect()
    }

    fn word(&self, word: u32) -> (&[i8], f32) {
        (&self.words[word as usize * self.width..][..self.width], self.scales[word as usize])
    }

    fn units(&self, vector: &[Entry]) -> Vec<f32> {
        let mut units = self.hidden.clone();
        for (word, value) in input(vector, self.scales.len()) {
            let (own, scale) = self.word(word);
            let value = value * scale;
            for (unit, weight) in units.iter_mut().zip(own) {
                *unit += value * f32::from(*weight);
            }
        }
        for unit in &mut units {
            *unit = unit.max(0.0);
        }
        units
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::svm::Lesson;

    fn nets() -> Vec<Net> {
        let vectors: Vec<Vec<Entry>> = (0..300).map(|case| vec![(case % 3, 1.0), (3, 0.5)]).collect();
        let truths: Vec<usize> = (0..300).map(|case| case % 3).collect();
        let lesson = Lesson { vectors: &vectors, truths: &truths, labels: 3, rows: 4 };
        let all: Vec<usize> = (0..300).collect();
        (0..4).map(|seed| Net::learn(lesson, &all, 4, seed)).collect()
    }

    #[test]
    fn joined_nets_say_what_they_say_apart() {
        let (nets, vector) = (nets(), [(1, 0.8), (3, 0.4)]);
        let (mut apart, mut joined) = (vec![0.5; 3], vec![0.5; 3]);
        add(&nets, &vector, &mut apart);
        Second::join(&nets).add(&vector, &mut joined);
        assert!(apart.iter().zip(&joined).all(|(a, b)| (a - b).abs() < 0.02), "{apart:?} {joined:?}");
        assert!(joined[1] > joined[0] + 0.1, "{joined:?}");
    }

    #[test]
    fn the_word_that_spoke_for_a_label_is_named() {
        let spoke = Second::join(&nets()).spoke(&[(1, 0.8), (3, 0.4)], 1);
        assert!(spoke[0].0 == 1 && spoke[0].1 > 0.1 && spoke[0].1 > 2.0 * spoke[1].1.abs(), "{spoke:?}");
    }

    #[test]
    fn no_nets_say_nothing() {
        let none = Second::join(&[]);
        let mut scores = vec![0.5, 0.25];
        none.add(&[(0, 1.0)], &mut scores);
        assert_eq!(scores, [0.5, 0.25]);
        assert!(none.spoke(&[(0, 1.0)], 0).is_empty());
    }

    #[test]
    fn nets_are_for_many_cases_and_have_their_bound() {
        assert_eq!(how_many(4, LEAST_CASES - 1, 100, 3), 0);
        assert_eq!(how_many(4, LEAST_CASES, 10_000, 3), 4);
        assert_eq!(how_many(4, 1_000_000, 1 << 18, 3), 1);
        assert_eq!(how_many(4, 1_000_000, 1 << 20, 20), 0);
    }
}
