//! `ledger` on the ledgers that a tour left behind.

use std::{fs, path::Path};

use base64::{Engine as _, engine::general_purpose::STANDARD};
use serde_json::Value;

use crate::fixture::{TOURED, echo_cli, stderr, stdout};

fn copied(name: &str, to: &Path) {
    let status =
        std::process::Command::new("cp").arg("-r").arg(TOURED.home.join(name)).arg(to).status().unwrap();
    assert!(status.success());
}

#[test]
fn a_sound_ledger_is_shown_whole() {
    for name in ["genesis_ledger", "aeterna_ledger"] {
        let dir = TOURED.home.join(name);
        let fsck = echo_cli(&["--json", "ledger", "fsck"]).arg(&dir).output().unwrap();
        let report: Value = serde_json::from_slice(&fsck.stdout).unwrap();
        let size = report["size"].as_u64().unwrap();
        assert!(size > 5, "{report}");
        let show = echo_cli(&["--json", "ledger", "show", "--max", "1000"]).arg(&dir).output().unwrap();
        let entries: Vec<Value> = serde_json::from_slice(&show.stdout).unwrap();
        assert_eq!(entries.len() as u64, size);
        let part =
            echo_cli(&["--json", "ledger", "show", "--from", "3", "--max", "2"]).arg(&dir).output().unwrap();
        assert_eq!(serde_json::from_slice::<Vec<Value>>(&part.stdout).unwrap(), entries[3..5]);
    }
}

#[test]
fn a_changed_entry_is_named() {
    let scratch = tempfile::tempdir().unwrap();
    let dir = scratch.path().join("log");
    copied("aeterna_ledger", &dir);
    let folder = dir.join("tile/entries/000.p");
    for entry in fs::read_dir(&folder).unwrap() {
        let path = entry.unwrap().path();
        let mut bytes = fs::read(&path).unwrap();
        bytes[20] ^= 1;
        durable::write(&path, &bytes, durable::Mode::Public).unwrap();
    }
    let fsck = echo_cli(&["ledger", "fsck"]).arg(&dir).output().unwrap();
    assert_eq!(fsck.status.code(), Some(3), "{}", stderr(&fsck));
    assert!(stderr(&fsck).contains("tile/"), "{}", stderr(&fsck));
    let nothing = echo_cli(&["ledger", "fsck"]).arg(scratch.path()).output().unwrap();
    assert_eq!(nothing.status.code(), Some(1));
}

#[test]
fn a_proof_from_a_case_file_verifies_alone() {
    let envelope: Value = serde_json::from_slice(&fs::read(&TOURED.export).unwrap()).unwrap();
    let payload = STANDARD.decode(envelope["payload"].as_str().unwrap()).unwrap();
    let dossier: Value = serde_json::from_slice(&payload).unwrap();
    let documents = dossier["documents"].as_array().unwrap();
    let receipt = documents.iter().find(|d| d["kind"] == "receipt").unwrap();
    let scratch = tempfile::tempdir().unwrap();
    let (entry, proof) = (scratch.path().join("entry"), scratch.path().join("proof"));
    let write =
        |path: &Path, text: &str| durable::write(path, text.as_bytes(), durable::Mode::Public).unwrap();
    write(&entry, receipt["entry"].as_str().unwrap());
    write(&proof, receipt["proof"].as_str().unwrap());
    let vkey = fs::read_to_string(TOURED.home.join("aeterna_ledger/log.vkey")).unwrap();
    let verify = || {
        let mut command = echo_cli(&["ledger", "verify-proof", "--vkey", vkey.trim(), "--entry"]);
        command.arg(&entry).arg("--proof").arg(&proof).output().unwrap()
    };
    let held = verify();
    assert!(held.status.success() && stdout(&held).contains("echo.local/aeterna"), "{}", stderr(&held));
    write(&entry, &receipt["entry"].as_str().unwrap().replace("rcpt_", "rcpt-"));
    assert_eq!(verify().status.code(), Some(3));
}
