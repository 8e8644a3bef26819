//! `cargo xtask tidy`: reads the tree once and asks every rule about it.

use crate::{
    constitution,
    layers::{self, Metadata},
    links, manuals,
    report::Report,
    rules, tree,
};
use std::path::Path;

/// Checks the workspace at `root`.
///
/// # Errors
/// When cargo or git cannot be asked, or a file cannot be read.
pub fn run(root: &Path) -> Result<Report, String> {
    let mut report = Report::new("tidy");
    let arguments = ["metadata", "--format-version", "1", "--no-deps", "--locked"];
    let said = tree::run(root, "cargo", &arguments)?;
    let metadata: Metadata =
        serde_json::from_str(&said).map_err(|error| format!("cargo metadata is not as expected: {error}"))?;
    layers::check(&metadata, &mut report);
    let entries = tree::entries(root)?;
    for entry in &entries {
        rules::check(entry, &mut report);
        links::check(entry, &|path| root.join(path).exists(), &mut report);
    }
    constitution::check(root, &mut report)?;
    manuals::check(root, &mut report)?;
    report.looked_at = format!("{} crates, {} files", metadata.packages.len(), entries.len());
    Ok(report)
}
