//! Links in Markdown that lead to a file must find it.

use crate::{report::Report, tree::Entry};

/// Checks the local links of a Markdown file; `exists` is asked with paths from the workspace's root.
pub fn check(entry: &Entry, exists: &dyn Fn(&str) -> bool, report: &mut Report) {
    let Some(text) = entry.text.as_deref().filter(|_| entry.ending() == "md") else {
        return;
    };
    let mut fenced = false;
    for (number, line) in (1..).zip(text.lines()) {
        if line.trim_start().starts_with("```") {
            fenced = !fenced;
            continue;
        }
        if fenced {
            continue;
        }
        for target in targets(&without_code(line)) {
            let place = format!("{}:{number}", entry.path);
            let message = match resolve(&entry.path, &target) {
                Target::Elsewhere => continue,
                Target::Local(path) if exists(&path) => continue,
                Target::Local(path) => format!("link {target} leads to no file ({path})"),
                Target::Outside => format!("link {target} leaves the project"),
            };
            report.error(place, message);
        }
    }
}

enum Target {
    /// Another site, or a heading of the same page.
    Elsewhere,
    /// Above the project's root.
    Outside,
    /// A path from the project's root.
    Local(String),
}

/// The line with everything between back-ticks left out: code is not a link.
fn without_code(line: &str) -> String {
    line.split('`').step_by(2).collect()
}

/// What the line links to: `[text](target)`, `[name]: target`, `src="target"` and `href="target"`.
fn targets(line: &str) -> Vec<String> {
    let mut found = Vec::new();
    for (opening, closing) in [("](", ')'), ("src=\"", '"'), ("href=\"", '"'), ("srcset=\"", '"')] {
        for piece in line.split(opening).skip(1) {
            if let Some((target, _)) = piece.split_once(closing) {
                found.push(target.trim_start_matches('<').to_owned());
            }
        }
    }
    if let Some((name, target)) = line.split_once("]: ")
        && name.starts_with('[')
        && !name.starts_with("[^")
    {
        found.push(target.to_owned());
    }
    // A title may follow the target: `(path "title")`.
    let first_word = |target: String| target.split_whitespace().next().unwrap_or("").to_owned();
    found.into_iter().map(first_word).map(|target| target.trim_end_matches('>').to_owned()).collect()
}

fn resolve(from: &str, target: &str) -> Target {
    let path = target.split(['#', '?']).next().unwrap_or(target);
    if path.is_empty() || target.contains("://") || target.starts_with("mailto:") {
        return Target::Elsewhere;
    }
    let mut parts: Vec<&str> = from.split('/').collect();
    parts.pop();
    if path.starts_with('/') {
        return Target::Outside;
    }
    for part in path.split('/') {
        match part {
            "" | "." => {}
            ".." => {
                if parts.pop().is_none() {
                    return Target::Outside;
                }
            }
            name => parts.push(name),
        }
    }
    Target::Local(parts.join("/"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn errors(text: &str) -> Vec<String> {
        let mut report = Report::new("tidy");
        let entry =
            Entry { path: "docs/guide.md".to_owned(), text: Some(text.to_owned()), executable: false };
        check(&entry, &|path| path == "docs/there.md" || path == "README.md", &mut report);
        report.errors
    }

    #[test]
    fn a_link_to_a_file_that_is_there_is_fine() {
        assert!(errors("[a](there.md) [b](../README.md#top) [c](./there.md \"title\")").is_empty());
        assert!(errors("[a]: there.md\n<img src=\"there.md\">").is_empty());
    }

    #[test]
    fn a_link_to_nothing_is_found_with_its_line() {
        let found = errors("fine\n\n![shot](gone.png)");
        assert_eq!(found, ["docs/guide.md:3: link gone.png leads to no file (docs/gone.png)"]);
        assert_eq!(errors("[a]: gone.md").len(), 1);
    }

    #[test]
    fn a_link_above_the_root_is_refused() {
        assert_eq!(errors("[a](../../secret)").len(), 1);
        assert_eq!(errors("[a](/etc/passwd)").len(), 1);
    }

    #[test]
    fn sites_headings_and_code_are_left_alone() {
        assert!(
            errors("[a](https://example.org/x) [b](#top) [c](mailto:a@example.org) `[d](gone)`").is_empty()
        );
        assert!(errors("```\n[a](gone.md)\n```\n").is_empty());
        assert!(errors("[^1]: a footnote").is_empty());
    }
}
