//! What is remembered, and what is refused before it is.

use echo_core::Timestamp;
use serde::{Deserialize, Serialize};

use crate::{MemoryError, Owner};

/// The most bytes of a source's text.
pub const MAX_TEXT_BYTES: usize = 16 * 1024 * 1024;
/// The most bytes of a source's id.
pub const MAX_ID_BYTES: usize = 200;
/// The most bytes of a source's title.
pub const MAX_TITLE_BYTES: usize = 300;
/// A text with more than so many control characters, or characters that stand for bytes that were no text, is none when
/// they are more than one in [`TEXT_PER_CONTROL`].
const FEW_CONTROLS: usize = 2;
const TEXT_PER_CONTROL: usize = 50;

/// What kind of thing a source is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum SourceKind {
    /// A text somebody wrote for people to read.
    Document,
    /// What a case was about, and how it ended.
    Case,
    /// A playbook, in words.
    Playbook,
    /// Facts of a device.
    Device,
}

impl SourceKind {
    const ALL: [Self; 4] = [Self::Document, Self::Case, Self::Playbook, Self::Device];

    /// What a chunk's number ends with (see [`crate::chunk`]).
    pub(crate) fn code(self) -> i64 {
        match self {
            Self::Document => 0,
            Self::Case => 1,
            Self::Playbook => 2,
            Self::Device => 3,
        }
    }

    /// The kind of that code.
    pub(crate) fn of_code(code: i64) -> Option<Self> {
        usize::try_from(code).ok().and_then(|code| Self::ALL.get(code).copied())
    }
}

/// Something to remember.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Source {
    /// What it is called by its owner: remembering the same id again replaces it. At most [`MAX_ID_BYTES`].
    pub id: String,
    /// What kind of thing it is.
    pub kind: SourceKind,
    /// Whose it is.
    pub owner: Owner,
    /// What people call it. At most [`MAX_TITLE_BYTES`].
    pub title: String,
    /// All of it, as Markdown or plain text of any script. At most [`MAX_TEXT_BYTES`].
    pub text: String,
    /// When it was as it is.
    pub at: Timestamp,
    /// From when on it is to be forgotten.
    pub expires: Option<Timestamp>,
}

impl Source {
    /// Refuses what cannot be remembered.
    pub(crate) fn check(&self) -> Result<(), MemoryError> {
        check_id(&self.id)?;
        check_title(&self.title)?;
        check_text(&self.text)
    }
}

/// Refuses what is no id of a source.
pub(crate) fn check_id(id: &str) -> Result<(), MemoryError> {
    if id.is_empty() || id.len() > MAX_ID_BYTES || id.chars().any(char::is_control) {
        return Err(invalid("source id", format!("give 1 to {MAX_ID_BYTES} bytes on one line")));
    }
    Ok(())
}

/// Refuses what is no title.
pub(crate) fn check_title(title: &str) -> Result<(), MemoryError> {
    if title.len() > MAX_TITLE_BYTES || title.chars().any(char::is_control) {
        return Err(invalid("title", format!("give at most {MAX_TITLE_BYTES} bytes on one line")));
    }
    Ok(())
}

/// Refuses what is no text, or too much of it.
pub(crate) fn check_text(text: &str) -> Result<(), MemoryError> {
    if text.len() > MAX_TEXT_BYTES {
        return Err(invalid(
            "text",
            format!("it has {} bytes, and {MAX_TEXT_BYTES} are the most: split it", text.len()),
        ));
    }
    if text.contains('\0') {
        return Err(invalid("text", "it has zero bytes, so it is no text: give it as UTF-8 text".to_owned()));
    }
    let foreign = |c: char| (c.is_control() && !matches!(c, '\n' | '\r' | '\t' | '\u{c}')) || c == '\u{fffd}';
    let odd = text.chars().filter(|c| foreign(*c)).count();
    if odd > FEW_CONTROLS && odd * TEXT_PER_CONTROL > text.chars().count() {
        return Err(invalid(
            "text",
            format!(
                "{odd} of its characters are no text, so it looks like a binary file: give it as UTF-8 text"
            ),
        ));
    }
    Ok(())
}

/// What was given cannot be taken.
pub(crate) fn invalid(what: &'static str, reason: String) -> MemoryError {
    MemoryError::Invalid { what, reason }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn source(id: &str, title: &str, text: &str) -> Source {
        Source {
            id: id.to_owned(),
            kind: SourceKind::Document,
            owner: Owner::Shared,
            title: title.to_owned(),
            text: text.to_owned(),
            at: Timestamp::UNIX_EPOCH,
            expires: None,
        }
    }

    #[test]
    fn every_script_is_text() {
        for text in ["Drucker läuft nicht", "принтер", "打印机坏了", "الطابعة", "🖨️ 💥", "", "a\tb\r\nc\u{c}"]
        {
            source("s", "t", text).check().unwrap();
        }
    }

    #[test]
    fn binary_is_refused_with_a_hint() {
        let lossy = String::from_utf8_lossy(&[0xff, 0xd8, 0xff, 0xe0, b'J', b'F', 0x01]).into_owned();
        for text in ["\u{7f}ELF\u{2}\u{1}\u{1}\0\0", "PK\u{3}\u{4}\u{14}\u{6}", &lossy] {
            let error = source("s", "t", text).check().unwrap_err().to_string();
            assert!(error.contains("UTF-8"), "{error}");
        }
    }

    #[test]
    fn what_is_too_large_or_not_on_one_line_is_refused() {
        let long = "x".repeat(MAX_TITLE_BYTES + 1);
        for (id, title) in
            [("", "t"), (long.as_str(), "t"), ("a\nb", "t"), ("s", long.as_str()), ("s", "t\u{7}")]
        {
            assert!(
                matches!(source(id, title, "x").check(), Err(MemoryError::Invalid { .. })),
                "{id} {title}"
            );
        }
        let error = source("s", "t", &"x".repeat(MAX_TEXT_BYTES + 1)).check().unwrap_err().to_string();
        assert!(error.contains("split it"), "{error}");
    }

    #[test]
    fn kinds_have_codes_of_their_own() {
        for kind in SourceKind::ALL {
            assert_eq!(SourceKind::of_code(kind.code()), Some(kind));
        }
        assert_eq!(SourceKind::of_code(4), None);
        assert_eq!(SourceKind::of_code(-1), None);
    }
}
