//! A text's words as they are compared: folded, split where a person would, cut to their stems.

use std::{collections::HashSet, sync::LazyLock};

use frostem::{Algorithm, Stemmer};
use unicode_normalization::{UnicodeNormalization as _, char::decompose_canonical};

/// The most characters of a word that count.
const MAX_WORD_CHARS: usize = 40;

static ENGLISH: LazyLock<Stemmer> = LazyLock::new(|| Stemmer::new(Algorithm::English));

/// English words that say nothing about what a question is about (folded, not stemmed).
const STOP: &str = "
    a about after again all already also am an and any anybody anyone anything are as ask at be because been
    before being both but by can cannot could d did do does doing don done each either else every few for
    from get gets getting give go goes going got had happen happens has have having he her here him his how
    i if in into is it its itself just ll make may me mean might more most much must my need needs no not
    now of off on once one only or other our out over own please re s same see she should so some somebody
    someone something still such t tell than that the their them then there these they thing things this
    those to too us use used using ve very want was way we were what when where whether which while who whom
    whose why will with would you your
";

static STOP_WORDS: LazyLock<HashSet<&str>> = LazyLock::new(|| STOP.split_whitespace().collect());

/// The words of a text in order, as often as they stand there.
pub(crate) fn words(text: &str) -> Vec<String> {
    let mut found = Vec::new();
    each(text, &mut |word| found.push(stem(word)));
    found
}

/// The words of a question, each once, without those that say nothing; with them when there are no others.
pub(crate) fn telling(text: &str, most: usize) -> Vec<String> {
    let (mut telling, mut all) = (Vec::new(), Vec::new());
    each(text, &mut |word| {
        let stop = STOP_WORDS.contains(word.as_str());
        let stem = stem(word);
        if !stop && telling.len() < most && !telling.contains(&stem) {
            telling.push(stem.clone());
        }
        if all.len() < most && !all.contains(&stem) {
            all.push(stem);
        }
    });
    if telling.is_empty() { all } else { telling }
}

/// Calls for each folded word: runs of letters and digits, the parts of `camelCase`, and pairs of neighbouring
/// characters in scripts that put no spaces between words.
fn each(text: &str, found: &mut dyn FnMut(String)) {
    for run in text.split(|c: char| !in_word(c)).filter(|run| !run.is_empty()) {
        if run.is_ascii() {
            run_of_spaced(run, found);
            continue;
        }
        let run: String = run.nfkc().collect();
        for part in parts(&run, unspaced) {
            if part.chars().next().is_some_and(unspaced) {
                pairs(part, found);
            } else {
                run_of_spaced(part, found);
            }
        }
    }
}

/// Letters, digits, and marks that change the letter before them.
fn in_word(c: char) -> bool {
    c.is_alphanumeric()
        || matches!(c, '\u{300}'..='\u{36f}' | '\u{94d}' | '\u{e31}'..='\u{e3a}' | '\u{e47}'..='\u{e4e}')
}

/// Whether the script of `c` puts no spaces between words.
fn unspaced(c: char) -> bool {
    matches!(c,
        '\u{e00}'..='\u{eff}' // Thai, Lao
        | '\u{1000}'..='\u{109f}' // Myanmar
        | '\u{1780}'..='\u{17ff}' // Khmer
        | '\u{3040}'..='\u{30ff}' // Hiragana, Katakana
        | '\u{3400}'..='\u{4dbf}' | '\u{4e00}'..='\u{9fff}' | '\u{f900}'..='\u{faff}' | '\u{20000}'..='\u{3134f}') // Han
}

/// The longest parts whose characters all are of the class, or all are not.
fn parts(text: &str, class: fn(char) -> bool) -> Vec<&str> {
    let (mut parts, mut begin, mut last) = (Vec::new(), 0, None);
    for (at, c) in text.char_indices() {
        if last.is_some_and(|last| last != class(c)) {
            parts.push(&text[begin..at]);
            begin = at;
        }
        last = Some(class(c));
    }
    parts.push(&text[begin..]);
    parts
}

