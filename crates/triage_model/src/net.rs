//! The second opinion: a small net with one hidden layer over the words of a text.
//!
//! The linear classifier adds up what each word and pair says. A net can learn that words mean another thing together
//! than each alone. By itself it is right less often than the linear classifier; but it errs elsewhere, and several nets,
//! each from other first weights and other cases, err less than one. [`crate::second`] joins them.
//!
//! Stochastic gradient descent on the cross-entropy, a rate that falls to nothing, and words that are left out at random
//! (Iyyer, Manjunatha, Boyd-Graber, Daumé: Deep unordered composition rivals syntactic methods, 2015).

use crate::{random::Random, space::Entry, svm::Lesson};

/// How many hidden units a net has.
pub const WIDTH: usize = 64;
/// The length that the words of a text are brought to.
const LENGTH: f32 = 8.0;
/// How often the learning goes through all cases.
const PASSES: usize = 5;
/// How large the first steps are, for the weights of words.
const RATE: f32 = 0.2;
/// How large the steps of all other weights are beside those.
const OUTER: f32 = 0.1;
/// The share of words that are left out of a case.
const LEFT_OUT: f32 = 0.2;
/// The first weights of words are below this, either side of 0.
const FIRST_WORDS: f32 = 0.02;
/// The same for the weights of labels.
const FIRST_OUT: f32 = 0.3;

/// One value for each hidden unit.
pub type Units = [f32; WIDTH];

/// What was learned.
#[derive(Debug, Clone)]
pub struct Net {
    /// By word.
    pub words: Vec<Units>,
    /// What the hidden units have before any word.
    pub hidden: Units,
    /// By label.
    pub out: Vec<Units>,
    /// What each label has before any hidden unit.
    pub base: Vec<f32>,
}

impl Net {
    fn random(words: usize, labels: usize, random: &mut Random) -> Self {
        let mut units = |most: f32| std::array::from_fn(|_| (random.share() * 2.0 - 1.0) * most);
        Self {
            words: (0..words).map(|_| units(FIRST_WORDS)).collect(),
            hidden: [0.0; WIDTH],
            out: (0..labels).map(|_| units(FIRST_OUT)).collect(),
            base: vec![0.0; labels],
        }
    }

    /// Learns from the `chosen` of the lesson's vectors, from the words in them: their first rows, of which there are
    /// `words`.
    pub fn learn(lesson: Lesson<'_>, chosen: &[usize], words: usize, seed: u64) -> Self {
        let mut random = Random::new(seed);
        let mut net = Self::random(words, lesson.labels, &mut random);
        let mut order = chosen.to_vec();
        let mut kept = Vec::new();
        let mut done = 0;
        for _ in 0..PASSES {
            random.shuffle(&mut order);
            for &case in &order {
                kept.clear();
                kept.extend(
                    input(&lesson.vectors[case], words)
                        .filter(|_| random.share() >= LEFT_OUT)
                        .map(|(word, value)| (word, value / (1.0 - LEFT_OUT))),
                );
                net.step(&kept, lesson.truths[case], RATE * (1.0 - share(done, PASSES * order.len())));
                done += 1;
            }
        }
        net
    }

    /// Follows the gradient of one case.
    fn step(&mut self, seen: &[Entry], truth: usize, rate: f32) {
        let units = self.units(seen.iter().copied());
        let mut slopes = self.outputs(&units);
        softmax(&mut slopes);
        slopes[truth] -= 1.0;
        let mut back = [0.0; WIDTH];
        for ((slope, out), base) in slopes.iter().zip(&mut self.out).zip(&mut self.base) {
            *base -= rate * OUTER * slope;
            for unit in 0..WIDTH {
                if units[unit] > 0.0 {
                    back[unit] += slope * out[unit];
                }
                out[unit] -= rate * OUTER * slope * units[unit];
            }
        }
        for (hidden, back) in self.hidden.iter_mut().zip(&back) {
            *hidden -= rate * OUTER * back;
        }
        for (word, value) in seen {
            let step = rate * value;
            for (weight, back) in self.words[*word as usize].iter_mut().zip(&back) {
                *weight -= step * back;
            }
        }
    }

