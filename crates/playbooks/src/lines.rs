//! Edits of configuration text that a careful person would make: in place, comments and spacing kept.

use std::ops::Range;

use crate::{
    accept::Accept,
    step::{ConfigKey, FileLine, Presence},
};

/// A key that is to have a value.
#[derive(Debug, Clone, Copy)]
pub(crate) struct KeyEdit<'a> {
    pub key: &'a str,
    pub value: &'a str,
    pub separator: &'a str,
    pub section: Option<&'a str>,
    pub comment: &'a str,
    pub before: Option<&'a str>,
    pub ignore_case: bool,
    pub accept: &'a Accept,
}

impl<'a> From<&'a ConfigKey> for KeyEdit<'a> {
    fn from(step: &'a ConfigKey) -> Self {
        Self {
            key: &step.key,
            value: &step.value,
            separator: &step.separator,
            section: step.section.as_deref(),
            comment: &step.comment,
            before: step.before.as_deref(),
            ignore_case: step.ignore_case,
            accept: &step.accept,
        }
    }
}

impl KeyEdit<'_> {
    /// `text` with the key set; the same text when the value found may stay.
    pub fn set(&self, text: &str) -> String {
        let mut lines = split(text);
        let Some(region) = self.region(&lines) else {
            return self.with_new_section(lines);
        };
        if self.replace_in(&mut lines, region.clone()) == 0 {
            let at = self.place_for_new(&lines, region);
            insert(&mut lines, at, &format!("{}{}{}", self.key, self.separator, self.value));
        }
        lines.concat()
    }

    /// `text` with the key changed wherever it is set to a value that may not stay; never a new line.
    pub fn set_if_there(&self, text: &str) -> String {
        let mut lines = split(text);
        if let Some(region) = self.region(&lines) {
            self.replace_in(&mut lines, region);
        }
        lines.concat()
    }

    /// Changes what must change in `region`; how many lines set the key.
    fn replace_in(&self, lines: &mut [String], region: Range<usize>) -> usize {
        let mut found = 0;
        for line in &mut lines[region] {
            let Some(value) = self.value_in(line) else {
                continue;
            };
            found += 1;
            if !self.accept.allows(&line[value.clone()], self.value) {
                line.replace_range(value, self.value);
            }
        }
        found
    }

    /// Which lines the key may stand in; nothing when its section is missing.
    fn region(&self, lines: &[String]) -> Option<Range<usize>> {
        let start = match self.section {
            None => 0,
            Some(name) => 1 + lines.iter().position(|l| section_of(l).is_some_and(|s| self.same(s, name)))?,
        };
        let ends = |line: &String| match (self.section, self.before) {
            (Some(_), _) => section_of(line).is_some(),
            (None, Some(word)) => {
                line.split_whitespace().next().is_some_and(|first| first.eq_ignore_ascii_case(word))
            }
            (None, None) => false,
        };
        let length = lines[start..].iter().position(ends).unwrap_or(lines.len() - start);
        Some(start..start + length)
    }

    /// Below a commented default; else at the end of the region, above the comments that belong to what follows.
    fn place_for_new(&self, lines: &[String], region: Range<usize>) -> usize {
        if let Some(at) = lines[region.clone()].iter().position(|l| self.is_commented_default(l)) {
            return region.start + at + 1;
        }
        let mut at = region.end;
        if region.end == lines.len() && self.section.is_none() {
            return at;
        }
        while at > region.start {
            let above = lines[at - 1].trim();
            // Inside of a section only blank lines belong to the next one's heading.
            let passes = above.is_empty() || (self.section.is_none() && above.starts_with(self.comment));
            if !passes {
                return at;
            }
            at -= 1;
        }
        // Nothing but comments: they are the file's opening words, so the key goes below them.
        if self.section.is_some() { at } else { region.end }
    }

    /// `#Key value`. With a blank after the sign it is prose (`# Key is used by ..`), or an example in a block.
    fn is_commented_default(&self, line: &str) -> bool {
        line.trim_start()
            .strip_prefix(self.comment)
            .map(|rest| rest.trim_start_matches(self.comment))
            .is_some_and(|rest| !rest.starts_with(char::is_whitespace) && self.value_in(rest).is_some())
    }

    /// Where the value stands in a line that sets the key.
    fn value_in(&self, line: &str) -> Option<Range<usize>> {
        let body = line.trim_end();
        let start = body.len() - body.trim_start().len();
        let found = body.get(start..start + self.key.len())?;
        if !self.same(found, self.key) {
            return None;
        }
        let rest = &body[start + self.key.len()..];
        let skipped = rest.trim_start();
        let skipped = skipped.strip_prefix('=').map_or(skipped, str::trim_start);
        if skipped.len() == rest.len() {
            return None;
        }
        let from = body.len() - skipped.len();
        let length = self.without_comment(skipped).len();
        Some(from..from + length)
    }

    fn without_comment<'t>(&self, value: &'t str) -> &'t str {
        let end = value
            .match_indices(self.comment)
            .map(|(at, _)| at)
            .find(|at| value[..*at].ends_with(char::is_whitespace))
            .unwrap_or(value.len());
        value[..end].trim_end()
    }

    fn with_new_section(&self, mut lines: Vec<String>) -> String {
        if !lines.is_empty() {
            let at = lines.len();
            insert(&mut lines, at, "");
        }
        for line in [
            format!("[{}]", self.section.unwrap_or_default()),
            format!("{}{}{}", self.key, self.separator, self.value),
        ] {
            let at = lines.len();
            insert(&mut lines, at, &line);
        }
        lines.concat()
    }

    fn same(&self, a: &str, b: &str) -> bool {
        a == b || (self.ignore_case && a.eq_ignore_ascii_case(b))
    }
}

