//! `cargo xtask documents`: the documents that are made of others: the playbooks' manual and the licences.
//!
//! `tidy` says when the manual is not what the playbooks say now.

use std::{
    collections::BTreeMap,
    fmt::Write as _,
    fs::{self, File},
    io::Write as _,
    path::Path,
};

use serde::Deserialize;
use serde_json::Value;

use crate::{licences, report::Report, tree};

/// The manual of the playbooks.
const PLAYBOOKS: &str = "atlas_os/documents/playbooks.md";
/// The licences of what Echo is built of.
const LICENCES: &str = "atlas_os/documents/licences.md";
/// The checks that playbooks fix.
const POLICY: &str = "policies/echo_linux_baseline.yml";

#[derive(Deserialize)]
struct Playbook {
    id: String,
    name: String,
    version: u64,
    description: String,
    fixes: Vec<u64>,
    risk: String,
    rollback: String,
    steps: Vec<BTreeMap<String, Value>>,
}

#[derive(Deserialize)]
struct Policy {
    checks: Vec<Check>,
}

#[derive(Deserialize)]
struct Check {
    id: u64,
    title: String,
}

/// Writes the documents that are made of others.
///
/// # Errors
/// When a source cannot be read or a document not be written.
pub fn write(root: &Path) -> Result<Report, String> {
    let mut report = Report::new("documents");
    for (path, text) in [(PLAYBOOKS, playbooks(root)?), (LICENCES, licences::text(root)?)] {
        let written = File::create(root.join(path)).and_then(|mut file| file.write_all(text.as_bytes()));
        written.map_err(|error| format!("cannot write {path}: {error}"))?;
    }
    report.looked_at = format!("{PLAYBOOKS} and {LICENCES} written");
    Ok(report)
}

/// Checks that the manual is what the playbooks say, and that the licences name every package.
///
/// # Errors
/// When a source cannot be read.
pub fn check(root: &Path, report: &mut Report) -> Result<(), String> {
    if tree::read(&root.join(PLAYBOOKS)).ok().as_deref() != Some(&*playbooks(root)?) {
        report.error(PLAYBOOKS, "is not what the playbooks say now: cargo xtask documents");
    }
    match tree::read(&root.join(LICENCES)) {
        Err(_) => report.error(LICENCES, "is missing: cargo xtask documents"),
        Ok(text) => {
            for missing in licences::missing(root, &text)? {
                report.error(LICENCES, format!("does not name {missing}: cargo xtask documents"));
            }
        }
    }
    Ok(())
}

fn playbooks(root: &Path) -> Result<String, String> {
    let policy: Policy = parse(root, POLICY)?;
    let titles: BTreeMap<u64, &str> =
        policy.checks.iter().map(|check| (check.id, check.title.as_str())).collect();
    let listed =
        fs::read_dir(root.join("playbooks")).map_err(|error| format!("cannot list playbooks: {error}"))?;
    let mut paths: Vec<String> = listed
        .filter_map(Result::ok)
        .filter_map(|entry| entry.file_name().into_string().ok())
        .filter(|name| Path::new(name).extension().is_some_and(|ending| ending == "yaml"))
        .map(|name| format!("playbooks/{name}"))
        .collect();
    paths.sort();
    let mut out = "# The playbooks\n\nWhat each fix does, which findings it is for, and how it goes back. A machine applies exactly the \
                   lines of the\ndiff that was approved, checks itself, and rolls back when a check fails. Made of the playbooks \
                   themselves by\n`cargo xtask documents`.\n"
        .to_owned();
    for path in &paths {
        let playbook: Playbook = parse(root, path)?;
        out.push_str(&section(&playbook, &titles));
    }
    Ok(out)
}

fn section(playbook: &Playbook, titles: &BTreeMap<u64, &str>) -> String {
    let Playbook { id, name, version, risk, .. } = playbook;
    let mut out = format!(
        "\n## {name}\n\n{}\n\n`{id}`, version {version}, {risk} risk.\n\n### For these findings\n\n",
        playbook.description.trim()
    );
    for fixed in &playbook.fixes {
        let title = titles.get(fixed).copied().unwrap_or("a check of another policy");
        let _ = writeln!(out, "- {fixed}: {title}");
    }
    out.push_str("\n### What it changes\n\n");
    for step in &playbook.steps {
        for (kind, detail) in step {
            let _ = writeln!(out, "- {}", step_in_words(kind, detail));
        }
    }
    let _ = write!(out, "\n### How it goes back\n\n{}\n", playbook.rollback.trim());
    out
}

/// `config_key` with its path and key, as words.
fn step_in_words(kind: &str, detail: &Value) -> String {
    let text = |key: &str| detail.get(key).and_then(Value::as_str);
    let mut words = kind.replace('_', " ");
    for key in
        ["path", "key", "value", "mode", "owner", "group", "name", "package", "service", "unit", "action"]
    {
        if let Some(said) = text(key).filter(|said| !said.contains('\n')) {
            let _ = write!(words, ", {key} `{said}`");
        }
    }
    words
}

fn parse<T: for<'de> Deserialize<'de>>(root: &Path, path: &str) -> Result<T, String> {
    let text = tree::read(&root.join(path))?;
    serde_saphyr::from_str(&text).map_err(|error| format!("{path}: {error}"))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_step_says_what_it_touches() {
        let detail = json!({"path": "/etc/issue", "content": "a\nb", "mode": "0600"});
        assert_eq!(step_in_words("file_content", &detail), "file content, path `/etc/issue`, mode `0600`");
    }
}
