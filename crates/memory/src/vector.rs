//! Vectors as small integers, and how close they are to a question's.

use fearless_simd::{Level, Simd, dispatch};

/// A vector of length 1 with a byte a number: each is its integer times `scale`, off by half of `scale` at most.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Small {
    /// What an integer is multiplied with.
    pub(crate) scale: f32,
    /// The numbers, -127 to 127.
    pub(crate) numbers: Vec<i8>,
}

impl Small {
    /// The vector, brought to length 1; nothing when it has no direction.
    #[expect(clippy::cast_possible_truncation, reason = "rounded numbers of -127 to 127")]
    pub(crate) fn of(vector: &[f32]) -> Option<Self> {
        let length = vector.iter().map(|x| f64::from(*x).powi(2)).sum::<f64>().sqrt() as f32;
        let largest = vector.iter().fold(0_f32, |largest, x| largest.max(x.abs()));
        if !length.is_normal() || !vector.iter().all(|x| x.is_finite()) {
            return None;
        }
        let numbers = vector.iter().map(|x| (x / largest * 127.0).round() as i8).collect();
        Some(Self { scale: largest / length / 127.0, numbers })
    }

    /// Its numbers, to be calculated with.
    pub(crate) fn values(&self) -> impl Iterator<Item = f32> {
        self.numbers.iter().map(|number| f32::from(*number) * self.scale)
    }

    /// As it is kept: the scale's four bytes (little-endian), then a byte a number.
    pub(crate) fn to_bytes(&self) -> Vec<u8> {
        let mut bytes = self.scale.to_le_bytes().to_vec();
        bytes.extend(self.numbers.iter().map(|number| number.cast_unsigned()));
        bytes
    }

    /// What [`Small::to_bytes`] wrote.
    pub(crate) fn from_bytes(bytes: &[u8]) -> Option<Self> {
        let (scale, numbers) = bytes.split_first_chunk::<4>()?;
        let scale = f32::from_le_bytes(*scale);
        (scale.is_normal() && scale > 0.0 && !numbers.is_empty())
            .then(|| Self { scale, numbers: numbers.iter().map(|byte| byte.cast_signed()).collect() })
    }
}

/// A question's vector, ready to be compared with many.
#[derive(Debug, Clone)]
pub(crate) struct Asked {
    scale: f32,
    numbers: Vec<i16>,
    level: Level,
}

impl Asked {
    /// The question's vector.
    pub(crate) fn new(vector: &Small) -> Self {
        let numbers = vector.numbers.iter().map(|number| i16::from(*number)).collect();
        Self { scale: vector.scale, numbers, level: Level::new() }
    }

    /// How many numbers it has.
    pub(crate) fn dimensions(&self) -> usize {
        self.numbers.len()
    }

    /// The cosine of the angle to each row: rows stand one after the other in `numbers`, each with its own scale.
    pub(crate) fn similarities(&self, numbers: &[i8], scales: &[f32], found: &mut Vec<f32>) {
        found.clear();
        dispatch!(self.level, simd => compare(simd, &self.numbers, numbers, scales, self.scale, found));
    }
}

/// One loop over plain slices, which the compiler turns into the vector instructions of each level.
#[inline(always)]
#[expect(clippy::inline_always, reason = "it must become part of the code for each level")]
#[expect(clippy::cast_precision_loss, reason = "at most 4096 * 127 * 127, seven digits")]
fn compare<S: Simd>(_: S, asked: &[i16], numbers: &[i8], scales: &[f32], scale: f32, found: &mut Vec<f32>) {
    for (row, own) in numbers.chunks_exact(asked.len()).zip(scales) {
        let dot: i32 = row.iter().zip(asked).map(|(a, b)| i32::from(*a) * i32::from(*b)).sum();
        found.push(dot as f32 * own * scale);
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn exact(a: &[f32], b: &[f32]) -> f64 {
        let dot =
            |a: &[f32], b: &[f32]| a.iter().zip(b).map(|(a, b)| f64::from(*a) * f64::from(*b)).sum::<f64>();
        dot(a, b) / (dot(a, a) * dot(b, b)).sqrt()
    }

    #[test]
    fn what_has_no_direction_is_no_vector() {
        for bad in [&[0.0_f32, 0.0][..], &[f32::NAN, 1.0], &[f32::INFINITY, 1.0], &[f32::MAX; 9], &[]] {
            assert_eq!(Small::of(bad), None, "{bad:?}");
        }
        assert!(Small::from_bytes(&[0; 8]).is_none() && Small::from_bytes(&[1, 2]).is_none());
    }

    proptest! {
        #[test]
        fn the_angle_is_nearly_the_exact_one(
            pairs in prop::collection::vec((-1.0_f32..1.0, -1.0_f32..1.0), 16..400),
        ) {
            let (a, b): (Vec<f32>, Vec<f32>) = pairs.into_iter().unzip();
            let (Some(small_a), Some(small_b)) = (Small::of(&a), Small::of(&b)) else { return Ok(()) };
            prop_assert_eq!(Small::from_bytes(&small_a.to_bytes()), Some(small_a.clone()));
            let mut found = Vec::new();
            let rows = [small_b.numbers.clone(), small_a.numbers.clone()].concat();
            Asked::new(&small_a).similarities(&rows, &[small_b.scale, small_a.scale], &mut found);
            prop_assert!((f64::from(found[0]) - exact(&a, &b)).abs() < 0.02, "{} {}", found[0], exact(&a, &b));
            prop_assert!((found[1] - 1.0).abs() < 0.02, "{}", found[1]);
        }
    }
}
