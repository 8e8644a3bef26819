//! A model's bytes.
//!
//! ```text
//! magic   8   "echotri2"
//! digest 32   SHA-256 of everything behind it
//! length  4   of the header, little-endian
//! header      JSON: labels, calibration, how rows are weighed, how many rows
//! body        little-endian: words u64, begins u32, seconds u32, gains f32, scales f32, base f32, weights i8;
//!             with nets (a width above 0) also: scales f32, hidden f32, out f32, base f32, words i8
//! ```
//!
//! A model that begins with "echotri1" is read as one without nets.
//!
//! The body's length follows from the header. Nothing is interpreted before the digest held, and no memory is taken for
//! bytes that have not come.

use std::io::{Read, Write};

use echo_core::Digest;
use serde::{Deserialize, Serialize};

use crate::{
    LabelSet, Model, ModelError,
    model::Calibration,
    second::{MAX_WIDTH, Second},
    space::{MAX_PAIR_ROWS, MAX_WORD_ROWS, Shape, Space},
};

const MAGIC: &[u8; 8] = b"echotri2";
/// Models without nets, as they were written before.
const MAGIC_1: &[u8; 8] = b"echotri1";
/// Magic, digest, and the header's length.
const FRONT: usize = 8 + 32 + 4;
/// The most bytes of the header: 64 labels and some numbers.
const MAX_HEADER: usize = 32 * 1024;
/// The most bytes of a model.
pub const MAX_MODEL_BYTES: u64 = 1 << 30;

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Header {
    labels: Vec<String>,
    words: usize,
    pairs: usize,
    temperature: f32,
    threshold: f32,
    window: usize,
    pair_weight: f32,
    title_weight: f32,
    /// How many hidden units the nets have together.
    #[serde(default)]
    width: usize,
}

impl Model {
    /// Writes its bytes.
    pub fn write(&self, mut into: impl Write) -> Result<(), ModelError> {
        let sealed = self.sealed()?;
        let digest = Digest::of(&sealed);
        for part in [MAGIC.as_slice(), &digest.0, &sealed] {
            into.write_all(part).map_err(|source| ModelError::Io { action: "write", source })?;
        }
        Ok(())
    }

    /// Reads a model and checks all of it. The reader must end with the model.
    pub fn read(mut from: impl Read) -> Result<Self, ModelError> {
        let mut front = [0; FRONT];
        exactly(&mut from, &mut front)?;
        let (magic, rest) = front.split_at(MAGIC.len());
        if magic != MAGIC && magic != MAGIC_1 {
            return Err(ModelError::format("it does not begin with `echotri2`"));
        }
        let (digest, length) = rest.split_at(32);
        let length = u32::from_le_bytes(length.try_into().expect("the front ends with four bytes")) as usize;
        if length > MAX_HEADER {
            return Err(ModelError::format(format!("its header has {length} bytes, more than {MAX_HEADER}")));
        }
        let mut sealed = front[FRONT - 4..].to_vec();
        let mut header = vec![0; length];
        exactly(&mut from, &mut header)?;
        sealed.extend_from_slice(&header);
        let header: Header =
            serde_json::from_slice(&header).map_err(|e| ModelError::format(format!("its header: {e}")))?;
        let body = header.body()?;
        let begin = sealed.len();
        let read = from
            .take(body + 1)
            .read_to_end(&mut sealed)
            .map_err(|source| ModelError::Io { action: "read", source })?;
        if read as u64 != body {
            let what = if (read as u64) < body { "ends too early" } else { "goes on behind its end" };
            return Err(ModelError::format(format!("it {what}")));
        }
        if Digest::of(&sealed).0 != digest {
            return Err(ModelError::format("its bytes were changed"));
        }
        header.model(&sealed[begin..])
    }

    /// Header's length, header and body.
    fn sealed(&self) -> Result<Vec<u8>, ModelError> {
        let Shape { window, pair_weight, title_weight } = self.space.shape;
        let Calibration { temperature, threshold } = self.calibration;
        let (words, pairs) = self.size();
        let labels = self.labels.names().to_vec();
        let width = self.second.width;
        let header =
            Header { labels, words, pairs, temperature, threshold, window, pair_weight, title_weight, width };
        let header = serde_json::to_vec(&header).map_err(|e| ModelError::format(e.to_string()))?;
        let length = u32::try_from(header.len()).expect("64 labels of 100 bytes are below 4 GiB");
        let mut out = length.to_le_bytes().to_vec();
        out.extend(header);
        out.extend(self.space.words.iter().flat_map(|n| n.to_le_bytes()));
        for numbers in [&self.space.begins, &self.space.seconds] {
            out.extend(numbers.iter().flat_map(|n| n.to_le_bytes()));
        }
        for numbers in [&self.gains, &self.scales, &self.base] {
            out.extend(numbers.iter().flat_map(|n| n.to_le_bytes()));
        }
        out.extend(self.weights.iter().flat_map(|weight| weight.to_le_bytes()));
        let second = &self.second;
        for numbers in [&second.scales, &second.hidden, &second.out, &second.base] {
            out.extend(numbers.iter().flat_map(|n| n.to_le_bytes()));
        }
        out.extend(second.words.iter().flat_map(|weight| weight.to_le_bytes()));
        Ok(out)
    }
}

