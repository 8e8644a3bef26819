//! The licences of the packages that Echo's programs are built of: each by name, and each text once with those who wrote it.

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt::Write as _,
    fs,
    path::Path,
};

use serde::Deserialize;

use crate::tree;

/// The programs that are given away.
const PROGRAMS: [&str; 3] = ["echo_cli", "echo_os_prime", "echo_probe"];
/// The most bytes of a licence's file.
const MAX_TEXT: u64 = 128 * 1024;
/// What a licence's file begins with.
const NAMES: [&str; 5] = ["copying", "licence", "license", "notice", "unlicense"];

#[derive(Deserialize)]
struct Metadata {
    packages: Vec<Package>,
    resolve: Resolve,
}

#[derive(Deserialize)]
struct Package {
    id: String,
    name: String,
    version: String,
    license: Option<String>,
    repository: Option<String>,
    manifest_path: String,
    /// Nothing for packages of the workspace.
    source: Option<String>,
}

#[derive(Deserialize)]
struct Resolve {
    nodes: Vec<Node>,
}

#[derive(Deserialize)]
struct Node {
    id: String,
    deps: Vec<Dependency>,
}

#[derive(Deserialize)]
struct Dependency {
    pkg: String,
    dep_kinds: Vec<DependencyKind>,
}

#[derive(Deserialize)]
struct DependencyKind {
    /// Nothing for what is linked; `dev` and `build` are not.
    kind: Option<String>,
}

/// The document.
///
/// # Errors
/// When cargo cannot be asked.
pub fn text(root: &Path) -> Result<String, String> {
    let packages = packages(root)?;
    let mut out = format!(
        "# Licences\n\nEcho is under the Apache-2.0 licence. Its programs are built of the {} packages below, which are under their \
         own. Local\nmodels are no part of the programs: `echo_cli model list` says the licence of each that is on the shelf. The \
         C library,\nSQLite and llama.cpp come within the packages that are named after them. Made of the packages by `cargo xtask \
         documents`.\n\n## Packages\n\n| package | version | licence | from |\n| --- | --- | --- | --- |\n",
        packages.len()
    );
    for package in &packages {
        let from = package.repository.as_deref().unwrap_or("-");
        let _ = writeln!(out, "| {} | {} | {} | {from} |", package.name, package.version, licence(package));
    }
    out.push_str("\n## Texts\n");
    for (number, text) in (1..).zip(texts(&packages).into_values()) {
        let named: Vec<&str> = text.packages.iter().map(String::as_str).collect();
        let _ = write!(out, "\n### Text {number}\n\nOf {}.\n\n", named.join(", "));
        for holder in &text.holders {
            let _ = writeln!(out, "- {holder}");
        }
        let _ = write!(out, "\n```text\n{}\n```\n", text.words.trim_matches('\n'));
    }
    Ok(out)
}

/// The packages that the document does not name with their version.
///
/// # Errors
/// When cargo cannot be asked.
pub fn missing(root: &Path, document: &str) -> Result<Vec<String>, String> {
    let named: BTreeSet<&str> = document.lines().filter(|line| line.starts_with("| ")).collect();
    let is_named = |package: &Package| {
        let row = format!("| {} | {} | {} |", package.name, package.version, licence(package));
        named.iter().any(|line| line.starts_with(&row))
    };
    let missing = packages(root)?.into_iter().filter(|package| !is_named(package));
    Ok(missing.map(|package| format!("{} {}", package.name, package.version)).collect())
}

fn licence(package: &Package) -> &str {
    package.license.as_deref().unwrap_or("see its text")
}

