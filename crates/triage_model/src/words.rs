//! A text's words: runs of letters and digits, lower-cased, each known by a digest.

use crate::random::mix;

/// The most bytes of a text that are looked at; what follows is not.
pub const MAX_TEXT_BYTES: usize = 64 * 1024;
/// The most words of a text that are looked at.
pub const MAX_WORDS: usize = 1_000;

/// A word of a text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Word<'a> {
    /// The digest of its lower-cased letters (FNV-1a, 64 bits, mixed): a word is known by it alone.
    pub key: u64,
    /// As it stands in the text.
    pub text: &'a str,
}

/// The words of a text, from the beginning, [`MAX_WORDS`] at most.
pub fn words(text: &str) -> Vec<Word<'_>> {
    let mut found = Vec::new();
    let mut begin = None;
    let mut hash = FNV_OFFSET;
    for (at, c) in beginning(text).char_indices() {
        if c.is_alphanumeric() {
            begin.get_or_insert(at);
            hash = add(hash, c);
        } else if let Some(begin) = begin.take() {
            found.push(Word { key: mix(hash), text: &text[begin..at] });
            hash = FNV_OFFSET;
            if found.len() == MAX_WORDS {
                return found;
            }
        }
    }
    if let Some(begin) = begin {
        found.push(Word { key: mix(hash), text: &beginning(text)[begin..] });
    }
    found
}

/// FNV-1a's first value and factor (RFC 9923).
const FNV_OFFSET: u64 = 0xcbf2_9ce4_8422_2325;
const FNV_PRIME: u64 = 0x0000_0100_0000_01b3;

fn add(hash: u64, c: char) -> u64 {
    if c.is_ascii() {
        return (hash ^ u64::from(c.to_ascii_lowercase() as u32)).wrapping_mul(FNV_PRIME);
    }
    let mut buffer = [0; 4];
    c.to_lowercase().fold(hash, |hash, c| {
        c.encode_utf8(&mut buffer).bytes().fold(hash, |h, b| (h ^ u64::from(b)).wrapping_mul(FNV_PRIME))
    })
}

fn beginning(text: &str) -> &str {
    &text[..text.floor_char_boundary(MAX_TEXT_BYTES)]
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn texts(text: &str) -> Vec<&str> {
        words(text).iter().map(|word| word.text).collect()
    }

    #[test]
    fn words_end_at_anything_but_letters_and_digits() {
        assert_eq!(texts(" VPN: can't connect\n(error 809)"), ["VPN", "can", "t", "connect", "error", "809"]);
        assert!(texts("").is_empty() && texts(" .,!\u{1f600}").is_empty());
    }

    #[test]
    fn case_does_not_matter_in_any_script() {
        let keys = |text| words(text).iter().map(|w| w.key).collect::<Vec<_>>();
        assert_eq!(keys("Drucker ÄRGER Ωmega"), keys("drucker ärger ωMEGA"));
        assert_ne!(keys("drucker"), keys("druckers"));
    }

    #[test]
    fn what_is_looked_at_has_its_bounds() {
        assert_eq!(words(&"a ".repeat(MAX_WORDS + 5)).len(), MAX_WORDS);
        let long = "ä".repeat(MAX_TEXT_BYTES);
        assert_eq!(words(&long)[0].text.len(), MAX_TEXT_BYTES);
    }

    proptest! {
        #[test]
        fn no_text_is_too_odd(text in "\\PC*") {
            for word in words(&text) {
                prop_assert!(!word.text.is_empty() && word.text.chars().all(char::is_alphanumeric));
            }
        }
    }
}
