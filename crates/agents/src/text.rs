//! Words of a text: where they stand, and what they look like without their endings.

/// A gap between two words longer than this many bytes parts them like a full stop.
const MAX_GAP: usize = 8;

/// One word of a text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Token<'a> {
    /// The word as written.
    pub surface: &'a str,
    /// Where it starts, in bytes.
    pub start: usize,
    /// The word in lower case without its ending.
    pub stem: String,
    /// Whether a full stop, a comma or the like parts it from the word before.
    pub opens_clause: bool,
}

impl Token<'_> {
    /// Where it ends, in bytes.
    pub fn end(&self) -> usize {
        self.start + self.surface.len()
    }
}

/// The words of `text`, in order: runs of letters, digits, `_`, and apostrophes inside of them.
pub(crate) fn tokens(text: &str) -> Vec<Token<'_>> {
    let mut out: Vec<Token<'_>> = Vec::new();
    let mut start = None;
    let mut chars = text.char_indices().peekable();
    while let Some((at, c)) = chars.next() {
        let joins = is_apostrophe(c) && start.is_some();
        let next_is_word = chars.peek().is_some_and(|(_, next)| is_word(*next));
        if is_word(c) {
            start.get_or_insert(at);
        }
        if let Some(from) = start
            && !next_is_word
            && !(is_word(c) && chars.peek().is_some_and(|(_, next)| is_apostrophe(*next)))
        {
            let to = if joins { at } else { at + c.len_utf8() };
            push(&mut out, text, from, to);
            start = None;
        }
    }
    out
}

fn push<'a>(out: &mut Vec<Token<'a>>, text: &'a str, from: usize, to: usize) {
    let gap = &text[out.last().map_or(0, Token::end)..from];
    let surface = &text[from..to];
    out.push(Token {
        surface,
        start: from,
        stem: stem(surface),
        opens_clause: parts(gap) || surface.eq_ignore_ascii_case("but"),
    });
}

fn is_word(c: char) -> bool {
    c.is_alphanumeric() || c == '_'
}

fn is_apostrophe(c: char) -> bool {
    matches!(c, '\'' | '\u{2019}')
}

/// Whether what stands between two words parts the sentence there. A single line break does not: letters wrap.
fn parts(gap: &str) -> bool {
    gap.len() > MAX_GAP
        || gap.contains(['.', ',', ';', ':', '!', '?', '(', ')'])
        || gap.bytes().filter(|byte| *byte == b'\n').count() > 1
}

/// A word in lower case without its English ending; a rough cut that only has to be the same on both sides.
pub(crate) fn stem(word: &str) -> String {
    let mut word: String = word.to_lowercase().chars().filter(|c| !is_apostrophe(*c)).collect();
    if !word.is_ascii() || word.bytes().any(|byte| byte.is_ascii_digit()) {
        return word;
    }
    if word.len() > 4 && word.ends_with("ies") {
        word.truncate(word.len() - 3);
        word.push('y');
    } else if word.len() > 3
        && word.ends_with('s')
        && !["ss", "us", "is"].iter().any(|end| word.ends_with(end))
    {
        word.pop();
    }
    for ending in ["ing", "ed"] {
        if let Some(rest) = word.strip_suffix(ending)
            && rest.len() >= 3
            && rest.contains(['a', 'e', 'i', 'o', 'u', 'y'])
        {
            word.truncate(rest.len());
            undouble(&mut word);
            break;
        }
    }
    if word.len() > 3 && word.ends_with('e') {
        word.pop();
    }
    word
}

/// `stopp` from `stopping` becomes `stop`; `full`, `pass` and `buzz` keep their ends.
fn undouble(word: &mut String) {
    let bytes = word.as_bytes();
    let double = bytes.len() > 3 && bytes[bytes.len() - 1] == bytes[bytes.len() - 2];
    if double && !word.ends_with(['l', 's', 'z']) {
        word.pop();
    }
}

/// The sentences of `text`, trimmed, without line breaks inside, each an exact part of it.
pub(crate) fn sentences(text: &str) -> Vec<&str> {
    let mut out = Vec::new();
    for line in text.lines() {
        let mut from = 0;
        let mut chars = line.char_indices().peekable();
        while let Some((at, c)) = chars.next() {
            let ends =
                matches!(c, '.' | '!' | '?') && chars.peek().is_none_or(|(_, next)| next.is_whitespace());
            if ends {
                out.push(&line[from..=at]);
                from = at + 1;
            }
        }
        out.push(&line[from..]);
    }
    out.iter().map(|sentence| sentence.trim()).filter(|sentence| !sentence.is_empty()).collect()
}

/// At most `limit` characters of `text`, cut between words where there is a gap in the latter half.
pub(crate) fn shorten(text: &str, limit: usize) -> &str {
    let Some((end, _)) = text.char_indices().nth(limit) else {
        return text;
    };
    let cut = &text[..end];
    match cut.rfind(char::is_whitespace) {
        Some(gap) if gap >= end / 2 => cut[..gap].trim_end(),
        _ => cut,
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn words_keep_their_apostrophes_and_drop_quotation_marks() {
        let words = |text| tokens(text).iter().map(|t| t.surface).collect::<Vec<_>>();
        assert_eq!(
            words("I can't 'log in' to sshd_config's"),
            ["I", "can't", "log", "in", "to", "sshd_config's"]
        );
        assert_eq!(words("''' a''b"), ["a", "b"]);
    }

    #[test]
    fn inflected_forms_share_their_stem() {
        for (a, b) in [
            ("passwords", "password"),
            ("hacked", "hacking"),
            ("updates", "updated"),
            ("stopping", "stopped"),
            ("viruses", "virus"),
            ("crashes", "crashed"),
            ("batteries", "battery"),
            ("Can’t", "can't"),
            ("filling", "filled"),
        ] {
            assert_eq!(stem(a), stem(b), "{a} {b}");
        }
        assert_ne!(stem("access"), stem("acces"));
    }

    #[test]
    fn a_full_stop_or_an_empty_line_opens_a_clause_and_a_wrapped_line_does_not() {
        let opens = |text| tokens(text)[1].opens_clause;
        assert!(opens("no. ssh") && opens("no\n\nssh") && opens("no but"));
        assert!(!opens("weak\npasswords") && !opens("sign-in"));
    }

    #[test]
    fn sentences_end_where_a_gap_follows_the_full_stop() {
        assert_eq!(
            sentences("Set it in /etc/ssh/sshd_config. Then reload!\nDone"),
            ["Set it in /etc/ssh/sshd_config.", "Then reload!", "Done"]
        );
    }

    #[test]
    fn a_shortened_text_ends_between_words() {
        assert_eq!(shorten("one two three", 9), "one two");
        assert_eq!(shorten("ééééé", 2), "éé");
        assert_eq!(shorten("short", 9), "short");
    }

    proptest! {
        #[test]
        fn any_text_falls_into_words_and_sentences_that_are_parts_of_it(text in "\\PC{0,80}|[a-z'’.\n é]{0,80}") {
            for token in tokens(&text) {
                prop_assert_eq!(&text[token.start..token.end()], token.surface);
            }
            for sentence in sentences(&text) {
                prop_assert!(text.contains(sentence) && !sentence.contains('\n'));
            }
        }
    }
}
