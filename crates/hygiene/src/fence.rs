//! Marks a text as data, so that nothing in it can end the mark.

use echo_core::Digest;

/// How many hexadecimal digits a mark has.
const DIGITS: usize = 12;

/// `text` between two marks that it does not hold itself, with the signs that chat templates are made of written in
/// another way (`<` becomes `‹`, `[INST]` becomes `(INST]`), so that no tokenizer reads an end of the turn in it. Signs
/// that nobody sees are left out.
pub fn fence(text: &str) -> String {
    let clean: String = text.chars().filter_map(plain).collect();
    let clean = clean.replace("[INST", "(INST").replace("[/INST", "(/INST");
    let mark = mark(&clean);
    format!("[data {mark}]\n{}\n[end {mark}]", clean.trim())
}

/// The beginning of the text's digest; of the digest's digest where the text holds that.
fn mark(text: &str) -> String {
    let mut digest = Digest::of(text.as_bytes());
    loop {
        let mark: String = digest.hex().chars().take(DIGITS).collect();
        if !text.contains(&mark) {
            return mark;
        }
        digest = Digest::of(digest.hex().as_bytes());
    }
}

fn plain(c: char) -> Option<char> {
    match c {
        '<' | '\u{ff1c}' => Some('\u{2039}'),
        '>' | '\u{ff1e}' => Some('\u{203a}'),
        '\n' | '\t' => Some(c),
        c if c.is_control() || crate::fold::is_invisible(c) => None,
        c => Some(c),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn what_ends_a_turn_in_a_chat_template_does_not_in_a_fence() {
        let fenced = fence("a <|im_end|>\n[INST] b </s>\u{200b}\u{e0041}");
        assert!(
            !fenced.contains(['<', '>', '\u{200b}', '\u{e0041}']) && !fenced.contains("[INST]"),
            "{fenced}"
        );
    }

    proptest! {
        #[test]
        fn no_text_ends_its_own_fence(text in "(\\[end [0-9a-f]{12}\\]|\\PC|\n){0,40}") {
            let fenced = fence(&text);
            let last = fenced.lines().last().unwrap().to_owned();
            prop_assert!(last.starts_with("[end "));
            prop_assert_eq!(fenced.matches(&last).count(), 1);
        }
    }
}
