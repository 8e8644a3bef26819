//! Rules about one file at a time: its name, its length, its words and its mode.

use crate::{report::Report, tree::Entry};

/// A longer source file is an error.
const MAX_LINES: usize = 800;

/// A longer source file is a warning: two ideas live in it.
const MANY_LINES: usize = 400;

/// A crate's `lib.rs` opens with at least so many lines of `//!`.
const MIN_ROOM_LINES: usize = 8;

/// Endings of files that people write and read as source; data and shipped content may be as long as they are.
const SOURCE: [&str; 10] = ["css", "html", "js", "mjs", "py", "rs", "sh", "sql", "svg", "ts"];

/// Endings of files whose words are ours.
const WORDS: [&str; 8] = ["css", "html", "js", "md", "mjs", "rs", "sh", "toml"];

/// Names that say nothing about what is inside.
const EMPTY_NAMES: [&str; 7] = ["common", "helper", "helpers", "manager", "misc", "util", "utils"];

/// Marks of unfinished work. Put together here so that this file does not find itself.
const UNFINISHED: [&str; 4] =
    [concat!("TO", "DO"), concat!("FIX", "ME"), concat!("unimplemented", "!"), concat!("todo", "!")];

/// Lints that nobody may switch off, put together for the same reason.
const KEPT_LINTS: [&str; 2] = [concat!("too_many", "_lines"), concat!("missing", "_docs")];

/// Asks every rule about `entry`.
pub fn check(entry: &Entry, report: &mut Report) {
    name(entry, report);
    mode(entry, report);
    let Some(text) = entry.text.as_deref() else { return };
    length(entry, text, report);
    words(entry, text, report);
    if is_room(&entry.path) {
        opening(&entry.path, text, report);
    }
    if entry.path.ends_with("Cargo.toml") {
        lints(&entry.path, text, report);
    }
    if entry.path.ends_with("package-lock.json") && text.contains("\"resolved\"") {
        report
            .error(&entry.path, "records download addresses: set omit-lockfile-registry-resolved in .npmrc");
    }
}

fn name(entry: &Entry, report: &mut Report) {
    let stems = entry.path.split('/').map(|part| part.split('.').next().unwrap_or(part));
    for stem in stems {
        if EMPTY_NAMES.contains(&stem) {
            report.error(&entry.path, format!("`{stem}` names nothing: call it after the idea inside"));
        }
    }
}

fn mode(entry: &Entry, report: &mut Report) {
    let text = entry.text.as_deref().unwrap_or_default();
    // A Rust file may open with an inner attribute, which looks alike.
    let shebang = text.starts_with("#!") && !text.starts_with("#![");
    let script = shebang || entry.ending() == "sh";
    if script && !entry.executable {
        report.error(&entry.path, format!("is a script that cannot be run: chmod +x {}", entry.path));
    }
    if entry.executable && !shebang {
        report.error(&entry.path, "is executable but names no interpreter: add a #! line or chmod -x");
    }
}

fn length(entry: &Entry, text: &str, report: &mut Report) {
    let kind = entry.ending();
    if !(SOURCE.contains(&kind) || entry.executable) {
        return;
    }
    let lines = text.lines().count();
    if lines > MAX_LINES {
        report.error(&entry.path, format!("has {lines} lines, more than {MAX_LINES}: split it by idea"));
    } else if lines > MANY_LINES {
        report.warn(&entry.path, format!("has {lines} lines, more than {MANY_LINES}: is it one idea?"));
    }
}

fn words(entry: &Entry, text: &str, report: &mut Report) {
    let kind = entry.ending();
    if !(WORDS.contains(&kind) || entry.executable) {
        return;
    }
    for (number, line) in (1..).zip(text.lines()) {
        let place = format!("{}:{number}", entry.path);
        for mark in UNFINISHED {
            if has_word(line, mark) {
                report.error(
                    &place,
                    format!("{mark}: finish it, or file an issue and say in words what is not done"),
                );
            }
        }
        if kind != "rs" {
            continue;
        }
        for lint in KEPT_LINTS {
            if has_word(line, lint) {
                report.error(
                    &place,
                    format!("{lint} may not be switched off: split the function, or write the line"),
                );
            }
        }
        if let Some(module) = declared_module(line).filter(|module| EMPTY_NAMES.contains(module)) {
            report.error(&place, format!("`mod {module}` names nothing: call it after the idea inside"));
        }
    }
}

fn opening(path: &str, text: &str, report: &mut Report) {
    let lines = text.lines().take_while(|line| line.starts_with("//!")).count();
    if lines < MIN_ROOM_LINES {
        report.error(
            path,
            format!("opens with {lines} lines of `//!`: say in {MIN_ROOM_LINES} or more what the room is for and what may not come in"),
        );
    }
}

fn lints(path: &str, text: &str, report: &mut Report) {
    if text.contains("[package]") && !text.contains("[lints]\nworkspace = true") {
        report.error(path, "does not take the workspace's lints: add [lints] workspace = true");
    }
    for (number, line) in (1..).zip(text.lines()) {
        let allows = line.split_once('=').is_some_and(|(_, level)| level.contains("\"allow\""));
        let lint = line.split(['=', '.']).next().unwrap_or_default().trim();
        if allows && KEPT_LINTS.contains(&lint) {
            report.error(format!("{path}:{number}"), format!("{lint} may not be switched off"));
        }
    }
}

