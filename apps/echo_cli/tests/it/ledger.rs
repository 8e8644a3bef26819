//! `ledger` on the ledgers that a tour left behind.

use std::{
    fs,
    path::{Path, PathBuf},
};

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

/// The head in a proof: the text behind the first empty line.
fn head_of(proof: &str) -> &str {
    proof.split_once("\n\n").unwrap().1
}

#[test]
fn a_receipt_is_proven_from_the_folder_and_its_older_head_is_continued() {
    let dir = TOURED.home.join("aeterna_ledger");
    let scratch = tempfile::tempdir().unwrap();
    let proofs = fs::read_dir(TOURED.home.join("ledger")).unwrap().map(|file| file.unwrap().path());
    let is_receipts = |path: &PathBuf| {
        let name = path.file_name().unwrap().to_string_lossy();
        name.starts_with("rcpt_") && name.ends_with(".tlog-proof")
    };
    let proof = proofs.filter(is_receipts).min().unwrap();
    let id = proof.file_stem().unwrap().to_str().unwrap().to_owned();
    let old = scratch.path().join("old");
    let kept = fs::read_to_string(&proof).unwrap();
    durable::write(&old, head_of(&kept).as_bytes(), durable::Mode::Public).unwrap();

    let verify = echo_cli(&["ledger", "verify"]).arg(&dir).arg("--old").arg(&old).output().unwrap();
    assert!(verify.status.success(), "{}", stderr(&verify));
    assert!(stdout(&verify).contains("it continues the ledger of"), "{}", stdout(&verify));

    let fresh = scratch.path().join("fresh");
    let prove = echo_cli(&["ledger", "prove", "--id", &id]).arg(&dir).output().unwrap();
    durable::write(&fresh, &prove.stdout, durable::Mode::Public).unwrap();
    let vkey = fs::read_to_string(dir.join("log.vkey")).unwrap();
    let verified = echo_cli(&["ledger", "verify-proof", "--vkey", vkey.trim(), "--proof"])
        .arg(&fresh)
        .arg("--entry")
        .arg(proof.with_extension("entry"))
        .output()
        .unwrap();
    assert!(verified.status.success(), "{}", stderr(&verified));
    let none = echo_cli(&["ledger", "prove", "--id", "rcpt_none"]).arg(&dir).output().unwrap();
    assert_eq!(none.status.code(), Some(1));
    assert!(stderr(&none).contains("holds no entry of rcpt_none"), "{}", stderr(&none));
}

#[test]
fn a_consistency_proof_names_both_roots() {
    let dir = TOURED.home.join("genesis_ledger");
    let all = echo_cli(&["--json", "ledger", "consistency", "--from", "5"]).arg(&dir).output().unwrap();
    let all: Value = serde_json::from_slice(&all.stdout).unwrap();
    let part = echo_cli(&["--json", "ledger", "consistency", "--from", "5", "--to", "5"]).arg(&dir).output();
    let part: Value = serde_json::from_slice(&part.unwrap().stdout).unwrap();
    assert!(all["to"].as_u64().unwrap() > 5 && !all["proof"].as_array().unwrap().is_empty());
    assert_eq!((&part["to_root"], &part["proof"]), (&all["from_root"], &serde_json::json!([])));
    let beyond = echo_cli(&["ledger", "consistency", "--from", "100000"]).arg(&dir).output().unwrap();
    assert_eq!(beyond.status.code(), Some(1));
    assert!(stderr(&beyond).contains("at most"), "{}", stderr(&beyond));
}

/// A ledger of these entries, under the key and name that all of them share.
fn ledger_of(dir: &Path, entries: &[&[u8]]) {
    let key = ed25519_dalek::SigningKey::from_bytes(&[9; 32]);
    let log = ledger::Log::open(dir, "echo.local/test/1", key).unwrap();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
    let entries = entries.iter().map(|entry| entry.to_vec()).collect();
    runtime.block_on(log.append(entries)).unwrap();
    log.close();
}

#[test]
fn another_history_and_a_cut_end_are_named() {
    let scratch = tempfile::tempdir().unwrap();
    let [long, short, other] = ["long", "short", "other"].map(|name| scratch.path().join(name));
    ledger_of(&long, &[b"a", b"b", b"c"]);
    ledger_of(&short, &[b"a", b"b"]);
    ledger_of(&other, &[b"a", b"x"]);
    for (dir, old, code, word) in [
        (&long, &short, 0, ""),
        (&short, &long, 3, "its end was cut off"),
        (&long, &other, 3, "another history"),
    ] {
        let verify = echo_cli(&["ledger", "verify"])
            .arg(dir)
            .arg("--old")
            .arg(old.join("checkpoint"))
            .output()
            .unwrap();
        assert_eq!(verify.status.code(), Some(code), "{}", stderr(&verify));
        assert!(stderr(&verify).contains(word), "{}", stderr(&verify));
    }
}
