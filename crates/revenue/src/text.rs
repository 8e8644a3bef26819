//! Lines of text that end up on paper: bounded, and free of characters that hide or move others.

/// The most characters a name, address line or reference holds.
pub const MAX_TEXT: usize = 200;
/// The most characters a description holds.
pub const MAX_DESCRIPTION: usize = 500;

/// Whether `text` is one printable line of 1 to `max` characters.
pub(crate) fn is_line(text: &str, max: usize) -> bool {
    !text.trim().is_empty() && text.chars().take(max + 1).count() <= max && !text.chars().any(is_hidden)
}

/// Control characters and the direction overrides that make a text read other than it is written
/// (Unicode UAX #9, explicit formatting characters).
fn is_hidden(c: char) -> bool {
    c.is_control() || matches!(c, '\u{2028}' | '\u{2029}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_is_short_and_printable() {
        assert!(is_line("Zoë & Söhne <GmbH>", MAX_TEXT));
        assert!(is_line("é".repeat(MAX_TEXT).as_str(), MAX_TEXT));
        assert!(!is_line("é".repeat(MAX_TEXT + 1).as_str(), MAX_TEXT));
        for bad in ["", "  ", "a\nb", "a\u{202e}b", "a\u{0}"] {
            assert!(!is_line(bad, MAX_TEXT), "{bad:?}");
        }
    }
}
