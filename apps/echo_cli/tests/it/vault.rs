//! `vault` as its users meet it, on a home of its own and beside a platform that runs.

use std::{
    fs,
    io::Write as _,
    os::unix::fs::PermissionsExt as _,
    path::PathBuf,
    process::{Output, Stdio},
};

use durable::Mode;
use serde_json::Value;

use crate::fixture::{Platform, echo_cli, stderr, stdout};

/// A folder with a home and two passphrases.
struct House(tempfile::TempDir);

const RELAY: &str = "--namespace mail --name relay";

impl House {
    fn new() -> Self {
        let house = Self(tempfile::tempdir().unwrap());
        house.write("one", "one old horse at home\n");
        house.write("two", "two old horses at home\n");
        house
    }

    fn with_vault() -> Self {
        let house = Self::new();
        house.done("init --passphrase-file one", "");
        house
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    fn write(&self, name: &str, text: &str) {
        durable::write(&self.path(name), text.as_bytes(), Mode::Private).unwrap();
    }

    /// `echo_cli vault` with `input` on standard input.
    fn run(&self, line: &str, input: &str) -> Output {
        let mut command = echo_cli(&["--home", "home", "vault"]);
        command.current_dir(self.0.path()).args(line.split(' '));
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().unwrap();
        // A command that needs no input may be gone by now.
        let _ = child.stdin.take().unwrap().write_all(input.as_bytes());
        child.wait_with_output().unwrap()
    }

    fn done(&self, line: &str, input: &str) -> String {
        let output = self.run(line, input);
        assert!(output.status.success(), "{line}: {}", stderr(&output));
        stdout(&output)
    }

    fn json(&self, line: &str) -> Value {
        serde_json::from_str(&self.done(&format!("--json {line}"), "")).unwrap()
    }

    fn refused(&self, line: &str, code: i32) -> String {
        let output = self.run(line, "");
        assert_eq!(output.status.code(), Some(code), "{line}: {}{}", stdout(&output), stderr(&output));
        assert!(stdout(&output).is_empty(), "{line}");
        stderr(&output)
    }
}

#[test]
fn a_secret_is_sealed_elsewhere_brought_and_read() {
    let house = House::with_vault();
    let recipient = house.done("recipient", "");
    let elsewhere = House::new();
    let seal = format!("seal --recipient {} {RELAY} --out x.age", recipient.trim());
    elsewhere.done(&seal, "hunter2\n");
    fs::copy(elsewhere.path("x.age"), house.path("x.age")).unwrap();
    assert!(!elsewhere.path("home").exists(), "sealing needs no home");
    house.done(&format!("inject {RELAY} x.age"), "");
    let listed = house.json("list");
    assert_eq!(listed["pending"][0]["name"], "relay");
    assert!(listed["entries"].as_array().unwrap().is_empty());
    assert_eq!(house.done(&format!("get {RELAY} --unlock-file one"), ""), "hunter2\n");
    house.done(&format!("set {RELAY}"), "hunter3");
    assert_eq!(house.done(&format!("get {RELAY} --unlock-file -"), "one old horse at home"), "hunter3");
    assert_eq!(house.done(&format!("get {RELAY} --version 1 --unlock-file one"), ""), "hunter2\n");
    assert_eq!(house.json(&format!("versions {RELAY}"))["entries"].as_array().unwrap().len(), 2);
    house.done(&format!("remove {RELAY} --version 2 --yes --unlock-file one"), "");
    assert_eq!(house.done(&format!("get {RELAY} --unlock-file one --why look"), ""), "hunter2\n");
    let audit = house.done("audit", "");
    assert!(audit.contains("\"why\":\"look\"") && !audit.contains("hunter"), "{audit}");
    assert!(house.done("verify --unlock-file one", "").starts_with("1 versions"));
}

#[test]
fn what_cannot_be_done_says_why_and_holds_no_secret() {
    let house = House::with_vault();
    house.done(&format!("set {RELAY}"), "hunter2");
    house.write("junk", "hunter2");
    house.write("open", "one old horse at home");
    fs::set_permissions(house.path("open"), fs::Permissions::from_mode(0o644)).unwrap();
    for (line, code, words) in [
        ("init --passphrase-file one", 1, "there is a vault already"),
        ("get --namespace mail --name relay --unlock-file two", 1, "does not open the vault"),
        ("get --namespace mail --name relay --unlock-file open", 1, "chmod 600"),
        ("get --namespace mail --name relay --unlock-file none", 1, "none"),
        ("get --namespace mail --name relay", 2, "--unlock-file"),
        ("get --namespace mail --name other --unlock-file one", 1, "there is no mail/other"),
        ("get --namespace ../mail --name relay --unlock-file one", 2, "not a name"),
        ("inject --namespace mail --name relay junk", 1, "not a sealed secret"),
        ("seal --recipient age1x --namespace mail --name relay", 2, "recipient"),
        ("set --namespace mail --name relay", 1, "1 to 65536 bytes"),
        ("remove --namespace mail --name relay --version 1 --unlock-file one", 2, "--yes"),
        ("remove --namespace mail --name relay --version 9 --yes --unlock-file one", 1, "version 9"),
        ("protect --shares 3/2 --unlock-file one", 1, "2/3"),
        ("protect --shares two --unlock-file one", 2, "2/3"),
        ("versions --namespace mail --name none", 1, "there is no mail/none"),
    ] {
        let said = house.refused(line, code);
        assert!(said.contains(words), "{line}: {said}");
        assert!(!said.contains("hunter") && !said.contains("horse"), "{line}: {said}");
    }
    let empty = House::new();
    assert!(empty.refused("list", 1).contains("vault init"));
    assert!(!empty.path("home").exists());
}

#[test]
fn shares_are_printed_once_and_open_when_typed() {
    let house = House::with_vault();
    house.done(&format!("set {RELAY}"), "hunter2");
    let made = house.json("protect --shares 2/3 --unlock-file one");
    let shares: Vec<&str> =
        made["shares"].as_array().unwrap().iter().map(|s| s["share"].as_str().unwrap()).collect();
    assert_eq!(shares.len(), 3);
    let typed = format!("{}\n\n{}\n", shares[2].to_uppercase(), shares[0].replace(' ', "-"));
    assert_eq!(house.done(&format!("get {RELAY} --unlock-file -"), &typed), "hunter2");
    house.write("few", shares[1]);
    assert!(house.refused(&format!("get {RELAY} --unlock-file few"), 1).contains("2 are needed"));
    house.write("wrong", &shares[1].replacen("echo", "ehco", 1));
    assert!(house.refused(&format!("get {RELAY} --unlock-file wrong"), 1).contains("mistyped"));
    let before = house.done("recipient", "");
    house.done("rotate --unlock-file -", &typed);
    assert_ne!(house.done("recipient", ""), before);
    house.done("protect --key-file key --unlock-file -", &typed);
    assert_eq!(fs::metadata(house.path("key")).unwrap().permissions().mode() & 0o777, 0o600);
    assert_eq!(house.done(&format!("get {RELAY} --unlock-file key"), ""), "hunter2");
}

#[test]
fn a_hand_over_is_taken_once_by_its_receiver() {
    let house = House::with_vault();
    house.done(&format!("set {RELAY}"), "hunter2");
    house.done(&format!("wrap {RELAY} --for playbook/backup --ttl 60 --out token --unlock-file one"), "");
    assert_eq!(fs::metadata(house.path("token")).unwrap().permissions().mode() & 0o777, 0o600);
    assert!(house.refused("unwrap token --for playbook/other", 1).contains("another receiver"));
    assert_eq!(house.done("unwrap token --for playbook/backup", ""), "hunter2");
    assert!(house.refused("unwrap token --for playbook/backup", 1).contains("taken before"));
}

#[test]
fn a_vault_that_somebody_changed_has_its_own_exit_code() {
    let house = House::with_vault();
    house.done(&format!("set {RELAY}"), "hunter2");
    let file = house.path("home/vault_v1/vault.json");
    let text = fs::read_to_string(&file).unwrap();
    durable::write(&file, text.replace("passphrase", "Passphrase").as_bytes(), Mode::Private).unwrap();
    house.refused("list", 1);
    durable::write(&file, text.replace('\n', "\n ").as_bytes(), Mode::Private).unwrap();
    assert!(house.refused("list", 3).contains("vault.json"));
    fs::remove_file(house.path("home/vault_v1/audit.jsonl")).unwrap();
    assert!(house.refused("audit", 3).contains("audit.jsonl"));
}

#[test]
fn a_secret_is_brought_while_the_platform_runs() {
    let platform = Platform::start();
    let house = House::new();
    std::os::unix::fs::symlink(platform.scratch.path().join("home"), house.path("home")).unwrap();
    house.done("init --passphrase-file one", "");
    house.done(&format!("set {RELAY}"), "hunter2");
    assert_eq!(house.json("list")["pending"].as_array().unwrap().len(), 1);
    assert_eq!(house.done(&format!("get {RELAY} --unlock-file one"), ""), "hunter2");
}