fn exactly(from: &mut impl Read, into: &mut [u8]) -> Result<(), ModelError> {
    from.read_exact(into).map_err(|source| match source.kind() {
        std::io::ErrorKind::UnexpectedEof => ModelError::format("it ends too early"),
        _ => ModelError::Io { action: "read", source },
    })
}

impl Header {
    /// How many bytes the body has.
    fn body(&self) -> Result<u64, ModelError> {
        let labels = LabelSet::new(self.labels.clone())?.len() as u64;
        if self.words > MAX_WORD_ROWS || self.pairs > MAX_PAIR_ROWS || self.width > MAX_WIDTH {
            return Err(ModelError::format("it claims more words than any model has"));
        }
        let (words, pairs) = (self.words as u64, self.pairs as u64);
        let linear = words * 8 + (words + 1) * 4 + pairs * 4 + (words + pairs) * (8 + labels) + labels * 4;
        let width = self.width as u64;
        let nets = words * (4 + width) + width * 4 + labels * width * 4 + labels * 4;
        let body = if width == 0 { linear } else { linear + nets };
        if body > MAX_MODEL_BYTES {
            return Err(ModelError::format("it claims more bytes than any model has"));
        }
        Ok(body)
    }

    fn model(self, body: &[u8]) -> Result<Model, ModelError> {
        let labels = LabelSet::new(self.labels)?;
        let (rows, width) = (self.words + self.pairs, self.width);
        // Without hidden units nothing else of the nets is there.
        let there = usize::from(width > 0);
        let mut body = Body(body);
        let model = Model {
            space: Space {
                words: body.numbers(self.words, u64::from_le_bytes),
                begins: body.numbers(self.words + 1, u32::from_le_bytes),
                seconds: body.numbers(self.pairs, u32::from_le_bytes),
                shape: Shape {
                    window: self.window,
                    pair_weight: self.pair_weight,
                    title_weight: self.title_weight,
                },
            },
            gains: body.numbers(rows, f32::from_le_bytes),
            scales: body.numbers(rows, f32::from_le_bytes),
            base: body.numbers(labels.len(), f32::from_le_bytes),
            weights: body.numbers(rows * labels.len(), i8::from_le_bytes),
            second: Second {
                width,
                scales: body.numbers(self.words * there, f32::from_le_bytes),
                hidden: body.numbers(width, f32::from_le_bytes),
                out: body.numbers(labels.len() * width, f32::from_le_bytes),
                base: body.numbers(labels.len() * there, f32::from_le_bytes),
                words: body.numbers(self.words * width, i8::from_le_bytes),
            },
            calibration: Calibration { temperature: self.temperature, threshold: self.threshold },
            labels,
        };
        check(&model)?;
        Ok(model)
    }
}

/// Bytes that are read from the front.
struct Body<'a>(&'a [u8]);

impl Body<'_> {
    fn numbers<const N: usize, T>(&mut self, count: usize, from: impl Fn([u8; N]) -> T) -> Vec<T> {
        let (own, rest) = self.0.split_at(count * N);
        self.0 = rest;
        own.as_chunks::<N>().0.iter().map(|bytes| from(*bytes)).collect()
    }
}

