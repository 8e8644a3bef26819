//! `cargo xtask advisories DIR`: the lock file against `RustSec`'s advisories, without a network.
//!
//! The advisories are OSV records (OSV schema 1.x, section "affected fields"), one JSON document each, packed
//! with tar and gzip. Every kind counts, "unmaintained" and "unsound" too: what does not touch us is ignored by
//! name in `deny.toml`, with the reason.

use crate::{
    lock::{self, Locked},
    report::Report,
    tree,
};
use semver::Version;
use serde::Deserialize;
use std::{
    collections::BTreeMap,
    io::Read as _,
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

/// The most we read of one unpacked archive, in bytes.
const MAX_UNPACKED_BYTES: u64 = 256 << 20;

/// Checks the workspace's lock file against every `DIR/osv/*rustsec*.tar.gz`.
///
/// # Errors
/// When there is no such archive, or it, the lock file or `deny.toml` cannot be read.
pub fn run(root: &Path, dir: &Path) -> Result<Report, String> {
    let mut advisories = Vec::new();
    for archive in archives(&dir.join("osv"))? {
        advisories.extend(parse(&unpack(&archive)?, &archive)?);
    }
    let locked = lock::packages(&tree::read(&root.join("Cargo.lock"))?)?;
    let ignored = lock::ignored(&tree::read(&root.join("deny.toml"))?)?;
    let mut report = Report::new("advisories");
    report.looked_at = format!("{} packages against {} advisories", locked.len(), advisories.len());
    compare(&locked, &advisories, &ignored, &mut report);
    Ok(report)
}

fn archives(folder: &Path) -> Result<Vec<PathBuf>, String> {
    let cannot = |error| format!("cannot read {}: {error}", folder.display());
    let mut found = Vec::new();
    for entry in std::fs::read_dir(folder).map_err(cannot)? {
        let path = entry.map_err(cannot)?.path();
        let name = path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
        if name.contains("rustsec") && name.ends_with(".tar.gz") {
            found.push(path);
        }
    }
    found.sort();
    if found.is_empty() {
        return Err(format!(
            "{} holds no *rustsec*.tar.gz: put RustSec's OSV export there",
            folder.display()
        ));
    }
    Ok(found)
}

/// Every JSON document of the archive, one after another.
fn unpack(archive: &Path) -> Result<String, String> {
    let cannot = |error: std::io::Error| format!("cannot unpack {}: {error}", archive.display());
    let mut child = Command::new("tar")
        .args(["--extract", "--gzip", "--to-stdout", "--wildcards", "--file"])
        .arg(archive)
        .arg("*.json")
        .stdout(Stdio::piped())
        .spawn()
        .map_err(cannot)?;
    let mut text = String::new();
    if let Some(output) = child.stdout.take() {
        output.take(MAX_UNPACKED_BYTES).read_to_string(&mut text).map_err(cannot)?;
    }
    let status = child.wait().map_err(cannot)?;
    if status.success() { Ok(text) } else { Err(format!("tar failed on {}: {status}", archive.display())) }
}

fn parse(text: &str, archive: &Path) -> Result<Vec<Advisory>, String> {
    serde_json::Deserializer::from_str(text)
        .into_iter()
        .collect::<Result<_, _>>()
        .map_err(|error| format!("{} holds something that is no OSV record: {error}", archive.display()))
}

fn compare(locked: &[Locked], advisories: &[Advisory], ignored: &[String], report: &mut Report) {
    let mut by_name: BTreeMap<&str, Vec<&Locked>> = BTreeMap::new();
    for package in locked {
        by_name.entry(&package.name).or_default().push(package);
    }
    let mut met = Vec::new();
    for advisory in advisories.iter().filter(|advisory| advisory.withdrawn.is_none()) {
        for affected in advisory.affected.iter().filter(|affected| affected.is_crate()) {
            let packages = by_name.get(affected.package.name.as_str()).into_iter().flatten();
            for package in packages.filter(|package| affected.includes(&package.version)) {
                met.push(&advisory.id);
                if !ignored.contains(&advisory.id) {
                    let place = format!("{} {}", package.name, package.version);
                    report.error(
                        place,
                        format!(
                            "{}: {}; update it, or ignore it in deny.toml with a reason",
                            advisory.id, advisory.summary
                        ),
                    );
                }
            }
        }
    }
    for id in ignored.iter().filter(|id| !met.contains(id)) {
        report.warn("deny.toml", format!("{id} is ignored but touches nothing that is locked: take it out"));
    }
}

/// The part of an OSV record that we read.
#[derive(Deserialize)]
struct Advisory {
    id: String,
    #[serde(default)]
    summary: String,
    withdrawn: Option<String>,
    #[serde(default)]
    affected: Vec<Affected>,
}

#[derive(Deserialize)]
struct Affected {
    package: Package,
    #[serde(default)]
    ranges: Vec<Range>,
    #[serde(default)]
    versions: Vec<String>,
}

#[derive(Deserialize)]
struct Package {
    ecosystem: String,
    name: String,
}

#[derive(Deserialize)]
struct Range {
    #[serde(rename = "type")]
    kind: String,
    events: Vec<Event>,
}

#[derive(Deserialize)]
#[serde(rename_all = "snake_case")]
enum Event {
    Introduced(String),
    Fixed(String),
    LastAffected(String),
    Limit(String),
}

impl Affected {
    fn is_crate(&self) -> bool {
        self.package.ecosystem == "crates.io"
    }

    fn includes(&self, version: &Version) -> bool {
        let named = self.versions.iter().any(|named| *named == version.to_string());
        named || self.ranges.iter().any(|range| range.kind == "SEMVER" && range.includes(version))
    }
}

impl Range {
    /// OSV's evaluation: walk the events in version order; the last one at or before the version decides.
    fn includes(&self, version: &Version) -> bool {
        let mut steps: Vec<Step> = self.events.iter().filter_map(Event::step).collect();
        steps.sort();
        let mut affected = false;
        for step in steps {
            let reached = if step.after { *version > step.version } else { *version >= step.version };
            if reached {
                affected = step.affects;
            }
        }
        affected
    }
}

/// One event as a step: from `version` on (or just after it) versions are affected or not.
#[derive(PartialEq, Eq, PartialOrd, Ord)]
struct Step {
    version: Version,
    after: bool,
    affects: bool,
}

impl Event {
    /// Nothing for an event whose version cannot be read: `RustSec`'s export has none such.
    fn step(&self) -> Option<Step> {
        let (text, after, affects) = match self {
            Self::Introduced(text) => (text, false, true),
            Self::Fixed(text) | Self::Limit(text) => (text, false, false),
            Self::LastAffected(text) => (text, true, false),
        };
        // OSV writes "0" for "from the first version on".
        let text = if text == "0" { "0.0.0-0" } else { text.as_str() };
        Version::parse(text).ok().map(|version| Step { version, after, affects })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn advisories(events: &str, withdrawn: &str) -> Vec<Advisory> {
        let text = format!(
            "{{\"id\":\"A-1\",\"summary\":\"bad\"{withdrawn},\"affected\":[{{\"package\":\
             {{\"ecosystem\":\"crates.io\",\"name\":\"x\"}},\"ranges\":[{{\"type\":\"SEMVER\",\"events\":{events}}}]}}]}}"
        );
        parse(&text, Path::new("test")).unwrap()
    }

    fn report(version: &str, advisories: &[Advisory], ignored: &[&str]) -> Report {
        let locked = [Locked { name: "x".to_owned(), version: Version::parse(version).unwrap() }];
        let ignored: Vec<String> = ignored.iter().map(|id| (*id).to_owned()).collect();
        let mut report = Report::new("advisories");
        compare(&locked, advisories, &ignored, &mut report);
        report
    }

    const TWO_SPANS: &str =
        r#"[{"introduced":"2.0.0"},{"fixed":"2.1.0"},{"introduced":"0"},{"fixed":"1.5.0"}]"#;

    #[test]
    fn a_version_inside_a_span_is_affected_and_its_end_is_not() {
        let advisories = advisories(TWO_SPANS, "");
        for (version, errors) in [("0.1.0", 1), ("1.4.9", 1), ("1.5.0", 0), ("2.0.0", 1), ("2.1.0", 0)] {
            assert_eq!(report(version, &advisories, &[]).errors.len(), errors, "{version}");
        }
    }

    #[test]
    fn a_release_candidate_comes_before_its_release() {
        assert_eq!(report("1.5.0-rc.1", &advisories(TWO_SPANS, ""), &[]).errors.len(), 1);
    }

    #[test]
    fn the_last_affected_version_is_affected() {
        let advisories = advisories(r#"[{"introduced":"1.0.0"},{"last_affected":"1.2.0"}]"#, "");
        for (version, errors) in [("0.9.0", 0), ("1.2.0", 1), ("1.2.1", 0)] {
            assert_eq!(report(version, &advisories, &[]).errors.len(), errors, "{version}");
        }
    }

    #[test]
    fn a_withdrawn_advisory_touches_nobody() {
        let advisories = advisories(TWO_SPANS, ",\"withdrawn\":\"2021-01-01T00:00:00Z\"");
        assert!(report("1.0.0", &advisories, &[]).errors.is_empty());
    }

    #[test]
    fn an_ignored_advisory_passes_and_a_needless_one_is_said() {
        let advisories = advisories(TWO_SPANS, "");
        assert_eq!(report("1.0.0", &advisories, &["A-1"]), Report::new("advisories"));
        assert_eq!(report("3.0.0", &advisories, &["A-1"]).warnings.len(), 1);
    }

    #[test]
    fn something_that_is_no_record_is_an_error() {
        assert!(parse("{\"id\":", Path::new("test")).is_err());
    }
}
