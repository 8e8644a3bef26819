//! Documents that people bring along: pages of HTML, and ZIM files with their clusters.
//!
//! PDF is not tried here: its parser is not ours, and runs in a process of its own.

use std::io::Cursor;

use library::{Format, Limits, Reading, documents, slug};

/// The bounds of one try.
const LIMITS: Limits = Limits { articles: 20, text: 1 << 20 };
/// The most bytes of a Markdown file.
const FILE: usize = 4_096;

/// What is taken keeps the bounds that were given, whatever the bytes are.
pub fn check(bytes: &[u8]) {
    for format in [Format::Html, Format::Zim, Format::Markdown, Format::Plain] {
        if let Ok(reading) = library::read(&mut Cursor::new(bytes), format, &LIMITS) {
            hold(&reading);
        }
    }
    let name = String::from_utf8_lossy(bytes);
    let _ = Format::of(&name, bytes);
    if let Some(name) = slug(&name) {
        assert!(!name.starts_with('.') && !name.contains('/') && name.len() <= 80, "a name that leads away");
    }
}

fn hold(reading: &Reading) {
    assert!(
        reading.parts.len() <= LIMITS.articles && !reading.parts.is_empty(),
        "more parts than were asked for"
    );
    let text: usize = reading.parts.iter().map(|part| part.text.len()).sum();
    assert!(text <= LIMITS.text, "more text than was asked for");
    for file in documents(reading.title.as_deref().unwrap_or("t"), &reading.parts, FILE) {
        assert!(file.starts_with("# ") && file.len() <= FILE, "a file without a title, or beyond its bound");
    }
}