/// `text` with the line there, or gone.
pub(crate) fn set_line(text: &str, step: &FileLine) -> String {
    let mut lines = split(text);
    let is_it = |l: &str| words(l).eq(words(&step.line));
    if step.state == Presence::Absent {
        lines.retain(|l| !is_it(l));
        return lines.concat();
    }
    let begins = |l: &str| {
        step.replaces.as_deref().is_some_and(|start| words(start).eq(words(l).take(words(start).count())))
    };
    let stands = lines.iter().any(|l| is_it(l));
    let mut others = lines.iter().enumerate().filter(|(_, l)| begins(l) && !is_it(l)).map(|(at, _)| at);
    match (stands, others.next()) {
        (true, None) => return text.to_owned(),
        (false, Some(first)) => {
            let end = ending(&lines[first]).to_owned();
            lines[first] = format!("{}{end}", step.line);
        }
        (false, None) => {
            let at = lines.len();
            insert(&mut lines, at, &step.line);
        }
        (true, Some(_)) => {}
    }
    // Whatever else begins the same way would speak against the line.
    lines.retain(|l| is_it(l) || !begins(l));
    lines.concat()
}

fn words(line: &str) -> impl Iterator<Item = &str> {
    line.split_whitespace()
}

/// The lines of `text`, each with its end.
pub(crate) fn split(text: &str) -> Vec<String> {
    text.split_inclusive('\n').map(str::to_owned).collect()
}

fn section_of(line: &str) -> Option<&str> {
    line.trim().strip_prefix('[')?.strip_suffix(']')
}

fn ending(line: &str) -> &str {
    &line[line.trim_end_matches(['\r', '\n']).len()..]
}