fn pairs(run: &str, found: &mut dyn FnMut(String)) {
    let chars: Vec<char> = run.chars().collect();
    if chars.len() == 1 {
        found(run.to_owned());
    }
    for pair in chars.windows(2) {
        found(pair.iter().collect());
    }
}

fn run_of_spaced(run: &str, found: &mut dyn FnMut(String)) {
    let folded = fold(run);
    // Marks alone fold to nothing.
    if folded.is_empty() {
        return;
    }
    found(folded);
    let mut parts = Vec::new();
    let (mut begin, mut before) = (0, ' ');
    for (at, c) in run.char_indices() {
        if c.is_uppercase() && before.is_lowercase() {
            parts.push(&run[begin..at]);
            begin = at;
        }
        before = c;
    }
    if begin > 0 {
        parts.push(&run[begin..]);
        for part in parts {
            found(fold(part));
        }
    }
}

/// Lower case; accents of Latin and Greek letters are left out.
fn fold(word: &str) -> String {
    if word.is_ascii() {
        return word.chars().take(MAX_WORD_CHARS).map(|c| c.to_ascii_lowercase()).collect();
    }
    let mut folded = String::with_capacity(word.len());
    for c in word.chars().take(MAX_WORD_CHARS).flat_map(char::to_lowercase) {
        if matches!(c, '\u{c0}'..='\u{3ff}' | '\u{1e00}'..='\u{1fff}') {
            decompose_canonical(c, |c| {
                if !matches!(c, '\u{300}'..='\u{36f}') {
                    folded.push(c);
                }
            });
        } else {
            folded.push(c);
        }
    }
    folded
}

fn stem(word: String) -> String {
    if word.len() > 2 && word.bytes().all(|b| b.is_ascii_lowercase()) {
        ENGLISH.stem(&word).into_owned()
    } else {
        word
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn forms_of_a_word_are_one_word() {
        assert_eq!(words("Printers printing PRINTED"), ["printer", "print", "print"]);
        assert_eq!(words("cafe\u{301} Café CAFÉ"), ["cafe", "cafe", "cafe"]);
        assert!(words("\u{300}: \u{301}").is_empty(), "a mark without its letter");
        assert_eq!(words("Ärger Müller"), ["arger", "muller"]);
    }

    #[test]
    fn names_of_settings_are_found_whole_and_in_parts() {
        assert_eq!(words("PermitRootLogin"), ["permitrootlogin", "permit", "root", "login"]);
        assert_eq!(words("echo_cli --max-tokens"), ["echo", "cli", "max", "token"]);
        assert_eq!(words("/etc/ssh/sshd_config 0644"), ["etc", "ssh", "sshd", "config", "0644"]);
    }

    #[test]
    fn scripts_without_spaces_are_found_by_pairs() {
        assert_eq!(words("打印机坏"), ["打印", "印机", "机坏"]);
        assert_eq!(words("印"), ["印"]);
        assert_eq!(words("VPN接続"), ["vpn", "接続"]);
        assert_eq!(words("принтер не печатает"), ["принтер", "не", "печатает"]);
        assert_eq!(words("프린터"), ["프린터"]);
    }

    #[test]
    fn a_question_keeps_what_it_is_about() {
        assert_eq!(telling("What do I do when the printer's printer is on fire?", 8), ["printer", "fire"]);
        assert_eq!(telling("what is that", 8), ["what", "is", "that"]);
        assert_eq!(telling("one two three four", 2), ["two", "three"]);
        assert!(telling("?! 🖨️", 8).is_empty());
    }

    proptest! {
        #[test]
        fn any_text_gives_short_words(text in ".{0,200}") {
            for word in words(&text) {
                prop_assert!(!word.is_empty() && word.chars().count() <= 4 * MAX_WORD_CHARS, "{word}");
            }
        }
    }
}
