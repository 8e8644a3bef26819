//! A unified diff, line by line.

/// One line of a diff and what it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Line<'d> {
    /// `add`, `del`, `hunk`, `file`, `note` or `same`.
    pub(crate) kind: &'static str,
    /// The line with its mark.
    pub(crate) text: &'d str,
}

/// The lines of a diff. Inside a hunk a line is what its first character says, so that a removed line that begins
/// with `--` is not taken for a file's name.
pub(crate) fn lines(diff: &str) -> Vec<Line<'_>> {
    let (mut old, mut new) = (0_u64, 0_u64);
    diff.lines()
        .map(|text| {
            let kind = if old == 0 && new == 0 {
                if let Some(counts) = hunk(text) {
                    (old, new) = counts;
                    "hunk"
                } else if text.starts_with('#') || text.starts_with('\\') {
                    "note"
                } else {
                    "file"
                }
            } else {
                match text.as_bytes().first() {
                    Some(b'+') => {
                        new = new.saturating_sub(1);
                        "add"
                    }
                    Some(b'-') => {
                        old = old.saturating_sub(1);
                        "del"
                    }
                    Some(b'\\') => "note",
                    _ => {
                        (old, new) = (old.saturating_sub(1), new.saturating_sub(1));
                        "same"
                    }
                }
            };
            Line { kind, text }
        })
        .collect()
}

/// How many old and new lines follow `@@ -a,b +c,d @@`.
fn hunk(line: &str) -> Option<(u64, u64)> {
    let mut words = line.strip_prefix("@@ ")?.split(' ');
    let count = |word: &str| match word.split_once(',') {
        Some((_, count)) => count.parse().ok(),
        None => Some(1),
    };
    Some((count(words.next()?.strip_prefix('-')?)?, count(words.next()?.strip_prefix('+')?)?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_is_what_its_place_says() {
        let diff = "# kernel x: 0 -> 1\ndiff --git a/e b/e\n--- a/e\n+++ b/e\n@@ -1,2 +1,2 @@\n same\n--- dashes\n+++ plus\n\\ No newline\n--- a/f\n";
        let kinds: Vec<_> = lines(diff).iter().map(|l| l.kind).collect();
        assert_eq!(kinds, ["note", "file", "file", "file", "hunk", "same", "del", "add", "note", "file"]);
    }

    #[test]
    fn text_that_is_no_diff_is_shown_as_it_is() {
        let odd = "@@ nonsense @@\n\n+x";
        assert_eq!(lines(odd).iter().map(|l| l.text).collect::<Vec<_>>(), ["@@ nonsense @@", "", "+x"]);
        assert!(lines(odd).iter().all(|l| l.kind == "file"));
    }
}
