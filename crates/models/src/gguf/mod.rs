//! Headers of GGUF files, read with bounds before an engine sees the file.
//!
//! Source: the GGUF specification (ggml, `docs/gguf.md`), versions 2 and 3, little endian. The crates that read it keep
//! every array in memory at the length that the file claims; this one keeps nothing but what Echo asks, counts what
//! it skips, and checks where each tensor lies.

mod kinds;
mod source;

use std::{
    collections::{BTreeMap, HashSet},
    io::Read,
};

use crate::card::Kind;
use source::{Source, Value};

/// The most bytes of a header. The largest known (262,144 tokens and their merges) have 16 MiB.
pub const MAX_HEADER: u64 = 64 << 20;
/// The most keys.
pub const MAX_KEYS: u64 = 4096;
/// The most tensors.
pub const MAX_TENSORS: u64 = 1 << 16;
/// The most dimensions of a tensor.
pub const MAX_DIMENSIONS: u32 = 4;
/// The longest name of a key or a tensor, in bytes.
pub const MAX_NAME: u64 = 256;
/// The longest text, in bytes; chat templates are the long ones.
pub const MAX_TEXT: u64 = 1 << 20;
/// The most elements of an array.
pub const MAX_ARRAY: u64 = 1 << 23;
/// The most layers that the engine's own tables hold.
const MAX_LAYERS: u64 = 512;
/// The widest layer.
const MAX_WIDTH: u64 = 1 << 20;
/// The longest context that is believed.
const MAX_CONTEXT: u64 = 1 << 24;
/// What aligns the tensors when no key says so, in bytes.
const ALIGNMENT: u64 = 32;

/// Architectures that make text.
const TEXT: [&str; 7] = ["llama", "qwen2", "qwen3", "gemma", "gemma2", "gemma3", "phi3"];
/// Architectures that make vectors.
const EMBEDDING: [&str; 1] = ["bert"];

/// Why a file is not taken. Each says what was found and what would be taken.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum GgufError {
    /// It does not begin as a GGUF file does.
    #[error("it is not a GGUF file: it does not begin with `GGUF`")]
    Magic,
    /// Another version.
    #[error("it is GGUF version {0}; versions 2 and 3 are read, little endian: convert the model again")]
    Version(u32),
    /// It ends before its header says so.
    #[error("it is cut off: {what} ends beyond the {bytes} bytes that there are; copy or download it again")]
    Short {
        /// What ends beyond the file.
        what: String,
        /// How many bytes there are.
        bytes: u64,
    },
    /// A count or a length is more than anybody needs.
    #[error("{what} is {value}, and {most} is the most that is read")]
    Huge {
        /// Of what.
        what: String,
        /// How many the file claims.
        value: u64,
        /// The bound.
        most: u64,
    },
    /// Something contradicts the format.
    #[error("{0}")]
    Wrong(String),
    /// A model that is not taken.
    #[error("its architecture is `{0}`; taken are {taken}", taken = known())]
    Architecture(String),
    /// The file cannot be read.
    #[error("it cannot be read: {0}")]
    Unread(String),
}

fn known() -> String {
    TEXT.iter().chain(&EMBEDDING).copied().collect::<Vec<_>>().join(", ")
}

/// What a header says, as far as Echo asks.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Header {
    /// Such as `llama`.
    pub architecture: String,
    /// What the model is for.
    pub kind: Kind,
    /// The name that the file gives itself.
    pub name: Option<String>,
    /// Tokens that the model was made to read at once.
    pub context: u32,
    /// How many numbers a token becomes.
    pub width: u32,
    /// Layers.
    pub layers: u32,
    /// Tokens that it knows.
    pub tokens: u64,
    /// Whether it says how a text's vector comes from its tokens'.
    pub pooled: bool,
    /// Whether it brings its chat template.
    pub template: bool,
    /// Bytes that one token of context takes while the model answers, at most.
    pub token_bytes: u64,
    /// Tensors.
    pub tensors: u64,
    /// Bytes of the header, up to the first tensor.
    pub bytes: u64,
}

