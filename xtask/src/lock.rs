//! What `Cargo.lock` and `deny.toml` say, as far as the advisories need it.
//!
//! Cargo writes the lock file one key a line, and `deny.toml` keeps one ignored advisory a line, so lines are
//! enough and a TOML parser is not needed.

use semver::Version;
use std::collections::BTreeMap;

/// One locked package of a registry.
#[derive(Debug, PartialEq, Eq)]
pub struct Locked {
    /// The package's name.
    pub name: String,
    /// The locked version.
    pub version: Version,
}

/// The registry packages of a `Cargo.lock`. Packages without a source are ours and have no advisories.
///
/// # Errors
/// When a version is not semantic.
pub fn packages(text: &str) -> Result<Vec<Locked>, String> {
    let mut found = Vec::new();
    for block in text.split("[[package]]").skip(1) {
        let (Some(name), Some(version)) = (value(block, "name"), value(block, "version")) else {
            continue;
        };
        if value(block, "source").is_some_and(|source| source.starts_with("registry+")) {
            let version = Version::parse(version)
                .map_err(|error| format!("Cargo.lock: {name} {version} is no version: {error}"))?;
            found.push(Locked { name: name.to_owned(), version });
        }
    }
    Ok(found)
}

/// The SHA-256 of each registry package of a `Cargo.lock`, by its name and version.
pub fn checksums(text: &str) -> BTreeMap<(String, String), String> {
    let entry = |block: &str| {
        let [name, version, checksum] = ["name", "version", "checksum"].map(|key| value(block, key));
        Some(((name?.to_owned(), version?.to_owned()), checksum?.to_owned()))
    };
    text.split("[[package]]").skip(1).filter_map(entry).collect()
}

/// The advisories that `deny.toml` ignores, in its order.
///
/// # Errors
/// When one has no reason: an ignored advisory must say why it does not touch us.
pub fn ignored(text: &str) -> Result<Vec<String>, String> {
    let mut found = Vec::new();
    let (mut section, mut listing) = ("", false);
    for line in text.lines().map(str::trim).filter(|line| !line.starts_with('#')) {
        if line.starts_with('[') && line.ends_with(']') && !listing {
            section = line;
        }
        listing |= section == "[advisories]" && line.starts_with("ignore");
        if listing {
            if let Some(id) = quoted_after(line, "id") {
                let reason = quoted_after(line, "reason").unwrap_or_default();
                if reason.is_empty() {
                    return Err(format!("deny.toml: {id} is ignored without a reason: add reason = \"...\""));
                }
                found.push(id.to_owned());
            } else if let Some(bare) = line.strip_prefix('"') {
                return Err(format!("deny.toml: write {{ id = \"{bare}, reason = \"...\" }}"));
            }
            listing = !line.ends_with(']');
        }
    }
    Ok(found)
}

/// The value of a `key = "value"` line.
fn value<'a>(block: &'a str, key: &str) -> Option<&'a str> {
    block.lines().find_map(|line| line.strip_prefix(key)?.strip_prefix(" = \"")?.strip_suffix('"'))
}

/// The text between the quotes that follow `key = ` anywhere in the line.
fn quoted_after<'a>(line: &'a str, key: &str) -> Option<&'a str> {
    let (_, rest) = line.split_once(&format!("{key} = \""))?;
    rest.split_once('"').map(|(inside, _)| inside)
}

#[cfg(test)]
mod tests {
    use super::*;

    const LOCK: &str = "version = 4\n\n[[package]]\nname = \"ours\"\nversion = \"0.1.0\"\n\n\
        [[package]]\nname = \"theirs\"\nversion = \"1.2.3\"\nsource = \"registry+https://example.org/index\"\n";

    #[test]
    fn only_packages_of_a_registry_are_listed() {
        let found = packages(LOCK).unwrap();
        assert_eq!(found, [Locked { name: "theirs".to_owned(), version: Version::new(1, 2, 3) }]);
    }

    #[test]
    fn a_version_that_is_none_is_an_error() {
        assert!(packages(&LOCK.replace("1.2.3", "one")).unwrap_err().contains("theirs one"));
    }

    #[test]
    fn ignored_advisories_are_read_with_their_reasons() {
        let text = "[advisories]\nignore = [\n  # why\n  { id = \"A-1\", reason = \"never called\" },\n]\n\
            [licenses]\nallow = [\n  \"MIT\",\n]\n";
        assert_eq!(ignored(text).unwrap(), ["A-1"]);
        assert!(ignored("[advisories]\nignore = []\n").unwrap().is_empty());
    }

    #[test]
    fn an_ignored_advisory_without_a_reason_is_refused() {
        assert!(ignored("[advisories]\nignore = [\n  { id = \"A-1\" },\n]\n").is_err());
        assert!(ignored("[advisories]\nignore = [\n  \"A-1\",\n]\n").is_err());
    }
}