/// What is linked into the programs, on Linux, with local models.
fn packages(root: &Path) -> Result<Vec<Package>, String> {
    let features =
        PROGRAMS[..2].iter().map(|program| format!("{program}/local_models")).collect::<Vec<_>>().join(",");
    let arguments = [
        "metadata",
        "--format-version",
        "1",
        "--locked",
        "--filter-platform",
        "x86_64-unknown-linux-gnu",
        "--features",
        &features,
    ];
    let said = tree::run(root, "cargo", &arguments)?;
    let metadata: Metadata =
        serde_json::from_str(&said).map_err(|error| format!("cargo metadata is not as expected: {error}"))?;
    let nodes: BTreeMap<&str, &Node> =
        metadata.resolve.nodes.iter().map(|node| (node.id.as_str(), node)).collect();
    let programs = metadata.packages.iter().filter(|p| p.source.is_none() && PROGRAMS.contains(&&*p.name));
    let mut waiting: Vec<&str> = programs.map(|package| package.id.as_str()).collect();
    let mut linked = BTreeSet::new();
    while let Some(id) = waiting.pop() {
        if let Some(node) = nodes.get(id).filter(|_| linked.insert(id.to_owned())) {
            let deps = node.deps.iter().filter(|dep| dep.dep_kinds.iter().any(|kind| kind.kind.is_none()));
            waiting.extend(deps.map(|dep| dep.pkg.as_str()));
        }
    }
    let mut packages: Vec<Package> =
        metadata.packages.into_iter().filter(|p| p.source.is_some() && linked.contains(&p.id)).collect();
    packages.sort_by(|a, b| (&a.name, &a.version).cmp(&(&b.name, &b.version)));
    Ok(packages)
}

/// A licence's text, with the packages that bring it and the lines that say whose it is.
struct Text {
    words: String,
    packages: BTreeSet<String>,
    holders: BTreeSet<String>,
}

/// The texts, by their words without the lines that say whose they are.
fn texts(packages: &[Package]) -> BTreeMap<String, Text> {
    let mut texts: BTreeMap<String, Text> = BTreeMap::new();
    for package in packages {
        for file in files(package) {
            let (holders, words): (Vec<&str>, Vec<&str>) = file.lines().partition(|line| says_whose(line));
            let words = words.join("\n").replace("```", "` ` `");
            let key: String = words.to_lowercase().split(|c: char| !c.is_alphanumeric()).collect();
            if key.is_empty() {
                continue;
            }
            let text = texts.entry(key).or_insert_with(|| Text {
                words,
                packages: BTreeSet::new(),
                holders: BTreeSet::new(),
            });
            text.packages.insert(package.name.clone());
            text.holders.extend(holders.into_iter().map(|line| line.trim().to_owned()));
        }
    }
    texts
}

/// Whether a line says whose a text is, and is not the licence's own words about such lines.
fn says_whose(line: &str) -> bool {
    let line = line.trim().to_lowercase();
    let names = line.chars().any(|c| c.is_ascii_digit()) || line.contains("(c)") || line.contains('©');
    (line.starts_with("copyright") || line.starts_with("(c)") || line.starts_with('©'))
        && names
        && line.len() < 200
}

/// The licences' files of a package, in the order of their names.
fn files(package: &Package) -> Vec<String> {
    let Some(folder) = Path::new(&package.manifest_path).parent() else { return Vec::new() };
    let Ok(listed) = fs::read_dir(folder) else { return Vec::new() };
    let is_licence = |entry: &fs::DirEntry| {
        let name = entry.file_name().to_string_lossy().to_lowercase();
        NAMES.iter().any(|begin| name.starts_with(begin))
            && entry.metadata().is_ok_and(|about| about.is_file() && about.len() <= MAX_TEXT)
    };
    let mut paths: Vec<_> =
        listed.filter_map(Result::ok).filter(is_licence).map(|entry| entry.path()).collect();
    paths.sort();
    paths.iter().filter_map(|path| fs::read_to_string(path).ok()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_that_says_whose_it_is_is_told_from_the_licence_s_words() {
        for line in ["Copyright (c) 2015 Ada", "  copyright 2019-2024 The Authors", "© Bob"] {
            assert!(says_whose(line), "{line}");
        }
        for line in
            ["copyright notice and this permission notice shall", "Copyright [yyyy] [name]", "THE SOFTWARE"]
        {
            assert!(!says_whose(line), "{line}");
        }
    }
}
