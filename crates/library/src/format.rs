//! What kind of file it is: by its first bytes, and where these do not tell, by its name.

use std::fmt;

use serde::{Deserialize, Serialize};

/// What kind of file a document came as.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Format {
    /// Markdown (`CommonMark`).
    Markdown,
    /// Plain text.
    Plain,
    /// HTML, as browsers read it.
    Html,
    /// PDF (ISO 32000).
    Pdf,
    /// ZIM (openZIM file format, major versions 5 and 6).
    Zim,
}

/// What a PDF begins with; some bytes may stand before it.
const PDF: &[u8] = b"%PDF-";
/// Within so many bytes a PDF's mark is looked for, as readers do (ISO 32000-1, annex H, note 13).
const PDF_WITHIN: usize = 1024;
/// What a ZIM file begins with.
const ZIM: &[u8] = b"ZIM\x04";

impl Format {
    /// The format of a file with that name and beginning; nothing when it is none that can be read.
    pub fn of(name: &str, head: &[u8]) -> Option<Self> {
        let head = &head[..head.len().min(PDF_WITHIN)];
        if head.starts_with(ZIM) {
            return Some(Self::Zim);
        }
        if head.windows(PDF.len()).any(|window| window == PDF) {
            return Some(Self::Pdf);
        }
        let ending = name.rsplit_once('.').map(|(_, ending)| ending.to_lowercase()).unwrap_or_default();
        match ending.as_str() {
            "md" | "markdown" => Some(Self::Markdown),
            "txt" | "text" | "log" | "csv" => Some(Self::Plain),
            "html" | "htm" | "xhtml" => Some(Self::Html),
            // Somebody who saved a page without an ending; a binary file has zero bytes and is none of these.
            "" if !head.contains(&0) => Some(if looks_like_html(head) { Self::Html } else { Self::Plain }),
            _ => None,
        }
    }

    /// The name for people.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Markdown => "Markdown",
            Self::Plain => "text",
            Self::Html => "HTML",
            Self::Pdf => "PDF",
            Self::Zim => "ZIM",
        }
    }

    /// What one of its parts is called, for people.
    pub fn part(self) -> &'static str {
        match self {
            Self::Pdf => "page",
            Self::Zim => "article",
            _ => "text",
        }
    }
}

impl fmt::Display for Format {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

fn looks_like_html(head: &[u8]) -> bool {
    let head = String::from_utf8_lossy(head).to_lowercase();
    let head = head.trim_start_matches('\u{feff}').trim_start();
    head.starts_with("<!doctype html") || head.starts_with("<html")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_beginning_says_more_than_the_name() {
        assert_eq!(Format::of("notes.txt", b"%PDF-1.7\n"), Some(Format::Pdf));
        assert_eq!(Format::of("wiki.pdf", b"ZIM\x04\x06\0"), Some(Format::Zim));
        assert_eq!(Format::of("late.bin", b"junk\n%PDF-1.4"), Some(Format::Pdf));
    }

    #[test]
    fn a_text_is_known_by_its_name_and_anything_else_is_not_taken() {
        assert_eq!(Format::of("a.MD", b"# A"), Some(Format::Markdown));
        assert_eq!(Format::of("a.htm", b"<p>"), Some(Format::Html));
        assert_eq!(Format::of("page", b"\n<!DOCTYPE HTML><p>"), Some(Format::Html));
        assert_eq!(Format::of("README", b"words"), Some(Format::Plain));
        assert_eq!(Format::of("program", b"\x7fELF\0\0"), None);
        assert_eq!(Format::of("photo.jpg", b"\xff\xd8"), None);
    }
}
