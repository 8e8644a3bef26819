//! Which language a text is written in.

use whatlang::Lang;

/// The most bytes that are looked at.
const MAX_BYTES: usize = 4 * 1024;
/// A text with fewer letters says too little.
const MIN_LETTERS: usize = 24;

/// The language of a text by its ISO 639-3 code, such as `eng`; nothing when that is not sure.
pub fn language(text: &str) -> Option<&'static str> {
    let text = &text[..text.floor_char_boundary(MAX_BYTES)];
    if text.chars().filter(|c| c.is_alphabetic()).take(MIN_LETTERS).count() < MIN_LETTERS {
        return None;
    }
    whatlang::detect(text).filter(whatlang::Info::is_reliable).map(|info| info.lang().code())
}

/// The name of a language by its ISO 639-3 code, in English.
pub fn language_name(code: &str) -> Option<&'static str> {
    Lang::from_code(code).map(Lang::eng_name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn plain_sentences_are_told_apart() {
        for (text, code) in [
            ("My computer has become very slow since the last update and I cannot work with it", "eng"),
            ("Mein Drucker druckt seit gestern nicht mehr und ich kann keine Rechnungen verschicken", "deu"),
            ("Mon imprimante ne fonctionne plus depuis hier et je ne peux pas envoyer les factures", "fra"),
            ("Мой компьютер стал очень медленным после последнего обновления системы", "rus"),
        ] {
            assert_eq!(language(text), Some(code), "{text}");
            assert!(language_name(code).is_some());
        }
    }

    #[test]
    fn what_says_too_little_has_no_language() {
        for text in ["", "VPN", "12345 67890 !!! 12345 67890", "\u{1f600}\u{1f600}"] {
            assert_eq!(language(text), None, "{text}");
        }
        assert_eq!(language_name("xxx"), None);
    }
}
