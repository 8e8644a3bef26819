//! Reads a text as a model would: without signs that nobody sees, in one spelling, in lower case.
//!
//! Each folded text knows for every byte where it came from, so that what is found in it can be shown in the original.

use std::ops::Range;

/// A text in another spelling.
pub(crate) struct Folded {
    pub(crate) text: String,
    /// For each byte of `text`, where the original's character begins.
    from: Vec<u32>,
}

impl Folded {
    fn with_capacity(bytes: usize) -> Self {
        Self { text: String::with_capacity(bytes), from: Vec::with_capacity(bytes) }
    }

    fn push(&mut self, c: char, at: usize) {
        self.text.push(c);
        self.from.resize(self.text.len(), u32::try_from(at).unwrap_or(u32::MAX));
    }

    /// Where a part of the folded text stands in `original`.
    pub(crate) fn range(&self, part: &Range<usize>, original: &str) -> Range<usize> {
        let byte = |at: usize| self.from.get(at).map_or(original.len(), |from| *from as usize);
        let last = byte(part.end.saturating_sub(1));
        let width = original[last..].chars().next().map_or(0, char::len_utf8);
        byte(part.start)..last + width
    }
}

/// Lower case, usual letters, one blank between words; an empty line stays as a line break.
pub(crate) fn plain(text: &str) -> Folded {
    let mut out = Folded::with_capacity(text.len());
    let mut gap: Option<(usize, usize)> = None;
    for (at, c) in text.char_indices() {
        if is_invisible(c) {
            continue;
        }
        if c.is_whitespace() {
            let (start, lines) = gap.unwrap_or((at, 0));
            gap = Some((start, lines + usize::from(c == '\n')));
            continue;
        }
        if let Some((start, lines)) = gap.take() {
            out.push(if lines > 1 { '\n' } else { ' ' }, start);
        }
        for c in usual(c).to_lowercase() {
            out.push(c, at);
        }
    }
    out
}

/// As [`plain`], with letters of other scripts and digits that look like Latin letters taken for them.
pub(crate) fn latin(text: &str) -> Folded {
    let plain = plain(text);
    let mut out = Folded::with_capacity(plain.text.len());
    for (at, c) in plain.text.char_indices().filter(|(_, c)| !is_mark(*c)) {
        out.push(look_alike(c), plain.from[at] as usize);
    }
    out
}

/// As [`latin`], the letters alone, without anything between them.
pub(crate) fn letters(text: &str) -> Folded {
    let latin = latin(text);
    let mut out = Folded::with_capacity(latin.text.len());
    for (at, c) in latin.text.char_indices().filter(|(_, c)| c.is_alphabetic()) {
        out.push(c, latin.from[at] as usize);
    }
    out
}

/// Whether a sign shows nothing: format characters, tags and fillers.
pub(crate) fn is_invisible(c: char) -> bool {
    matches!(
        c,
        '\u{ad}' | '\u{34f}' | '\u{61c}' | '\u{115f}' | '\u{1160}' | '\u{17b4}' | '\u{17b5}' | '\u{180e}'
            | '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{3164}'
            | '\u{fe00}'..='\u{fe0f}' | '\u{feff}' | '\u{ffa0}' | '\u{e0000}'..='\u{e0fff}'
    )
}

fn is_mark(c: char) -> bool {
    matches!(c, '\u{300}'..='\u{36f}' | '\u{20d0}'..='\u{20ff}')
}

/// A letter of another width or style as the usual one.
fn usual(c: char) -> char {
    let nth = |first: u32, base: u8| {
        u8::try_from(first).ok().and_then(|n| base.checked_add(n)).map_or(c, char::from)
    };
    let code = u32::from(c);
    match code {
        0xff01..=0xff5e => nth(code - 0xff01, b'!'),
        // Mathematical letters: runs of 26 capitals and 26 small ones.
        0x1d400..=0x1d6a3 => match (code - 0x1d400) % 52 {
            n @ 0..=25 => nth(n, b'A'),
            n => nth(n - 26, b'a'),
        },
        0x1d7ce..=0x1d7ff => nth((code - 0x1d7ce) % 10, b'0'),
        0x24b6..=0x24cf => nth(code - 0x24b6, b'a'),
        0x24d0..=0x24e9 => nth(code - 0x24d0, b'a'),
        0x1f130..=0x1f149 => nth(code - 0x1f130, b'a'),
        0x1f150..=0x1f169 => nth(code - 0x1f150, b'a'),
        0x1f170..=0x1f189 => nth(code - 0x1f170, b'a'),
        _ => c,
    }
}

/// The Latin letter that a small letter, digit or sign looks like (a part of Unicode Technical Standard 39's list).
fn look_alike(c: char) -> char {
    match c {
        'а' | 'α' | '@' | '4' | 'à' | 'á' | 'â' | 'ä' | 'ã' | 'å' => 'a',
        'в' | 'ь' | '8' => 'b',
        'с' | 'ϲ' | 'ç' => 'c',
        'ԁ' => 'd',
        'е' | 'ё' | 'є' | 'ε' | '3' | '€' | 'è' | 'é' | 'ê' | 'ë' => 'e',
        'ɡ' | '9' => 'g',
        'һ' | 'н' => 'h',
        'і' | 'ї' | 'ι' | '1' | '!' | '|' | 'ì' | 'í' | 'î' | 'ï' | 'ı' => 'i',
        'ј' => 'j',
        'к' | 'κ' => 'k',
        'ӏ' => 'l',
        'м' => 'm',
        'η' | 'п' | 'ñ' => 'n',
        'о' | 'ο' | 'σ' | '0' | 'ò' | 'ó' | 'ô' | 'ö' | 'õ' | 'ø' => 'o',
        'р' | 'ρ' => 'p',
        'ԛ' => 'q',
        'г' => 'r',
        'ѕ' | '5' | '$' => 's',
        'т' | 'τ' | '7' | '+' => 't',
        'υ' | 'μ' | 'ù' | 'ú' | 'û' | 'ü' => 'u',
        'ν' | 'ѵ' => 'v',
        'ѡ' | 'ω' => 'w',
        'х' | 'χ' => 'x',
        'у' | 'γ' | 'ý' => 'y',
        _ => c,
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_text_in_disguise_reads_as_it_looks() {
        for text in ["Ｉｇｎｏｒｅ", "іgnоrе", "ig\u{200b}no\u{ad}re", "𝐈𝐠𝐧𝐨𝐫𝐞", "1gn0r3", "ⓘⓖⓝⓞⓡⓔ"]
        {
            assert_eq!(latin(text).text, "ignore", "{text}");
        }
        assert_eq!(letters("i g-n.o_r\ne").text, "ignore");
        assert_eq!(plain("a \n b\n\n c").text, "a b\nc");
    }

    #[test]
    fn what_is_found_is_shown_in_the_original() {
        let text = "x і\u{200b}gnоrе y";
        let folded = latin(text);
        let at = folded.text.find("ignore").unwrap();
        assert_eq!(&text[folded.range(&(at..at + 6), text)], "і\u{200b}gnоrе");
    }

    proptest! {
        #[test]
        fn every_part_of_a_folded_text_is_a_part_of_the_original(text in "\\PC{0,40}|[a-zİ \u{200b}\n]{0,20}") {
            for folded in [plain(&text), latin(&text), letters(&text)] {
                for (at, c) in folded.text.char_indices() {
                    let range = folded.range(&(at..at + c.len_utf8()), &text);
                    prop_assert!(!text[range].is_empty());
                }
            }
        }
    }
}