/// Whether `path` is the first file of a crate in `crates/`.
fn is_room(path: &str) -> bool {
    path.starts_with("crates/") && path.ends_with("/src/lib.rs")
}

/// The name in a `mod name` line, whatever stands before it.
fn declared_module(line: &str) -> Option<&str> {
    let line = line.trim_start();
    if line.starts_with("//") {
        return None;
    }
    let (before, after) = line.split_once("mod ")?;
    let declares = before.is_empty() || before.starts_with("pub");
    declares.then(|| after.split([' ', ';', '{']).next().unwrap_or(after))
}

/// Whether `word` stands in `line` with no letter, digit or underscore on either side of it.
fn has_word(line: &str, word: &str) -> bool {
    let inside = |c: char| c.is_alphanumeric() || c == '_';
    line.match_indices(word).any(|(start, _)| {
        let before = line[..start].chars().next_back();
        let after = line[start + word.len()..].chars().next();
        !before.is_some_and(inside) && (word.ends_with('!') || !after.is_some_and(inside))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn report(path: &str, text: &str, executable: bool) -> Report {
        let mut report = Report::new("tidy");
        let entry = Entry { path: path.to_owned(), text: Some(text.to_owned()), executable };
        check(&entry, &mut report);
        report
    }

    fn errors(path: &str, text: &str) -> Vec<String> {
        report(path, text, false).errors
    }

    #[test]
    fn a_long_file_warns_and_a_very_long_one_fails() {
        let lines = |count| "fn f() {}\n".repeat(count);
        assert_eq!(report("crates/a/src/b.rs", &lines(400), false), Report::new("tidy"));
        assert_eq!(report("crates/a/src/b.rs", &lines(401), false).warnings.len(), 1);
        assert_eq!(errors("crates/a/src/b.rs", &lines(801)).len(), 1);
        assert!(errors("policies/long.yml", &lines(801)).is_empty(), "content may be long");
    }

    #[test]
    fn unfinished_work_is_found_with_its_line() {
        let found = errors("docs/a.md", &format!("fine\nand {}: later\n", UNFINISHED[0]));
        assert_eq!(found.len(), 1);
        assert!(found[0].starts_with("docs/a.md:2:"), "{found:?}");
        assert_eq!(errors("crates/a/src/b.rs", &format!("{}()", UNFINISHED[3])).len(), 1);
        assert!(errors("docs/a.md", "a method and a MethodO").is_empty());
    }

    #[test]
    fn a_lint_we_keep_may_not_be_allowed() {
        for lint in KEPT_LINTS {
            assert_eq!(errors("crates/a/src/b.rs", &format!("#[allow(clippy::{lint})]")).len(), 1, "{lint}");
            let manifest = format!("[lints.rust]\n{lint} = \"allow\"\n");
            assert_eq!(errors("Cargo.toml", &manifest).len(), 1, "{lint}");
        }
    }

    #[test]
    fn a_package_must_take_the_workspace_lints() {
        assert_eq!(errors("crates/a/Cargo.toml", "[package]\nname = \"a\"\n").len(), 1);
        assert!(errors("crates/a/Cargo.toml", "[package]\n\n[lints]\nworkspace = true\n").is_empty());
    }

    #[test]
    fn a_room_says_what_it_is_for() {
        assert_eq!(errors("crates/a/src/lib.rs", "//! one\n//! two\n\n//! late\n").len(), 1);
        assert!(errors("crates/a/src/lib.rs", &"//! a line\n".repeat(8)).is_empty());
        assert!(errors("apps/a/src/main.rs", "//! one\n").is_empty());
    }

    #[test]
    fn a_name_that_says_nothing_is_refused() {
        assert_eq!(errors("crates/a/src/utils.rs", "").len(), 1);
        assert_eq!(errors("crates/a/src/helpers/mod.rs", "").len(), 1);
        assert_eq!(errors("crates/a/src/b.rs", "pub(crate) mod manager;").len(), 1);
        assert_eq!(errors("crates/a/src/b.rs", "    mod common {").len(), 1);
        assert!(errors("crates/a/src/b.rs", "// mod common is banned\nmod commons;").is_empty());
    }

    #[test]
    fn a_script_must_be_executable_and_only_a_script() {
        assert_eq!(report("scripts/test", "#!/usr/bin/env bash\n", false).errors.len(), 1);
        assert!(report("scripts/test", "#!/usr/bin/env bash\n", true).errors.is_empty());
        assert_eq!(report("docs/a.md", "text", true).errors.len(), 1);
        assert!(report("crates/a/src/b.rs", "#![allow(x)]", false).errors.is_empty());
    }

    #[test]
    fn a_lock_file_names_no_registry() {
        assert_eq!(errors("tests/browser/package-lock.json", "{\"resolved\": \"x\"}").len(), 1);
    }
}