/// Reads the header of a file of `file` bytes, from its beginning. Reads at most [`MAX_HEADER`] bytes, keeps a few
/// hundred of them and one short text a key and a tensor.
pub fn read(from: impl Read, file: u64) -> Result<Header, GgufError> {
    let mut source = Source::new(from, file);
    if source.array::<4>("the magic")? != *b"GGUF" {
        return Err(GgufError::Magic);
    }
    match source.u32("the version")? {
        2 | 3 => {}
        other => return Err(GgufError::Version(other)),
    }
    let tensors = source.count("the number of tensors", MAX_TENSORS)?;
    let keys = source.count("the number of keys", MAX_KEYS)?;
    let keys = Keys::read(&mut source, keys)?;
    let alignment = keys.alignment()?;
    let ends = read_tensors(&mut source, tensors, alignment)?;
    let bytes = source.place().next_multiple_of(alignment);
    match ends.and_then(|ends| bytes.checked_add(ends)) {
        Some(end) if end <= file => keys.header(tensors, bytes),
        _ => Err(GgufError::Short { what: "the last tensor".to_owned(), bytes: file }),
    }
}

/// The keys that Echo asks, and how long the arrays are.
#[derive(Default)]
struct Keys {
    numbers: BTreeMap<String, u64>,
    texts: BTreeMap<String, String>,
    lengths: BTreeMap<String, u64>,
}

impl Keys {
    fn read(source: &mut Source<impl Read>, count: u64) -> Result<Self, GgufError> {
        let (mut keys, mut seen) = (Self::default(), HashSet::new());
        for _ in 0..count {
            let name = source.text("a key", MAX_NAME)?;
            if !seen.insert(name.clone()) {
                return Err(GgufError::Wrong(format!("the key `{name}` is there twice")));
            }
            match source.value(&name)? {
                Value::Number(number) => {
                    keys.numbers.insert(name, number);
                }
                // What a template says is the engine's business; that it is there is ours.
                Value::Text(text) if text.len() as u64 > MAX_NAME => {
                    keys.lengths.insert(name, text.len() as u64);
                }
                Value::Text(text) => {
                    keys.texts.insert(name, text);
                }
                Value::Array(length) => {
                    keys.lengths.insert(name, length);
                }
                Value::Other => {}
            }
        }
        Ok(keys)
    }

    fn alignment(&self) -> Result<u64, GgufError> {
        match self.numbers.get("general.alignment").copied().unwrap_or(ALIGNMENT) {
            alignment if alignment.is_power_of_two() && alignment <= 1 << 16 => Ok(alignment),
            other => Err(GgufError::Wrong(format!(
                "its alignment is {other}; a power of two up to 65536 is taken"
            ))),
        }
    }

    fn header(&self, tensors: u64, bytes: u64) -> Result<Header, GgufError> {
        let missing =
            |what: &str| GgufError::Wrong(format!("it does not say `{what}`: it is no whole model"));
        let architecture =
            self.texts.get("general.architecture").ok_or_else(|| missing("general.architecture"))?;
        let about = |name: &str| format!("{architecture}.{name}");
        let kind = self.kind(architecture, &about("pooling_type"))?;
        if self.numbers.get("split.count").is_some_and(|parts| *parts > 1) {
            return Err(GgufError::Wrong(
                "it is one part of a split model: merge the parts into one file".to_owned(),
            ));
        }
        let number = |name: &str, most: u64| {
            let what = about(name);
            match self.numbers.get(&what).copied() {
                None => Err(missing(&what)),
                Some(0) => Err(GgufError::Wrong(format!("`{what}` is 0"))),
                Some(value) if value > most => {
                    Err(GgufError::Huge { what: format!("`{what}`"), value, most })
                }
                // Each bound is far below.
                Some(value) => Ok(u32::try_from(value).unwrap_or(u32::MAX)),
            }
        };
        let (context, width) =
            (number("context_length", MAX_CONTEXT)?, number("embedding_length", MAX_WIDTH)?);
        let layers = number("block_count", MAX_LAYERS)?;
        number("attention.head_count", MAX_WIDTH)
            .or_else(|error| self.of_each_layer(&about("attention.head_count"), error))?;
        let tokens = self.lengths.get("tokenizer.ggml.tokens").copied().filter(|tokens| *tokens > 0);
        Ok(Header {
            architecture: architecture.clone(),
            kind,
            name: self.texts.get("general.name").cloned(),
            context,
            width,
            layers,
            tokens: tokens.ok_or_else(|| missing("tokenizer.ggml.tokens"))?,
            pooled: self.numbers.get(&about("pooling_type")).is_some_and(|pooling| *pooling > 0),
            template: self.lengths.contains_key("tokenizer.chat_template")
                || self.texts.contains_key("tokenizer.chat_template"),
            token_bytes: self.token_bytes(architecture, u64::from(width), u64::from(layers)),
            tensors,
            bytes,
        })
    }

