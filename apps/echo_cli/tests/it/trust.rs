//! `trust` on a home that a real platform made, and what that platform makes of it.

use std::{
    fs::{self, File},
    path::PathBuf,
    process::{Child, Command, Output, Stdio},
};

use durable::Mode;
use serde_json::Value;

use crate::fixture::{Platform, TOURED, echo_cli, sibling, stderr, stdout, terminate};

/// A copy of the toured home, whose platform is stopped.
struct House(tempfile::TempDir);

/// Files of a running platform that no stopped one needs.
const PASSED_OVER: [&str; 1] = ["tour"];

impl House {
    fn new() -> Self {
        let scratch = tempfile::tempdir().unwrap();
        copy(&TOURED.home, &scratch.path().join("home"));
        Self(scratch)
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    fn run(&self, line: &str) -> Output {
        let mut command = echo_cli(&["--json", "--home", "home"]);
        command.current_dir(self.0.path()).args(line.split(' ')).output().unwrap()
    }

    fn done(&self, line: &str) -> Value {
        let output = self.run(line);
        assert!(output.status.success(), "{line}: {}", stderr(&output));
        serde_json::from_slice(&output.stdout).unwrap()
    }

    fn refused(&self, line: &str, code: i32) -> String {
        let output = self.run(line);
        assert_eq!(output.status.code(), Some(code), "{line}: {}{}", stdout(&output), stderr(&output));
        stderr(&output)
    }

    /// What people see.
    fn said(&self, line: &str) -> String {
        let mut command = echo_cli(&["--home", "home"]);
        let output = command.current_dir(self.0.path()).args(line.split(' ')).output().unwrap();
        assert!(output.status.success(), "{line}: {}", stderr(&output));
        stdout(&output)
    }

    /// Starts the platform, and waits until it has entered what it owes.
    fn starts(&self) -> Running {
        let log = self.path("log");
        let mut child = Command::new(sibling("echo_os_prime"))
            .args(["--listen", "127.0.0.1:0", "--home"])
            .arg(self.path("home"))
            .stdout(Stdio::piped())
            .stderr(File::create(&log).unwrap())
            .spawn()
            .unwrap();
        let mut line = String::new();
        let stdout = child.stdout.take().unwrap();
        std::io::BufRead::read_line(&mut std::io::BufReader::new(stdout), &mut line).unwrap();
        assert!(line.starts_with("ready "), "{line}{}", fs::read_to_string(&log).unwrap());
        Running(child)
    }
}

struct Running(Child);

impl Drop for Running {
    fn drop(&mut self) {
        terminate(&self.0);
        let _ = self.0.wait();
    }
}

fn copy(from: &std::path::Path, to: &std::path::Path) {
    durable::create_folder(to).unwrap();
    for entry in fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        let (name, target) = (entry.file_name(), to.join(entry.file_name()));
        if PASSED_OVER.iter().any(|passed| name == *passed) {
            continue;
        }
        if entry.file_type().unwrap().is_dir() {
            copy(&entry.path(), &target);
        } else {
            fs::copy(entry.path(), target).unwrap();
        }
    }
}

fn keys<'v>(shown: &'v Value, role: &str, state: &str) -> Vec<&'v Value> {
    let all = shown["keys"].as_array().unwrap();
    all.iter().filter(|key| key["role"] == role && key["state"] == state).collect()
}

#[test]
fn an_operator_s_key_is_replaced_and_the_platform_goes_on() {
    let house = House::new();
    let before = house.done("trust show");
    assert_eq!((&before["version"], &before["root"]), (&1.into(), &TOURED.fingerprint.clone().into()));
    let old = keys(&before, "operator", "active")[0]["id"].clone();
    let begun = house.done("trust rotate operator --reason yearly");
    assert_eq!((&begun["waits_for"], &begun["rotation"]["stage"]), (&"grace".into(), &"grace".into()));
    let shown = house.done("trust show");
    assert_eq!(shown["version"], 2);
    let retiring = keys(&shown, "operator", "retiring");
    assert_eq!((&retiring[0]["id"], &retiring[0]["until"]), (&old, &begun["until"]));
    assert_eq!(keys(&shown, "operator", "active").len(), 1);
    drop(house.starts());
    let notices = house.done("trust notices");
    assert_eq!((&notices[0]["standing"], &notices[0]["notice"]["keys"][0]["key"]), (&"warns".into(), &old));
    let status = house.done("trust status");
    assert_eq!(status[0]["until"], begun["until"]);
    assert_eq!(house.done("trust resume")[0]["waits_for"], "grace", "it is not yet time");
    for (line, words) in
        [("trust show", "retiring"), ("trust status", "trust resume"), ("trust notices", "yearly")]
    {
        let said = house.said(line);
        assert!(said.contains(words), "{line}: {said}");
    }
    let ledger = house.refused("trust rotate aeterna_ledger", 2);
    assert!(ledger.contains("identity"), "{ledger}");
}

#[test]
fn an_old_file_holds_after_a_retirement_and_not_after_a_revocation() {
    let house = House::new();
    let export = TOURED.export.to_str().unwrap();
    let verify =
        format!("verify {export} --root {} --trust home/sovereign_trust_registry.json", TOURED.fingerprint);
    house.done("trust rotate operator receipts attestor --grace 0");
    assert_eq!(house.done(&verify)["verified"], true);
    house.refused("trust rotate receipts --emergency", 2);
    house.refused("trust rotate receipts --emergency --reason stolen", 2);
    house.done("trust rotate receipts --emergency --reason stolen --yes");
    assert_eq!(house.done(&verify)["verified"], true, "the stolen key is not the one of the file");
    let other = House::new();
    other.done("trust rotate receipts --emergency --reason stolen --yes");
    let refused = other.refused(&verify, 3);
    assert!(refused.contains("revoked") && refused.contains("stolen"), "{refused}");
    drop(other.starts());
}

