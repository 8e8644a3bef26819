//! A file's bytes from the first on, and no more of them than a header may have.

use std::io::{ErrorKind, Read};

use super::{GgufError, MAX_ARRAY, MAX_HEADER, MAX_TEXT};

/// How many bytes are passed over at a time.
const STEP: usize = 4096;

/// What a key says, as far as it is kept.
pub enum Value {
    /// A whole number that is not negative.
    Number(u64),
    /// A text.
    Text(String),
    /// An array of so many elements.
    Array(u64),
    /// Something that Echo does not ask.
    Other,
}

/// Reads little-endian numbers and texts; every length is checked before anything is kept.
pub struct Source<R> {
    from: R,
    file: u64,
    place: u64,
}

impl<R: Read> Source<R> {
    /// A file of `file` bytes, from its beginning.
    pub fn new(from: R, file: u64) -> Self {
        Self { from, file, place: 0 }
    }

    /// How many bytes were read.
    pub fn place(&self) -> u64 {
        self.place
    }

    /// The next `N` bytes.
    pub fn array<const N: usize>(&mut self, what: &str) -> Result<[u8; N], GgufError> {
        let mut bytes = [0; N];
        self.fill(&mut bytes, what)?;
        Ok(bytes)
    }

    /// The next 4 bytes as a number.
    pub fn u32(&mut self, what: &str) -> Result<u32, GgufError> {
        Ok(u32::from_le_bytes(self.array(what)?))
    }

    /// The next 8 bytes as a number.
    pub fn u64(&mut self, what: &str) -> Result<u64, GgufError> {
        Ok(u64::from_le_bytes(self.array(what)?))
    }

    /// The next 8 bytes as a number of things, of which each takes at least one byte of the file.
    pub fn count(&mut self, what: &str, most: u64) -> Result<u64, GgufError> {
        let value = self.u64(what)?;
        if value > most {
            return Err(GgufError::Huge { what: what.to_owned(), value, most });
        }
        self.left(value, what).map(|()| value)
    }

    /// A text of at most `most` bytes.
    pub fn text(&mut self, what: &str, most: u64) -> Result<String, GgufError> {
        let length = self.count(what, most)?;
        // `most` fits, so this does.
        let mut bytes = vec![0; usize::try_from(length).unwrap_or(0)];
        self.fill(&mut bytes, what)?;
        String::from_utf8(bytes).map_err(|_| GgufError::Wrong(format!("{what} is not UTF-8 text")))
    }

    /// The value of the key `name`.
    pub fn value(&mut self, name: &str) -> Result<Value, GgufError> {
        let kind = self.u32("a key's type")?;
        self.value_of(kind, name)
    }

    fn value_of(&mut self, kind: u32, name: &str) -> Result<Value, GgufError> {
        let whole = |number: i64| u64::try_from(number).map_or(Value::Other, Value::Number);
        Ok(match kind {
            0 => Value::Number(u64::from(u8::from_le_bytes(self.array(name)?))),
            1 => whole(i64::from(i8::from_le_bytes(self.array(name)?))),
            2 => Value::Number(u64::from(u16::from_le_bytes(self.array(name)?))),
            3 => whole(i64::from(i16::from_le_bytes(self.array(name)?))),
            4 => Value::Number(u64::from(self.u32(name)?)),
            5 => whole(i64::from(i32::from_le_bytes(self.array(name)?))),
            7 => match self.array::<1>(name)? {
                [0 | 1] => Value::Other,
                [other] => {
                    return Err(GgufError::Wrong(format!("`{name}` is {other}, neither true nor false")));
                }
            },
            8 => Value::Text(self.text(name, MAX_TEXT)?),
            9 => self.elements(name)?,
            10 => Value::Number(self.u64(name)?),
            11 => whole(i64::from_le_bytes(self.array(name)?)),
            6 | 12 => {
                self.pass(if kind == 6 { 4 } else { 8 }, name)?;
                Value::Other
            }
            other => {
                return Err(GgufError::Wrong(format!("`{name}` has the type {other}, which is not known")));
            }
        })
    }

    /// Passes over an array. Arrays of arrays are in no model that is taken.
    fn elements(&mut self, name: &str) -> Result<Value, GgufError> {
        let kind = self.u32(name)?;
        let length = self.count(name, MAX_ARRAY)?;
        let width = match kind {
            0 | 1 | 7 => 1,
            2 | 3 => 2,
            4..=6 => 4,
            10..=12 => 8,
            8 => {
                for _ in 0..length {
                    let bytes = self.count(name, MAX_TEXT)?;
                    self.pass(bytes, name)?;
                }
                return Ok(Value::Array(length));
            }
            other => {
                return Err(GgufError::Wrong(format!(
                    "`{name}` is an array of the type {other}, which is not taken"
                )));
            }
        };
        self.pass(length * width, name)?;
        Ok(Value::Array(length))
    }

    fn pass(&mut self, mut bytes: u64, what: &str) -> Result<(), GgufError> {
        self.left(bytes, what)?;
        let mut step = [0; STEP];
        while bytes > 0 {
            let now = usize::try_from(bytes).unwrap_or(STEP).min(STEP);
            self.fill(&mut step[..now], what)?;
            bytes -= now as u64;
        }
        Ok(())
    }

    fn fill(&mut self, bytes: &mut [u8], what: &str) -> Result<(), GgufError> {
        self.left(bytes.len() as u64, what)?;
        self.from.read_exact(bytes).map_err(|error| match error.kind() {
            ErrorKind::UnexpectedEof => self.short(what),
            _ => GgufError::Unread(error.to_string()),
        })?;
        self.place += bytes.len() as u64;
        Ok(())
    }

    /// Whether so many bytes more are in the file, and in what may be read of it.
    fn left(&self, bytes: u64, what: &str) -> Result<(), GgufError> {
        match self.place.checked_add(bytes) {
            Some(end) if end > self.file => Err(self.short(what)),
            Some(end) if end <= MAX_HEADER => Ok(()),
            _ => Err(GgufError::Huge {
                what: "the header's length".to_owned(),
                value: self.place.saturating_add(bytes),
                most: MAX_HEADER,
            }),
        }
    }

    fn short(&self, what: &str) -> GgufError {
        GgufError::Short { what: what.to_owned(), bytes: self.file }
    }
}