    fn kind(&self, architecture: &str, pooling: &str) -> Result<Kind, GgufError> {
        if EMBEDDING.contains(&architecture) {
            return Ok(Kind::Embedding);
        }
        if !TEXT.contains(&architecture) {
            return Err(GgufError::Architecture(architecture.chars().take(40).collect()));
        }
        Ok(if self.numbers.get(pooling).is_some_and(|pooling| *pooling > 0) {
            Kind::Embedding
        } else {
            Kind::Text
        })
    }

    /// Some models say a number for each layer.
    fn of_each_layer(&self, what: &str, error: GgufError) -> Result<u32, GgufError> {
        self.lengths.get(what).filter(|layers| **layers <= MAX_LAYERS).map(|_| 1).ok_or(error)
    }

    /// Keys and values of 16-bit numbers, for each layer; all of the width when the heads are not told apart.
    fn token_bytes(&self, architecture: &str, width: u64, layers: u64) -> u64 {
        let number = |name: &str| self.numbers.get(&format!("{architecture}.attention.{name}")).copied();
        let heads = number("head_count").unwrap_or(1).max(1);
        let kept = number("head_count_kv").unwrap_or(heads).min(MAX_WIDTH);
        let of_one = |name: &str| number(name).unwrap_or(width.div_ceil(heads)).min(MAX_WIDTH);
        2 * layers * kept * (of_one("key_length") + of_one("value_length"))
    }
}

/// Reads what the header says about the tensors: where the last one ends, in bytes from the first; nothing when that is
/// beyond any file.
fn read_tensors(
    source: &mut Source<impl Read>,
    count: u64,
    alignment: u64,
) -> Result<Option<u64>, GgufError> {
    let (mut seen, mut ends) = (HashSet::new(), Some(0_u64));
    for _ in 0..count {
        let name = source.text("a tensor's name", MAX_NAME)?;
        let dimensions = source.u32("the dimensions of a tensor")?;
        if dimensions == 0 || dimensions > MAX_DIMENSIONS {
            let (value, most) = (u64::from(dimensions), u64::from(MAX_DIMENSIONS));
            return Err(GgufError::Huge {
                what: format!("the number of dimensions of `{name}`"),
                value,
                most,
            });
        }
        let (mut elements, mut row) = (Some(1_u64), 0);
        for dimension in 0..dimensions {
            let length = source.u64("a dimension")?;
            if length == 0 || length > i64::MAX.unsigned_abs() {
                return Err(GgufError::Wrong(format!("a dimension of `{name}` is {length}")));
            }
            row = if dimension == 0 { length } else { row };
            elements = elements.and_then(|elements| elements.checked_mul(length));
        }
        let (block, block_bytes) = kinds::block(source.u32("a tensor's type")?)
            .ok_or_else(|| GgufError::Wrong(format!("`{name}` has a type that is not known")))?;
        if row % block != 0 {
            return Err(GgufError::Wrong(format!(
                "a row of `{name}` has {row} elements, no multiple of {block}"
            )));
        }
        let offset = source.u64("a tensor's place")?;
        if offset % alignment != 0 {
            return Err(GgufError::Wrong(format!("`{name}` lies at {offset}, no multiple of {alignment}")));
        }
        let length = elements.and_then(|elements| (elements / block).checked_mul(block_bytes));
        let end = length.and_then(|length| length.checked_add(offset));
        ends = ends.zip(end).map(|(ends, end)| ends.max(end));
        if !seen.insert(name.clone()) {
            return Err(GgufError::Wrong(format!("the tensor `{name}` is there twice")));
        }
    }
    Ok(ends)
}

#[cfg(test)]
mod tests;
