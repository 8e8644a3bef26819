//! Bytes that are meant as text: in which encoding, and what is none.

use encoding_rs::{Encoding, UTF_8, WINDOWS_1252};

use crate::{Format, LibraryError, Limits, Part, Reading};

/// Within so many bytes a page names its encoding (HTML, 13.2.3.2).
const META_WITHIN: usize = 1024;
/// A text with more than one control character in so many is none.
const TEXT_PER_CONTROL: usize = 50;

/// A Markdown or plain text as one part.
pub(crate) fn document(bytes: &[u8], format: Format, limits: &Limits) -> Result<Reading, LibraryError> {
    let text = decode(bytes, None);
    let controls =
        text.chars().filter(|c| c.is_control() && !matches!(c, '\n' | '\r' | '\t' | '\u{c}')).count();
    if controls > 2 && controls * TEXT_PER_CONTROL > text.chars().count() {
        return Err(LibraryError::damaged(format, "most of it is no text"));
    }
    let mut text: String = text.chars().filter(|c| !c.is_control() || matches!(c, '\n' | '\t')).collect();
    let mut notes = Vec::new();
    cut(&mut text, limits.text, &mut notes);
    let title = if format == Format::Markdown { heading(&text) } else { None };
    let parts = if text.trim().is_empty() { Vec::new() } else { vec![Part { heading: String::new(), text }] };
    Ok(Reading { title, parts, held: 1, notes, ..Reading::default() })
}

/// The first heading of the first level.
fn heading(text: &str) -> Option<String> {
    let line = text.lines().find_map(|line| line.strip_prefix("# "))?;
    Some(line.trim().trim_end_matches('#').trim().to_owned()).filter(|title| !title.is_empty())
}

/// Cuts a text that is too long, and says so.
pub(crate) fn cut(text: &mut String, most: usize, notes: &mut Vec<String>) {
    if text.len() > most {
        notes.push(format!("only the first {most} bytes of its text were taken, of {}", text.len()));
        text.truncate(text.floor_char_boundary(most));
    }
}

/// Bytes as text: by their byte order mark, as UTF-8, by the encoding that a page names, else as Windows-1252, in which
/// every byte is something (WHATWG Encoding, 4.2; HTML, 13.2.3).
pub(crate) fn decode(bytes: &[u8], named: Option<&'static Encoding>) -> String {
    let encoding = match Encoding::for_bom(bytes) {
        Some((encoding, _)) => encoding,
        None if std::str::from_utf8(bytes).is_ok() => UTF_8,
        None => named.filter(|named| *named != UTF_8).unwrap_or(WINDOWS_1252),
    };
    encoding.decode(bytes).0.into_owned()
}

/// The encoding that a page's `meta` element names.
pub(crate) fn named_encoding(page: &[u8]) -> Option<&'static Encoding> {
    let head = page[..page.len().min(META_WITHIN)].to_ascii_lowercase();
    let at = head.windows(8).position(|window| window == b"charset=")? + 8;
    let label: Vec<u8> = head[at..]
        .iter()
        .copied()
        .skip_while(|b| matches!(b, b'"' | b'\''))
        .take_while(|b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_' | b':'))
        .collect();
    Encoding::for_label(&label)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(bytes: &[u8]) -> Result<Reading, LibraryError> {
        document(bytes, Format::Markdown, &Limits::default())
    }

    #[test]
    fn every_encoding_that_people_have_is_read() {
        for bytes in [
            "# Grüße\n\nJa".as_bytes(),
            b"\xef\xbb\xbf# Gr\xc3\xbc\xc3\x9fe\n\nJa",
            b"# Gr\xfc\xdfe\n\nJa",
            b"\xff\xfe#\0 \0G\0r\0\xfc\0\xdf\0e\0\n\0J\0a\0",
        ] {
            let reading = read(bytes).unwrap();
            assert_eq!(reading.title.as_deref(), Some("Grüße"));
            assert!(reading.parts[0].text.contains("Ja"));
        }
        let page = b"<meta charset='koi8-r'>\xf0\xd2\xc9";
        assert!(decode(page, named_encoding(page)).ends_with("При"));
    }

    #[test]
    fn what_is_no_text_is_refused() {
        let error = read(&[7, 1, 2, 3, 27, 5, 6, 9]).unwrap_err().to_string();
        assert!(error.contains("no text"), "{error}");
        assert!(read(b" \n\t").unwrap().parts.is_empty());
    }

    #[test]
    fn a_long_text_is_cut_and_says_so() {
        let reading =
            document("é".repeat(100).as_bytes(), Format::Plain, &Limits { text: 51, ..Limits::default() })
                .unwrap();
        assert_eq!(reading.parts[0].text.len(), 50);
        assert!(reading.notes[0].contains("first 51 bytes"), "{:?}", reading.notes);
    }
}
