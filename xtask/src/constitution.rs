//! `cargo xtask constitution`: every article of the constitution names tests, and each of them exists.
//!
//! With `--run` these tests are run, and nothing else is.

use std::{
    collections::{BTreeMap, BTreeSet},
    path::Path,
    process::Command,
};

use crate::{report::Report, tree};

/// Where the articles stand.
pub const CONSTITUTION: &str = "atlas_os/documents/constitution.md";

/// A guarantee, with the tests that hold it.
#[derive(Debug, PartialEq, Eq)]
struct Article {
    line: usize,
    title: String,
    tests: Vec<Test>,
}

/// A test as an article names it: the file, and the function in it.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
struct Test {
    line: usize,
    file: String,
    name: String,
}

/// Checks that every article has a test and every test exists.
///
/// # Errors
/// When the constitution cannot be read.
pub fn check(root: &Path, report: &mut Report) -> Result<(), String> {
    let text = tree::read(&root.join(CONSTITUTION))?;
    let articles = articles(&text, report);
    if articles.is_empty() {
        report.error(CONSTITUTION, "holds no article: a heading such as `## 1. Title`");
    }
    for (number, article) in (1..).zip(&articles) {
        let place = format!("{CONSTITUTION}:{}", article.line);
        if !article.title.starts_with(&format!("{number}. ")) {
            report.error(&place, format!("is the article {number}: begin its title with `{number}. `"));
        }
        if article.tests.is_empty() {
            report.error(&place, "names no test: a guarantee that nothing enforces is a wish");
        }
        for test in &article.tests {
            let place = format!("{CONSTITUTION}:{}", test.line);
            match tree::read(&root.join(&test.file)) {
                Err(_) => report.error(place, format!("there is no file {}", test.file)),
                Ok(source) if !is_test(&source, &test.name) => {
                    report.error(place, format!("{} has no test `{}`", test.file, test.name));
                }
                Ok(_) => {}
            }
        }
    }
    Ok(())
}

/// `cargo xtask constitution [--run]`.
///
/// # Errors
/// When the constitution or the workspace cannot be read.
pub fn run(root: &Path, run: bool) -> Result<Report, String> {
    let mut report = Report::new("constitution");
    check(root, &mut report)?;
    let articles = articles(&tree::read(&root.join(CONSTITUTION))?, &mut Report::new("constitution"));
    let tests: BTreeSet<(String, String)> = articles
        .iter()
        .flat_map(|article| &article.tests)
        .map(|test| (test.file.clone(), test.name.clone()))
        .collect();
    report.looked_at = format!("{} articles, {} tests", articles.len(), tests.len());
    if !run || !report.errors.is_empty() {
        return Ok(report);
    }
    let passed = run_all(root, &tests)?;
    for article in &articles {
        println!("{}", article.title);
        for test in &article.tests {
            let holds = passed.contains(&(test.file.clone(), test.name.clone()));
            println!("  {} {} {}", if holds { "passed" } else { "FAILED" }, test.file, test.name);
            if !holds {
                report.error(&test.file, format!("`{}` did not pass: {}", test.name, article.title));
            }
        }
    }
    Ok(report)
}

/// The articles: headings of the second level that begin with a digit, with the tests listed under them.
fn articles(text: &str, report: &mut Report) -> Vec<Article> {
    let mut articles: Vec<Article> = Vec::new();
    let mut open = false;
    for (line, words) in (1..).zip(text.lines()) {
        if let Some(title) = words.strip_prefix("## ") {
            open = title.starts_with(|c: char| c.is_ascii_digit());
            if open {
                articles.push(Article { line, title: title.trim().to_owned(), tests: Vec::new() });
            }
        } else if open && words.starts_with("- `") {
            let parts: Vec<&str> = words.split('`').collect();
            match (parts.as_slice(), articles.last_mut()) {
                (["- ", file, " ", name, ""], Some(article)) => {
                    article.tests.push(Test { line, file: (*file).to_owned(), name: (*name).to_owned() });
                }
                _ => report.error(
                    format!("{CONSTITUTION}:{line}"),
                    "is no test: write - `path/of/file.rs` `name_of_the_test`",
                ),
            }
        }
    }
    articles
}

