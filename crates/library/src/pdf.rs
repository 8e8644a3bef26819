//! The text of a PDF, page by page.
//!
//! The parser is not ours. It may panic, which is caught here, or take memory and time or end its process, which
//! whoever calls has to bound: see the crate's words.

use std::panic::{AssertUnwindSafe, catch_unwind};

use crate::{Format, LibraryError, Limits, Part, Reading, markdown::plain_line};

/// The most pages that are taken.
const MAX_PAGES: usize = 5_000;

/// Reads a PDF.
pub(crate) fn read(bytes: &[u8], limits: &Limits) -> Result<Reading, LibraryError> {
    let damaged = |why: String| LibraryError::damaged(Format::Pdf, why.chars().take(200).collect::<String>());
    let pages = catch_unwind(AssertUnwindSafe(|| pdf_extract::extract_text_from_mem_by_pages(bytes)))
        .map_err(|_| damaged("its parser gave up".to_owned()))?
        .map_err(|error| {
            let said = error.to_string();
            if said.to_lowercase().contains("password") || said.contains("ncrypt") {
                LibraryError::Locked
            } else {
                damaged(said)
            }
        })?;
    let held = pages.len();
    let (mut parts, mut notes, mut bytes, mut empty) = (Vec::new(), Vec::new(), 0, 0);
    for (number, page) in (1..).zip(&pages).take(MAX_PAGES) {
        let text = tidied(page);
        if text.is_empty() {
            empty += 1;
            continue;
        }
        if bytes + text.len() > limits.text {
            notes.push(format!(
                "only the first {} bytes of its text were taken: up to page {}",
                limits.text,
                number - 1
            ));
            break;
        }
        bytes += text.len();
        parts.push(Part { heading: format!("Page {number}"), text });
    }
    if empty > 0 && !parts.is_empty() {
        notes.push(format!("{empty} of its {held} pages have no text: they may be pictures"));
    }
    if held > MAX_PAGES {
        notes.push(format!("only the first {MAX_PAGES} of its {held} pages were taken"));
    }
    let title = parts.first().and_then(|part| first_line(&part.text));
    Ok(Reading { title, parts, held: held as u64, notes, ..Reading::default() })
}

/// The first line of the first page, where it looks like a title.
fn first_line(text: &str) -> Option<String> {
    let line = text.lines().next()?.trim_start_matches('\\').trim();
    let fits = (3..=120).contains(&line.chars().count()) && line.chars().any(char::is_alphabetic);
    fits.then(|| line.to_owned())
}

/// A page's lines: without spaces at their ends, words that a line's end divided in one piece, one empty line between
/// paragraphs, and none that Markdown would take for a heading.
fn tidied(page: &str) -> String {
    let mut out = String::new();
    let mut apart = false;
    for line in page.lines() {
        let line: String = line.chars().filter(|c| !c.is_control() || *c == '\t').collect();
        let line = line.trim();
        if line.is_empty() {
            apart = !out.is_empty();
            continue;
        }
        let divided = !apart
            && line.starts_with(char::is_lowercase)
            && out.strip_suffix("-\n").is_some_and(|before| before.ends_with(char::is_lowercase));
        if divided {
            out.truncate(out.len() - 2);
            out.push_str(line);
        } else {
            if apart {
                out.push('\n');
            }
            out.push_str(&plain_line(line));
        }
        out.push('\n');
        apart = false;
    }
    out.trim_end().to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_mended() {
        let page = "\n  Printer Manual \n\n\n\nPress the but-\nton twice.\n# 3\nIPv-\n6\n";
        assert_eq!(tidied(page), "Printer Manual\n\nPress the button twice.\n\\# 3\nIPv-\n6");
    }

    #[test]
    fn what_is_no_pdf_is_damaged_and_not_a_panic() {
        for bytes in [&b""[..], b"%PDF-1.7", b"%PDF-1.4\ntrailer<</Root 1 0 R>>\nstartxref\n0\n%%EOF"] {
            let error = read(bytes, &Limits::default()).unwrap_err();
            assert!(matches!(error, LibraryError::Damaged { .. }), "{error}");
        }
    }
}