/// Puts a line in, with the file's own line end; a last line without one gets one.
fn insert(lines: &mut Vec<String>, at: usize, line: &str) {
    let end = match lines.first().map(|l| ending(l)) {
        Some("\r\n") => "\r\n",
        _ => "\n",
    };
    if let Some(above) = at.checked_sub(1).and_then(|i| lines.get_mut(i)).filter(|l| !l.ends_with('\n')) {
        above.push_str(end);
    }
    lines.insert(at, format!("{line}{end}"));
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn edit<'a>(key: &'a str, value: &'a str, accept: &'a Accept) -> KeyEdit<'a> {
        KeyEdit {
            key,
            value,
            separator: " ",
            section: None,
            comment: "#",
            before: Some("Match"),
            ignore_case: true,
            accept,
        }
    }

    fn ssh(text: &str) -> String {
        edit("PermitRootLogin", "no", &Accept::Exact).set(text)
    }

    #[test]
    fn a_key_that_is_set_is_changed_in_place_with_its_spacing_and_comment() {
        assert_eq!(
            ssh("a 1\n  permitrootlogin\t yes  # why\nb 2\n"),
            "a 1\n  permitrootlogin\t no  # why\nb 2\n"
        );
        assert_eq!(ssh("PermitRootLogin=yes\n"), "PermitRootLogin=no\n");
        assert_eq!(ssh("PermitRootLogin = \"no\"\n"), "PermitRootLogin = \"no\"\n");
    }

    #[test]
    fn a_longer_key_is_another_key() {
        assert_eq!(ssh("PermitRootLoginX yes\n"), "PermitRootLoginX yes\nPermitRootLogin no\n");
    }

    #[test]
    fn every_line_that_sets_the_key_agrees_in_the_end() {
        assert_eq!(
            ssh("PermitRootLogin yes\nPermitRootLogin no\nPermitRootLogin maybe\n"),
            "PermitRootLogin no\n".repeat(3)
        );
    }

    #[test]
    fn a_new_key_goes_below_its_commented_default() {
        assert_eq!(
            ssh("# PermitRootLogin is explained here\n#PermitRootLogin yes\nb 2\n"),
            "# PermitRootLogin is explained here\n#PermitRootLogin yes\nPermitRootLogin no\nb 2\n"
        );
    }

    #[test]
    fn match_blocks_are_left_alone() {
        let block = "# for staff\nMatch User a\n\tPermitRootLogin yes\n";
        assert_eq!(ssh(&format!("Port 22\n\n{block}")), format!("Port 22\nPermitRootLogin no\n\n{block}"));
        assert_eq!(
            ssh("match user a\nPermitRootLogin yes\n"),
            "PermitRootLogin no\nmatch user a\nPermitRootLogin yes\n"
        );
        assert_eq!(ssh("# words\nMatch all\n"), "# words\nPermitRootLogin no\nMatch all\n");
    }

    #[test]
    fn line_ends_are_the_file_s_own() {
        assert_eq!(ssh("a 1\r\nb 2"), "a 1\r\nb 2\r\nPermitRootLogin no\r\n");
        assert_eq!(ssh("PermitRootLogin yes\r\n"), "PermitRootLogin no\r\n");
        assert_eq!(ssh(""), "PermitRootLogin no\n");
    }

    #[test]
    fn a_stricter_value_stays() {
        let four = Accept::Range(crate::accept::Range { min: Some(1), max: Some(4) });
        let edit = edit("MaxAuthTries", "4", &four);
        assert_eq!(edit.set("MaxAuthTries 3\n"), "MaxAuthTries 3\n");
        assert_eq!(edit.set("MaxAuthTries 6\n"), "MaxAuthTries 4\n");
        assert_eq!(edit.set_if_there("Port 22\n"), "Port 22\n");
    }

    #[test]
    fn a_section_s_key_stays_in_its_section() {
        let edit = KeyEdit {
            separator: "=",
            section: Some("Journal"),
            before: None,
            ..edit("Storage", "persistent", &Accept::Exact)
        };
        assert_eq!(
            edit.set("[Journal]\n#Storage=auto\n\n[Other]\nStorage=x\n"),
            "[Journal]\n#Storage=auto\nStorage=persistent\n\n[Other]\nStorage=x\n"
        );
        assert_eq!(
            edit.set("[Journal]\nA=1\n\n[Other]\nStorage=x\n"),
            "[Journal]\nA=1\nStorage=persistent\n\n[Other]\nStorage=x\n"
        );
        assert_eq!(edit.set("[O]\nx=1"), "[O]\nx=1\n\n[Journal]\nStorage=persistent\n");
        assert_eq!(edit.set(""), "[Journal]\nStorage=persistent\n");
    }

    fn line(line: &str, replaces: Option<&str>, state: Presence) -> FileLine {
        FileLine {
            path: "/a".to_owned(),
            line: line.to_owned(),
            replaces: replaces.map(str::to_owned),
            state,
            when: crate::step::When::Always,
        }
    }

    #[test]
    fn a_line_is_added_once_replaced_or_taken_away() {
        let add = line("* hard core 0", None, Presence::Present);
        assert_eq!(set_line("a\n", &add), "a\n* hard core 0\n");
        assert_eq!(set_line("a\n*  hard\tcore 0", &add), "a\n*  hard\tcore 0");
        let replace = line("* hard core 0", Some("* hard core"), Presence::Present);
        assert_eq!(
            set_line("a\n* hard  core 9\n* hard core unlimited\n* hard corex 1\n", &replace),
            "a\n* hard core 0\n* hard corex 1\n"
        );
        assert_eq!(set_line("* hard core 0\n* hard core 9\n", &replace), "* hard core 0\n");
        let gone = line("a b", None, Presence::Absent);
        assert_eq!(set_line("a  b\nc\n", &gone), "c\n");
    }

    proptest! {
        #[test]
        fn an_edit_is_stable_and_loses_nothing_else(
            text in "([ \t]{0,2}#?(PermitRootLogin|Match|Port|\\[s\\]|é)[ =]{0,2}[a-z#\"]{0,4}\r?\n?){0,8}",
            section in proptest::option::of(Just("s")),
            before in proptest::option::of(Just("Match")),
        ) {
            let accept = Accept::Exact;
            let edit = KeyEdit { section, before, ..edit("PermitRootLogin", "no", &accept) };
            let once = edit.set(&text);
            prop_assert_eq!(edit.set(&once), once.clone());
            let others = |t: &str| -> Vec<String> {
                let lines = t.lines().filter(|l| !l.to_lowercase().contains("permitrootlogin"));
                lines.filter(|l| !l.trim().is_empty() && l.trim() != "[s]").map(|l| l.trim_end().to_owned()).collect()
            };
            prop_assert_eq!(others(&text), others(&once));
        }

        #[test]
        fn a_line_edit_is_stable(text in "((a b|a  c|d)\n?){0,6}", absent: bool, starts: bool) {
            let state = if absent { Presence::Absent } else { Presence::Present };
            let step = line("a b", starts.then_some("a"), state);
            let once = set_line(&text, &step);
            prop_assert_eq!(set_line(&once, &step), once);
        }
    }
}