/// Whether a source has a test function of that name: one with a test's attribute before it, or a property.
fn is_test(source: &str, name: &str) -> bool {
    let lines: Vec<&str> = source.lines().map(str::trim).collect();
    let declares = |line: &&str| {
        let line = line.strip_prefix("async ").unwrap_or(line);
        line.strip_prefix("fn ")
            .and_then(|rest| rest.strip_prefix(name))
            .is_some_and(|rest| rest.starts_with('('))
    };
    let Some(at) = lines.iter().position(declares) else { return false };
    let attributes =
        lines[..at].iter().rev().take_while(|line| line.starts_with("#[") || line.starts_with("//"));
    attributes.into_iter().any(|line| *line == "#[test]" || line.starts_with("#[tokio::test"))
}

/// Runs tests with one `cargo test` a package; those that passed.
fn run_all(root: &Path, tests: &BTreeSet<(String, String)>) -> Result<BTreeSet<(String, String)>, String> {
    let mut packages: BTreeMap<&str, Vec<&(String, String)>> = BTreeMap::new();
    for test in tests {
        // `crates/NAME/...` and `apps/NAME/...`: the folder is called as the package.
        let package = test.0.split('/').nth(1).ok_or_else(|| format!("{} is in no package", test.0))?;
        packages.entry(package).or_default().push(test);
    }
    let mut passed = BTreeSet::new();
    for (package, tests) in packages {
        let mut command = Command::new("cargo");
        command.args(["test", "--locked", "--package", package, "--tests", "--no-fail-fast", "--"]);
        command.args(tests.iter().map(|(_, name)| name.as_str())).current_dir(root);
        let output = command.output().map_err(|error| format!("cannot run cargo: {error}"))?;
        let said = String::from_utf8_lossy(&output.stdout);
        let found = tests.iter().filter(|(_, name)| has_passed(&said, name));
        passed.extend(found.map(|test| (*test).clone()));
        if !output.status.success() {
            eprintln!("{said}{}", String::from_utf8_lossy(&output.stderr));
        }
    }
    Ok(passed)
}

/// Whether a run says that the test of that name passed, and none of that name failed.
fn has_passed(said: &str, name: &str) -> bool {
    let mut outcomes = said.lines().filter_map(|line| {
        let (test, outcome) = line.strip_prefix("test ")?.split_once(" ... ")?;
        (test.rsplit("::").next() == Some(name)).then_some(outcome == "ok")
    });
    outcomes.next() == Some(true) && outcomes.all(|ok| ok)
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &str = "# C\n\n## 1. One\n\nWords.\n\nEnforced by:\n\n- `crates/a/src/b.rs` `it_holds`\n\n## Not an article\n\n\
        - `x`\n\n## 2. Two\n\n- `broken\n";

    #[test]
    fn articles_are_read_with_their_tests() {
        let mut report = Report::new("constitution");
        let articles = articles(TEXT, &mut report);
        assert_eq!(articles.len(), 2);
        let test = &articles[0].tests[0];
        assert_eq!((test.line, &*test.file, &*test.name), (9, "crates/a/src/b.rs", "it_holds"));
        assert!(articles[1].tests.is_empty());
        assert_eq!(report.errors.len(), 1, "{report}");
    }

    #[test]
    fn only_a_test_counts() {
        let source = "#[test]\nfn one() {}\n\n#[tokio::test(flavor = \"x\")]\n// Why.\nasync fn two() {}\nfn three() {}\n    #[test]\n\
            fn four(bytes in any()) {}\n";
        for (name, found) in [("one", true), ("two", true), ("three", false), ("four", true), ("on", false)] {
            assert_eq!(is_test(source, name), found, "{name}");
        }
    }

    #[test]
    fn a_test_that_failed_anywhere_or_did_not_run_has_not_passed() {
        let said =
            "test it::one ... ok\ntest two ... FAILED\ntest a::three ... ok\ntest b::three ... FAILED\n";
        let held: Vec<bool> = ["one", "two", "three", "four"].map(|name| has_passed(said, name)).into();
        assert_eq!(held, [true, false, false, false]);
    }
}