#[test]
fn a_key_that_is_stolen_while_it_is_being_replaced_is_revoked_and_the_platform_starts() {
    let house = House::new();
    let begun = house.done("trust rotate operator --reason yearly");
    let id = begun["rotation"]["id"].as_str().unwrap();
    let published = house.refused(&format!("trust abandon {id}"), 2);
    assert!(published.contains("already"), "{published}");
    let only_root = house.refused("trust rotate receipts --grace 0 --needed 2", 2);
    assert!(only_root.contains("only the root"), "{only_root}");
    let done = house.done("trust rotate operator --emergency --reason stolen --yes");
    assert_eq!((&done["waits_for"], &done["rotation"]["supersedes"][0]), (&"nothing".into(), &id.into()));
    let status = house.done("trust status");
    assert_eq!(
        (&status[0]["rotation"]["stage"], &status[1]["waits_for"]),
        (&"abandoned".into(), &"nothing".into())
    );
    assert!(house.said("trust status").contains("abandoned on"));
    let shown = house.done("trust show");
    assert_eq!((keys(&shown, "operator", "revoked").len(), keys(&shown, "operator", "active").len()), (2, 1));
    drop(house.starts());
}

#[test]
fn a_mistyped_root_key_is_taken_back() {
    let house = House::new();
    let nobody = trust::KeyPair::from_secret(&[9; 32]).public();
    let waits = house.done(&format!("trust rotate root --grace 0 --new {nobody}"));
    assert_eq!(waits["waits_for"], "signatures");
    let id = waits["rotation"]["id"].as_str().unwrap();
    assert_eq!(house.done(&format!("trust abandon {id}"))["rotation"]["stage"], "abandoned");
    house.refused("trust ceremony begin --out next.json", 1);
    house.done("trust rotate root --grace 0");
}

#[test]
fn three_keepers_on_three_machines_take_over_the_root() {
    let house = House::new();
    let machine = tempfile::tempdir().unwrap();
    let keepers = ["ada", "ben", "cleo"];
    let mut public = Vec::new();
    for name in keepers {
        durable::write(&house.path(&format!("{name}.pass")), b"one old horse at home\n", Mode::Private)
            .unwrap();
        let made = house.done(&format!("trust ceremony key --out {name}.key --passphrase-file {name}.pass"));
        public.push(made["public"].as_str().unwrap().to_owned());
    }
    let new = public.join(" --new ");
    let waits = house.done(&format!("trust rotate root --grace 0 --needed 2 --new {new}"));
    assert_eq!(
        (&waits["waits_for"], &waits["rotation"]["stage"]),
        (&"signatures".into(), &"published".into())
    );
    assert_eq!(house.done("trust status")[0]["waits_for"], "signatures");
    house.done("trust ceremony begin --out next.json");
    house.refused("trust ceremony begin --out next.json", 1);
    for name in ["ada", "cleo"] {
        // Another machine: the ceremony's file and the keeper's key, and nothing else.
        let copy = machine.path().join(name);
        durable::create_folder(&copy).unwrap();
        for (from, to) in
            [("next.json", "next.json"), (&format!("{name}.key"), "key"), (&format!("{name}.pass"), "pass")]
        {
            fs::copy(house.path(from), copy.join(to)).unwrap();
        }
        let sign = ["trust", "ceremony", "sign", "next.json", "--key", "key", "--passphrase-file", "pass"];
        let nobody = echo_cli(&sign).current_dir(&copy).output().unwrap();
        assert_eq!(nobody.status.code(), Some(2), "nobody compared the fingerprint: {}", stderr(&nobody));
        let signed = echo_cli(&sign).arg("--yes").current_dir(&copy).output().unwrap();
        assert!(signed.status.success(), "{}", stderr(&signed));
        fs::copy(copy.join("next.json"), house.path(&format!("{name}.json"))).unwrap();
    }
    let lacking = house.refused("trust ceremony finish ada.json", 1);
    assert!(lacking.contains("1 of 2 signatures"), "{lacking}");
    let merged = house.done("trust ceremony merge next.json ada.json cleo.json");
    assert_eq!(merged["complete"], true, "{merged}");
    assert_eq!(house.done("trust ceremony finish next.json")[0]["waits_for"], "nothing");
    let shown = house.done("trust show");
    assert_eq!((keys(&shown, "root", "elsewhere").len(), keys(&shown, "root", "retired").len()), (3, 1));
    assert_eq!(shown["root"], TOURED.fingerprint.as_str(), "the fingerprint stays");
    let late = house.refused("trust ceremony finish next.json", 1);
    assert!(late.contains("has changed"), "{late}");
    drop(house.starts());
}

#[test]
fn a_running_platform_s_keys_are_looked_at_and_not_changed() {
    let platform = Platform::start();
    let home = platform.scratch.path().join("home");
    let run = |arguments: &[&str]| echo_cli(arguments).arg("--home").arg(&home).output().unwrap();
    assert!(run(&["trust", "show"]).status.success());
    let refused = run(&["trust", "rotate", "operator"]);
    assert!(stderr(&refused).contains("is running"), "{}", stderr(&refused));
    assert_eq!(stdout(&run(&["trust", "status"])).trim(), "no key was ever rotated here");
}
