//! What is read of a file, and how much of it.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

/// The most bytes of a text, Markdown or HTML file.
pub const MAX_FILE: u64 = 16 * 1024 * 1024;
/// The most bytes of a PDF.
pub const MAX_PDF: u64 = 128 * 1024 * 1024;
/// The most bytes of text that are taken of one file. What stands behind is left out, and said so.
pub const MAX_TEXT: usize = 32 * 1024 * 1024;

/// How much of a file is taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// The most articles of a ZIM file.
    pub articles: usize,
    /// The most bytes of text, at most [`MAX_TEXT`].
    pub text: usize,
}

impl Limits {
    /// How many articles are taken when nobody says.
    pub const ARTICLES: usize = 2_000;
    /// How many articles may be asked for.
    pub const MAX_ARTICLES: usize = 50_000;
}

impl Default for Limits {
    fn default() -> Self {
        Self { articles: Self::ARTICLES, text: MAX_TEXT }
    }
}

/// One page or article.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Part {
    /// `Page 3`, or the article's title; empty when the file is one text.
    pub heading: String,
    /// What it says, as Markdown.
    pub text: String,
}

/// What a file says.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Reading {
    /// What it calls itself.
    pub title: Option<String>,
    /// Its pages or articles, in order; those without any text are left out.
    pub parts: Vec<Part>,
    /// How many pages or articles the file holds, those that were left out included.
    pub held: u64,
    /// What it says about itself: creator, date, licence, language, source.
    pub about: BTreeMap<String, String>,
    /// What was left out, and why, for people.
    pub notes: Vec<String>,
}

/// Reads a document of that format. `name` is what the file is called.
#[cfg(feature = "reading")]
pub fn read(
    source: &mut (impl std::io::Read + std::io::Seek),
    format: crate::Format,
    limits: &Limits,
) -> Result<Reading, crate::LibraryError> {
    use crate::{Format, LibraryError, html, pdf, text, zim};

    let limits =
        Limits { articles: limits.articles.min(Limits::MAX_ARTICLES), text: limits.text.min(MAX_TEXT) };
    let reading = match format {
        Format::Zim => zim::read(source, &limits)?,
        Format::Pdf => pdf::read(&whole(source, format, MAX_PDF)?, &limits)?,
        Format::Html => html::document(&whole(source, format, MAX_FILE)?, &limits),
        Format::Markdown | Format::Plain => {
            text::document(&whole(source, format, MAX_FILE)?, format, &limits)?
        }
    };
    if reading.parts.is_empty() {
        let why = if format == Format::Pdf {
            ": its pages may be pictures; run them through text recognition (OCR) first"
        } else {
            ""
        };
        return Err(LibraryError::Empty(why));
    }
    Ok(reading)
}

/// All bytes of a file that has at most `most`.
#[cfg(feature = "reading")]
fn whole(
    source: &mut impl std::io::Read,
    format: crate::Format,
    most: u64,
) -> Result<Vec<u8>, crate::LibraryError> {
    use std::io::Read as _;

    let mut bytes = Vec::new();
    source
        .by_ref()
        .take(most + 1)
        .read_to_end(&mut bytes)
        .map_err(|error| crate::LibraryError::damaged(format, error.to_string()))?;
    match bytes.len() as u64 {
        length if length > most => Err(crate::LibraryError::TooLarge { bytes: length, most, format }),
        _ => Ok(bytes),
    }
}