    /// The scores of a vector, one a label.
    pub fn scores(&self, vector: &[Entry]) -> Vec<f32> {
        self.outputs(&self.units(input(vector, self.words.len())))
    }

    fn units(&self, seen: impl Iterator<Item = Entry>) -> Units {
        let mut units = self.hidden;
        for (word, value) in seen {
            for (unit, weight) in units.iter_mut().zip(&self.words[word as usize]) {
                *unit += value * weight;
            }
        }
        units.map(|unit| unit.max(0.0))
    }

    fn outputs(&self, units: &Units) -> Vec<f32> {
        let said = |out: &Units| -> f32 { out.iter().zip(units).map(|(weight, unit)| weight * unit).sum() };
        self.out.iter().zip(&self.base).map(|(out, base)| base + said(out)).collect()
    }
}

/// The entries of a vector that are words, brought to [`LENGTH`].
pub fn input(vector: &[Entry], words: usize) -> impl Iterator<Item = Entry> + Clone {
    let own = &vector[..vector.partition_point(|(row, _)| (*row as usize) < words)];
    let squares: f32 = own.iter().map(|(_, value)| value * value).sum();
    let factor = if squares > 0.0 { LENGTH / squares.sqrt() } else { 0.0 };
    own.iter().map(move |(word, value)| (*word, value * factor))
}

fn softmax(scores: &mut [f32]) {
    let greatest = scores.iter().fold(f32::MIN, |greatest, score| greatest.max(*score));
    let mut sum = 0.0;
    for score in &mut *scores {
        *score = (*score - greatest).exp();
        sum += *score;
    }
    for score in scores {
        *score /= sum;
    }
}

#[expect(clippy::cast_precision_loss, reason = "a rate may be a millionth off")]
fn share(done: usize, of: usize) -> f32 {
    done as f32 / of as f32
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::svm::highest;

    /// Two words of which either alone means label 1, and both or neither 0: no linear classifier can learn that. Some of
    /// twenty other words stand beside them.
    fn text(kind: u64, random: &mut Random) -> (Vec<Entry>, usize) {
        let marks: &[u32] = [&[][..], &[0], &[1], &[0, 1]][usize::try_from(kind).unwrap()];
        let mut rows: Vec<u32> = (0..4).map(|_| 2 + u32::try_from(random.next() % 20).unwrap()).collect();
        rows.extend(marks);
        rows.sort_unstable();
        rows.dedup();
        (rows.into_iter().map(|row| (row, 1.0)).collect(), usize::from(marks.len() == 1))
    }

    fn learned(seed: u64) -> Net {
        let mut random = Random::new(9);
        let (vectors, truths): (Vec<Vec<Entry>>, Vec<usize>) =
            (0..4_000).map(|case| text(case % 4, &mut random)).unzip();
        let all: Vec<usize> = (0..vectors.len()).collect();
        Net::learn(Lesson { vectors: &vectors, truths: &truths, labels: 2, rows: 22 }, &all, 22, seed)
    }

    #[test]
    fn what_words_mean_together_is_learned() {
        let (net, mut random) = (learned(1), Random::new(10));
        let right = (0..400).map(|case| text(case % 4, &mut random));
        let right = right.filter(|(vector, truth)| highest(&net.scores(vector)) == *truth).count();
        assert!(right > 360, "{right} of 400");
    }

    #[test]
    fn the_seed_says_all() {
        assert_eq!(learned(1).words, learned(1).words);
        assert_ne!(learned(1).words, learned(2).words);
    }

    #[test]
    fn pairs_are_not_looked_at_and_words_have_one_length() {
        let vector = [(0, 0.3), (1, 0.4), (2, 9.0)];
        let seen: Vec<Entry> = input(&vector, 2).collect();
        assert_eq!(seen.len(), 2);
        assert!((seen[0].1 - 4.8).abs() < 1e-5 && (seen[1].1 - 6.4).abs() < 1e-5, "{seen:?}");
        assert_eq!(input(&[], 2).count(), 0);
    }
}
