//! Weights as a model keeps them: whole numbers of eight bits, and for each row what they stand for.

/// The greatest number a weight is kept as; it stands for the greatest weight of its row.
const QUANTUM: f32 = 127.0;

/// Puts a row of weights behind `into`; what a 1 stands for.
pub fn round(own: impl Iterator<Item = f32> + Clone, into: &mut Vec<i8>) -> f32 {
    let greatest = own.clone().fold(0.0f32, |greatest, weight| greatest.max(weight.abs()));
    let scale = greatest / QUANTUM;
    into.extend(own.map(|weight| if scale > 0.0 { quantum(weight / scale) } else { 0 }));
    scale
}

#[expect(clippy::cast_possible_truncation, reason = "it is clamped to what fits")]
fn quantum(weight: f32) -> i8 {
    weight.round().clamp(-QUANTUM, QUANTUM) as i8
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rounded_weights_say_nearly_the_same_as_the_learned_ones() {
        assert_eq!((quantum(127.4), quantum(-500.0), quantum(0.5), quantum(f32::NAN)), (127, -127, 1, 0));
        let mut kept = Vec::new();
        let scale = round([0.5, -2.0, 0.0].into_iter(), &mut kept);
        assert_eq!(kept, [32, -127, 0]);
        assert!((f32::from(kept[0]) * scale - 0.5).abs() <= scale / 2.0);
    }

    #[test]
    fn a_row_of_nothing_stays_nothing() {
        let mut kept = Vec::new();
        assert_eq!(round([0.0; 3].into_iter(), &mut kept).to_bits(), 0);
        assert_eq!(kept, [0; 3]);
    }
}
