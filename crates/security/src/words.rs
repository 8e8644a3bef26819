//! Splitting a command line into words, as a shell would without expanding anything.
//!
//! Source: POSIX.1-2024, Shell Command Language, section 2.2 (quoting). Nothing is special but blanks, quotes and
//! the backslash: `$`, `|`, `;` and `*` are characters like others, because no shell ever sees the words.

/// The words; none when a quote is left open or nothing is there.
pub(crate) fn split(line: &str) -> Option<Vec<String>> {
    let mut words = Vec::new();
    let mut word: Option<String> = None;
    let mut chars = line.chars();
    while let Some(c) = chars.next() {
        match c {
            ' ' | '\t' | '\n' => words.extend(word.take()),
            '\\' => word.get_or_insert_default().push(chars.next()?),
            '\'' => {
                let word = word.get_or_insert_default();
                loop {
                    match chars.next()? {
                        '\'' => break,
                        c => word.push(c),
                    }
                }
            }
            '"' => double_quoted(&mut chars, word.get_or_insert_default())?,
            c => word.get_or_insert_default().push(c),
        }
    }
    words.extend(word);
    (!words.is_empty()).then_some(words)
}

fn double_quoted(chars: &mut std::str::Chars<'_>, word: &mut String) -> Option<()> {
    loop {
        match chars.next()? {
            '"' => return Some(()),
            '\\' => match chars.next()? {
                c @ ('"' | '\\' | '$' | '`') => word.push(c),
                // Elsewhere the backslash stands for itself (section 2.2.3).
                c => word.extend(['\\', c]),
            },
            c => word.push(c),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quotes_hold_words_together() {
        for (line, words) in [
            ("sysctl  a.b", vec!["sysctl", "a.b"]),
            (r#"stat -c "%a %u" /x"#, vec!["stat", "-c", "%a %u", "/x"]),
            (r"grep -f='a b'c", vec!["grep", "-f=a bc"]),
            (r#"sh -c "echo \"$x\" \n""#, vec!["sh", "-c", r#"echo "$x" \n"#]),
            (r"a\ b ''", vec!["a b", ""]),
        ] {
            assert_eq!(split(line).unwrap(), words, "{line}");
        }
    }

    #[test]
    fn an_open_quote_or_an_empty_line_is_no_command() {
        for line in ["", "  ", "a 'b", "a \"b", "a\\"] {
            assert_eq!(split(line), None, "{line}");
        }
    }
}
