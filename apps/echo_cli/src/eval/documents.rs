//! The documents of Echo's repository: what the questions are about.

use std::{
    fs,
    path::{Path, PathBuf},
};

use evals::retrieval::Document;
use memory::SourceKind;

use crate::Failure;

/// The most bytes of one document.
const MAX_DOCUMENT: u64 = 4 * 1024 * 1024;
/// The most documents.
const MAX_DOCUMENTS: usize = 500;

/// The README, the architecture, the pages of `docs` and the playbooks, by path.
pub fn of(repository: &Path) -> Result<Vec<Document>, Failure> {
    let mut paths: Vec<PathBuf> = vec!["ARCHITECTURE.md".into(), "README.md".into()];
    paths.extend(listed(repository, "docs", "md")?);
    paths.extend(listed(repository, "playbooks", "yaml")?);
    paths.truncate(MAX_DOCUMENTS);
    paths.sort();
    paths.into_iter().map(|path| read(repository, &path)).collect()
}

fn listed(repository: &Path, folder: &str, extension: &str) -> Result<Vec<PathBuf>, Failure> {
    let at = repository.join(folder);
    let entries = fs::read_dir(&at).map_err(|error| {
        Failure::failed(format!("cannot list {}: {error}", at.display()))
            .hint("run this in Echo's repository, or name it with --repository")
    })?;
    Ok(entries
        .filter_map(Result::ok)
        .map(|entry| Path::new(folder).join(entry.file_name()))
        .filter(|path| path.extension().is_some_and(|found| found == extension))
        .collect())
}

fn read(repository: &Path, path: &Path) -> Result<Document, Failure> {
    let at = repository.join(path);
    let bytes = durable::read(&at, MAX_DOCUMENT)?
        .ok_or_else(|| Failure::failed(format!("there is no file {}", at.display())))?;
    let text = String::from_utf8(bytes)
        .map_err(|_| Failure::failed(format!("{}: it is not UTF-8", at.display())))?;
    let playbook = path.extension().is_some_and(|found| found == "yaml");
    let first = text.lines().find_map(|line| line.strip_prefix("# ").or(line.strip_prefix("name: ")));
    let title = first.map_or_else(|| path.display().to_string(), |title| title.trim().to_owned());
    let kind = if playbook { SourceKind::Playbook } else { SourceKind::Document };
    Ok(Document { path: path.display().to_string(), title, text, kind })
}
