//! `cargo xtask sbom FILE`: what the shipped programs are made of, as a `CycloneDX` 1.6 document.
//!
//! From `cargo metadata` (which package needs which, and its licence) and `Cargo.lock` (its checksum). It says no time and no
//! serial number, so the same lock file makes the same bytes.

use crate::{lock, report::Report, tree};
use serde_json::{Value, json};
use std::{
    collections::{BTreeMap, BTreeSet},
    path::Path,
    process::Command,
};

/// The programs that a bundle holds.
const PROGRAMS: [&str; 3] = ["echo_cli", "echo_os_prime", "echo_probe"];

/// Writes the document to `file`; the report says how many components it names.
///
/// # Errors
/// When cargo does not answer, the lock file cannot be read, or the file not be written.
pub fn run(root: &Path, file: &Path) -> Result<Report, String> {
    let metadata = metadata(root)?;
    let checksums = lock::checksums(&tree::read(&root.join("Cargo.lock"))?);
    let document = document(&metadata, &checksums)?;
    let components = document["components"].as_array().map_or(0, Vec::len);
    let text = serde_json::to_string_pretty(&document).map_err(|error| error.to_string())?;
    std::fs::File::create(file)
        .and_then(|mut out| std::io::Write::write_all(&mut out, format!("{text}\n").as_bytes()))
        .map_err(|error| format!("cannot write {}: {error}", file.display()))?;
    let mut report = Report::new("sbom");
    report.looked_at = format!("{components} components, written to {}", file.display());
    Ok(report)
}

fn metadata(root: &Path) -> Result<Value, String> {
    let cargo = std::env::var("CARGO").unwrap_or_else(|_| "cargo".to_owned());
    let output = Command::new(cargo)
        .args([
            "metadata",
            "--locked",
            "--format-version",
            "1",
            "--filter-platform",
            "x86_64-unknown-linux-gnu",
        ])
        .current_dir(root)
        .output()
        .map_err(|error| format!("cannot run cargo metadata: {error}"))?;
    if !output.status.success() {
        return Err(format!("cargo metadata: {}", String::from_utf8_lossy(&output.stderr)));
    }
    serde_json::from_slice(&output.stdout).map_err(|error| format!("cargo metadata: {error}"))
}

fn document(metadata: &Value, checksums: &BTreeMap<(String, String), String>) -> Result<Value, String> {
    let list = |value: &Value| value.as_array().cloned().unwrap_or_default();
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let packages: BTreeMap<String, Value> =
        list(&metadata["packages"]).into_iter().map(|package| (text(&package["id"]), package)).collect();
    let needs: BTreeMap<String, Vec<String>> = list(&metadata["resolve"]["nodes"])
        .iter()
        .map(|node| {
            // What only the tests need is not shipped.
            let shipped = |dep: &&Value| list(&dep["dep_kinds"]).iter().any(|kind| kind["kind"] != "dev");
            let deps = list(&node["deps"]).iter().filter(shipped).map(|dep| text(&dep["pkg"])).collect();
            (text(&node["id"]), deps)
        })
        .collect();
    let mut waiting: Vec<String> = packages
        .iter()
        .filter(|(_, package)| {
            package["source"].is_null() && PROGRAMS.contains(&text(&package["name"]).as_str())
        })
        .map(|(id, _)| id.clone())
        .collect();
    if waiting.len() != PROGRAMS.len() {
        return Err(format!("the workspace does not hold all of {PROGRAMS:?}"));
    }
    let mut reached = BTreeSet::new();
    while let Some(id) = waiting.pop() {
        if reached.insert(id.clone()) {
            waiting.extend(needs.get(&id).into_iter().flatten().cloned());
        }
    }
    // By name and version: cargo's own ids name folders of this machine.
    let reference = |id: &String| {
        let package = &packages[id];
        format!("pkg:cargo/{}@{}", text(&package["name"]), text(&package["version"]))
    };
    let mut components = BTreeMap::new();
    let mut dependencies = BTreeMap::new();
    for id in &reached {
        let package = &packages[id];
        let (name, version) = (text(&package["name"]), text(&package["version"]));
        let program = package["source"].is_null() && PROGRAMS.contains(&name.as_str());
        let mut component = json!({
            "type": if program { "application" } else { "library" },
            "bom-ref": reference(id), "name": name, "version": version, "purl": reference(id),
        });
        if let Some(licence) = package["license"].as_str() {
            // Cargo's older way of saying `OR`.
            component["licenses"] = json!([{"expression": licence.replace('/', " OR ").replace("  ", " ")}]);
        }
        if let Some(checksum) = checksums.get(&(name, version)) {
            component["hashes"] = json!([{"alg": "SHA-256", "content": checksum}]);
        }
        components.insert(reference(id), component);
        let on: BTreeSet<String> = needs.get(id).into_iter().flatten().map(reference).collect();
        dependencies.insert(reference(id), json!({"ref": reference(id), "dependsOn": on}));
    }
    Ok(json!({
        "bomFormat": "CycloneDX", "specVersion": "1.6", "version": 1,
        "metadata": {"component": {"type": "operating-system", "name": "atlas_os", "bom-ref": "atlas_os"}},
        "components": components.into_values().collect::<Vec<_>>(),
        "dependencies": dependencies.into_values().collect::<Vec<_>>(),
    }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_shipped_is_named_and_what_only_tests_need_is_not() {
        let package = |name: &str, source: Value| json!({"id": name, "name": name, "version": "1.0.0", "source": source, "license": "MIT/Apache-2.0"});
        let dep = |name: &str, kind: Value| json!({"pkg": name, "dep_kinds": [{"kind": kind}]});
        let metadata = json!({
            "packages": [
                package("echo_cli", Value::Null), package("echo_os_prime", Value::Null),
                package("echo_probe", Value::Null), package("used", json!("registry")),
                package("tested", json!("registry")), package("built", json!("registry")),
            ],
            "resolve": {"nodes": [
                {"id": "echo_cli", "deps": [dep("used", Value::Null), dep("tested", json!("dev"))]},
                {"id": "used", "deps": [dep("built", json!("build"))]},
            ]},
        });
        let checksums = BTreeMap::from([(("used".to_owned(), "1.0.0".to_owned()), "ab".repeat(32))]);
        let document = document(&metadata, &checksums).unwrap();
        let names: Vec<&str> =
            document["components"].as_array().unwrap().iter().map(|c| c["name"].as_str().unwrap()).collect();
        assert_eq!(names, ["built", "echo_cli", "echo_os_prime", "echo_probe", "used"]);
        let used = &document["components"][4];
        assert_eq!(used["licenses"][0]["expression"], "MIT OR Apache-2.0");
        assert_eq!(used["hashes"][0]["content"], "ab".repeat(32));
        assert_eq!(document["dependencies"][1]["dependsOn"], json!(["pkg:cargo/used@1.0.0"]));
        assert!(super::document(&json!({}), &checksums).is_err());
    }
}