/// What reading a text relies on.
fn check(model: &Model) -> Result<(), ModelError> {
    let Space { words, begins, seconds, shape } = &model.space;
    let ascending = words.is_sorted_by(|a, b| a < b) && begins.is_sorted() && begins[0] == 0;
    let whole = begins[words.len()] as usize == seconds.len();
    if !ascending || !whole {
        return Err(ModelError::format("its words are out of order"));
    }
    for (first, ends) in begins.windows(2).enumerate() {
        let own = &seconds[ends[0] as usize..ends[1] as usize];
        if !own.is_sorted_by(|a, b| a < b)
            || own.iter().any(|s| (*s as usize) < first || *s as usize >= words.len())
        {
            return Err(ModelError::format("its pairs are out of order"));
        }
    }
    let Calibration { temperature, threshold } = model.calibration;
    let Second { scales, hidden, out, base, .. } = &model.second;
    let numbers = [&model.gains, &model.scales, &model.base, scales, hidden, out, base].into_iter().flatten();
    let usual = |n: f32| n.is_finite() && n.abs() < 1e6;
    let calibrated = temperature > 0.0 && temperature < 1e6 && (0.0..=1.0).contains(&threshold);
    let shaped = shape.window <= 64
        && (0.0..=10.0).contains(&shape.pair_weight)
        && (0.0..=100.0).contains(&shape.title_weight);
    if !(calibrated && shaped && numbers.copied().all(usual)) {
        return Err(ModelError::format("a number in it is out of its range"));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::model::tests::{trained, with_nets};

    fn bytes(model: &Model) -> Vec<u8> {
        let mut bytes = Vec::new();
        model.write(&mut bytes).unwrap();
        bytes
    }

    fn refused(bytes: &[u8]) -> String {
        Model::read(bytes).unwrap_err().to_string()
    }

    #[test]
    fn a_model_comes_back_as_it_was() {
        let model = trained(1).model;
        assert_eq!(Model::read(bytes(&model).as_slice()).unwrap(), model);
        let model = with_nets();
        assert!(model.second.width > 0);
        assert_eq!(Model::read(bytes(&model).as_slice()).unwrap(), model);
    }

    #[test]
    fn a_model_from_before_there_were_nets_is_read() {
        let model = trained(1).model;
        let now = bytes(&model);
        let (front, body) = now.split_at(now.iter().position(|b| *b == b'}').unwrap() + 1);
        let header = std::str::from_utf8(&front[FRONT..]).unwrap().replace(",\"width\":0", "");
        assert!(!header.contains("width"));
        let mut before = forged(&header, body);
        before[..MAGIC_1.len()].copy_from_slice(MAGIC_1);
        assert_eq!(Model::read(before.as_slice()).unwrap(), model);
    }

    #[test]
    fn a_changed_byte_anywhere_is_refused() {
        let good = bytes(&trained(1).model);
        for at in (0..good.len()).step_by(7) {
            let mut bad = good.clone();
            bad[at] ^= 0x20;
            refused(&bad);
        }
    }

    #[test]
    fn a_model_that_ends_early_or_goes_on_is_refused() {
        let good = bytes(&trained(1).model);
        for length in [0, 7, FRONT, FRONT + 10, good.len() - 1] {
            assert!(refused(&good[..length]).contains("ends too early"), "{length}");
        }
        assert!(refused(&[good.as_slice(), b"x"].concat()).contains("goes on"));
    }

    /// A model with a right digest around this header and body.
    fn forged(header: &str, body: &[u8]) -> Vec<u8> {
        let length = u32::try_from(header.len()).unwrap().to_le_bytes();
        let sealed = [&length, header.as_bytes(), body].concat();
        [MAGIC.as_slice(), &Digest::of(&sealed).0, &sealed].concat()
    }

    #[test]
    fn a_header_that_claims_too_much_is_refused_before_memory_is_taken() {
        let header = |words: u64, pairs: u64| {
            format!(
                r#"{{"labels":["a","b"],"words":{words},"pairs":{pairs},"temperature":1.0,"threshold":0.5,"window":1,"pair_weight":1.0,"title_weight":0.0}}"#
            )
        };
        assert!(refused(&forged(&header(u64::MAX, 0), &[])).contains("claims more"));
        assert!(refused(&forged(&header(0, 1 << 40), &[])).contains("claims more"));
        assert!(refused(&forged(&header(1 << 20, 1 << 23), &[])).contains("ends too early"));
        let wide = header(2, 0).replace(r#""words""#, r#""width":1099511627776,"words""#);
        assert!(refused(&forged(&wide, &[])).contains("claims more"));
        let mut long = forged(&header(0, 0), &[]);
        long[40..44].copy_from_slice(&u32::MAX.to_le_bytes());
        assert!(refused(&long).contains("its header has"));
        let nothing = [0u8; 4 + 8];
        assert!(Model::read(forged(&header(0, 0), &nothing).as_slice()).is_ok());
    }

    #[test]
    fn a_forged_model_that_would_read_out_of_bounds_is_refused() {
        let good = trained(1).model;
        let mut bad = good.clone();
        *bad.space.seconds.last_mut().unwrap() = u32::MAX;
        assert!(refused(&bytes(&bad)).contains("pairs"));
        let mut bad = good.clone();
        bad.space.begins[1] = u32::MAX;
        assert!(refused(&bytes(&bad)).contains("words"));
        let mut bad = good.clone();
        bad.space.words.swap(0, 1);
        assert!(refused(&bytes(&bad)).contains("words"));
        let mut bad = good;
        bad.gains[0] = f32::NAN;
        assert!(refused(&bytes(&bad)).contains("number"));
        let mut bad = with_nets();
        bad.second.out[0] = f32::INFINITY;
        assert!(refused(&bytes(&bad)).contains("number"));
    }

    proptest! {
        #[test]
        fn no_bytes_are_too_odd(bytes in prop::collection::vec(any::<u8>(), 0..300)) {
            prop_assert!(Model::read(bytes.as_slice()).is_err());
            let magic = [MAGIC.as_slice(), &bytes].concat();
            prop_assert!(Model::read(magic.as_slice()).is_err());
        }
    }
}
