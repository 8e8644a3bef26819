//! Asks the disks how they are, by `smartctl` (smartmontools), which is there or not.

use std::{ffi::OsStr, io::Read as _, process::Command, process::Stdio};

use serde_json::Value;

use crate::jobs::Said;

/// The most disks that are asked.
const MAX_DISKS: usize = 32;
/// The most bytes of one answer.
const MAX_ANSWER: u64 = 1024 * 1024;

/// Asks every disk that smartctl finds.
pub async fn ask() -> Said {
    tokio::task::spawn_blocking(|| ask_by("smartctl")).await.map_err(|error| error.to_string())?
}

fn ask_by(program: &str) -> Said {
    let Some(found) = answer(program, &["--json", "--scan"])? else {
        return Ok("smartctl is not installed: install smartmontools to have the disks asked".to_owned());
    };
    let names: Vec<&str> = found["devices"]
        .as_array()
        .into_iter()
        .flatten()
        .filter_map(|device| device["name"].as_str())
        .filter(|name| name.starts_with("/dev/"))
        .take(MAX_DISKS)
        .collect();
    let (mut good, mut bad, mut silent) = (0, Vec::new(), 0);
    for name in names {
        let told = answer(program, &["--json", "--health", name])?.unwrap_or_default();
        match told["smart_status"]["passed"].as_bool() {
            Some(true) => good += 1,
            Some(false) => bad.push(name),
            None => silent += 1,
        }
    }
    if bad.is_empty() {
        return Ok(format!("{good} disks say that they are well, {silent} say nothing"));
    }
    Err(format!("{} will fail soon, by its own word: back up now and replace it", bad.join(", ")))
}

/// What smartctl answers as JSON; nothing when it is not there. Its exit code is a set of bits about the disk, so the answer
/// alone counts (smartctl(8), "EXIT STATUS").
fn answer(program: &str, arguments: &[&str]) -> Result<Option<Value>, String> {
    let started = Command::new(OsStr::new(program))
        .args(arguments)
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn();
    let mut child = match started {
        Ok(child) => child,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(format!("cannot start {program}: {error}")),
    };
    let mut bytes = Vec::new();
    let read = child.stdout.take().map(|out| out.take(MAX_ANSWER).read_to_end(&mut bytes));
    // Reading ended early only when there was too much: nobody waits for the rest.
    drop(read);
    let _ = child.kill();
    child.wait().map_err(|error| format!("{program} did not end: {error}"))?;
    serde_json::from_slice(&bytes).map(Some).map_err(|error| format!("{program} gave no JSON: {error}"))
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt as _;

    use super::*;

    fn fake(script: &str) -> (tempfile::TempDir, String) {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("smartctl");
        durable::write(&path, format!("#!/bin/sh\n{script}\n").as_bytes(), durable::Mode::Public).unwrap();
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o755)).unwrap();
        (folder, path.to_str().unwrap().to_owned())
    }

    const TWO_DISKS: &str = r#"case "$*" in
        *--scan*) echo '{"devices": [{"name": "/dev/sda"}, {"name": "/dev/sdb"}]}' ;;
        *sda*) echo '{"smart_status": {"passed": true}}' ;;
        *) echo '{"smart_status": {"passed": PASSED}}'; exit 8 ;;
    esac"#;

    #[test]
    fn a_machine_without_smartctl_says_so_and_does_not_fail() {
        assert!(ask_by("/nowhere/smartctl").unwrap().contains("smartmontools"));
    }

    #[test]
    fn disks_that_are_well_are_counted() {
        let (_folder, program) = fake(&TWO_DISKS.replace("PASSED", "true"));
        assert!(ask_by(&program).unwrap().starts_with("2 disks"));
    }

    #[test]
    fn a_disk_that_fails_is_named() {
        let (_folder, program) = fake(&TWO_DISKS.replace("PASSED", "false"));
        assert!(ask_by(&program).unwrap_err().contains("/dev/sdb"));
    }

    #[test]
    fn an_answer_that_is_no_json_is_a_failure() {
        let (_folder, program) = fake("echo hello");
        assert!(ask_by(&program).unwrap_err().contains("JSON"));
    }
}
