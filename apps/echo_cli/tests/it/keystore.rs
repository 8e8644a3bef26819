//! `keystore` on a home that a real platform made, and what that platform makes of it.

use std::{
    fs::{self, File},
    os::unix::fs::PermissionsExt as _,
    path::PathBuf,
    process::{Command, Output, Stdio},
    time::Duration,
};

use durable::Mode;
use serde_json::Value;
use trust::{KeyRole, Keystore, Unlock};

use crate::fixture::{Platform, echo_cli, sibling, stderr, stdout};

/// A home whose platform is stopped, with two passphrases beside it.
struct House(tempfile::TempDir);

impl House {
    fn new() -> Self {
        let scratch = tempfile::tempdir().unwrap();
        // A platform's home in little: its keys, and the lock that a ledger leaves behind.
        let home = scratch.path().join("home");
        Keystore::open_or_create(&home, &echo_core::Mint::system()).unwrap();
        durable::create_folder(&home.join("genesis_ledger")).unwrap();
        let house = Self(scratch);
        house.write("one", "one old horse at home\n");
        house.write("two", "two old horses at home\n");
        house
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    fn write(&self, name: &str, text: &str) {
        durable::write(&self.path(name), text.as_bytes(), Mode::Private).unwrap();
    }

    /// `echo_cli` in the folder of the passphrases.
    fn run(&self, line: &str, more: &[&str]) -> Output {
        let mut command = echo_cli(&["--json", "--home", "home"]);
        command.current_dir(self.0.path()).args(line.split(' ')).args(more).output().unwrap()
    }

    fn done(&self, line: &str, more: &[&str]) -> Value {
        let output = self.run(line, more);
        assert!(output.status.success(), "{line}: {}", stderr(&output));
        serde_json::from_slice(&output.stdout).unwrap()
    }

    /// What a command says that must fail with `code`.
    fn refused(&self, line: &str, code: i32) -> String {
        let output = self.run(line, &[]);
        assert_eq!(output.status.code(), Some(code), "{line}: {}{}", stdout(&output), stderr(&output));
        assert!(stdout(&output).is_empty());
        stderr(&output)
    }

    fn mode(&self, name: &str) -> u32 {
        fs::metadata(self.path(name)).unwrap().permissions().mode() & 0o777
    }

    fn keystore(&self) -> Vec<u8> {
        fs::read(self.path("home/echo.keystore.json")).unwrap()
    }

    fn root(&self) -> Value {
        let shown = self.done("keystore show", &[]);
        shown["keys"].as_array().unwrap().iter().find(|key| key["role"] == "root").unwrap().clone()
    }
}

const REMOVE: &str = "keystore remove root --exported root.key --passphrase-file one --place";

#[test]
fn a_root_goes_into_the_safe_and_comes_back() {
    let house = House::new();
    let before = house.root();
    assert_eq!((&before["secret"], &before["state"]), (&"here".into(), &"active".into()));
    let exported = house.done("keystore export root --out root.key --passphrase-file one", &[]);
    assert_eq!(exported["id"], before["id"]);
    assert_eq!(house.mode("root.key"), 0o600);
    house.done(REMOVE, &["safe in the office"]);
    let away = house.root();
    assert_eq!((&away["secret"], &away["place"]), (&"away".into(), &"safe in the office".into()));
    assert_eq!(house.mode("home/echo.keystore.json"), 0o600);
    let mut people = echo_cli(&["keystore", "show", "--home"]);
    let table = stdout(&people.arg(house.path("home")).output().unwrap());
    assert!(table.contains("away: safe in the office") && table.contains("key file"), "{table}");
    let again = house.refused("keystore export root --out again.key --passphrase-file one", 1);
    assert!(again.contains("safe in the office") && again.contains("keystore import"), "{again}");
    house.done("keystore import root.key --passphrase-file one", &[]);
    assert_eq!(house.root(), before);
    let opened = Keystore::open(&house.path("home"), &Unlock::KeyFile).unwrap();
    assert_eq!(before["id"], opened.signer(KeyRole::Root).unwrap().id().as_str());
}

#[test]
fn a_passphrase_protects_and_goes_again() {
    let house = House::new();
    let shown = || house.done("keystore show", &[])["protection"].clone();
    assert_eq!(shown(), "key_file");
    house.done("keystore protect --passphrase-file one", &[]);
    assert_eq!(shown(), "passphrase");
    assert!(!house.path("home/keystore.key").exists());
    let locked = house.refused("keystore protect --passphrase-file two", 1);
    assert!(locked.contains("--unlock-file"), "{locked}");
    house.done("keystore protect --passphrase-file two --unlock-file one", &[]);
    house.refused("keystore protect --key-file --unlock-file one", 1);
    house.done("keystore export root --out root.key --passphrase-file one --unlock-file two", &[]);
    house.done(REMOVE, &["safe", "--unlock-file", "two"]);
    house.done("keystore import root.key --passphrase-file one --unlock-file two", &[]);
    house.done("keystore protect --key-file --unlock-file two", &[]);
    assert_eq!(shown(), "key_file");
    assert_eq!(house.mode("home/keystore.key"), 0o600);
    let needless = house.refused("keystore protect --key-file --unlock-file two", 1);
    assert!(needless.contains("leave out --unlock-file"), "{needless}");
}

#[test]
fn wrong_passphrases_and_files_change_nothing() {
    let house = House::new();
    house.done("keystore export root --out root.key --passphrase-file one", &[]);
    let (before, exported) = (house.keystore(), fs::read(house.path("root.key")).unwrap());
    house.write("short", "short\n");
    for (line, code, words) in [
        ("keystore remove root --exported root.key --passphrase-file two --place safe", 1, "root.key"),
        ("keystore import root.key --passphrase-file two", 1, "passphrase is another one"),
        (
            "keystore remove operator --exported root.key --passphrase-file one --place safe",
            2,
            "holds a root key",
        ),
        ("keystore export operator --out root.key --passphrase-file one", 1, "not overwritten"),
        ("keystore export operator --out x.key --passphrase-file short", 1, "12"),
        ("keystore protect --passphrase-file none", 1, "there is no file none"),
        ("keystore protect --passphrase-file short", 1, "12"),
        ("keystore protect --passphrase-file - --unlock-file -", 2, "standard input"),
        ("keystore protect", 2, "--key-file"),
        ("keystore export king --out x.key --passphrase-file one", 2, "playbook_author"),
    ] {
        let said = house.refused(line, code);
        assert!(said.contains(words), "{line}: {said}");
        assert!(!said.contains("horse"), "{line}: {said}");
    }
    assert_eq!(house.keystore(), before);
    assert_eq!(fs::read(house.path("root.key")).unwrap(), exported);
    assert!(!house.path("x.key").exists());
}

#[test]
fn a_passphrase_that_others_can_read_is_refused() {
    let house = House::new();
    let before = house.keystore();
    durable::write(&house.path("open"), b"an open old stable\n", Mode::Public).unwrap();
    let said = house.refused("keystore protect --passphrase-file open", 1);
    assert!(said.contains("chmod 600"), "{said}");
    assert_eq!(house.keystore(), before);
    let mut piped = echo_cli(&["keystore", "protect", "--passphrase-file", "-", "--home", "home"]);
    piped.current_dir(house.0.path()).stdin(File::open(house.path("open")).unwrap());
    let output = piped.output().unwrap();
    assert!(output.status.success(), "{}", stderr(&output));
}

#[test]
fn content_is_signed_on_a_home_with_a_passphrase() {
    let house = House::new();
    house.write("x.yaml", "name: x\n");
    house.done("keystore protect --passphrase-file one", &[]);
    let said = house.refused("content sign x.yaml", 1);
    assert!(said.contains("--unlock-file"), "{said}");
    house.done("content sign x.yaml --unlock-file one", &[]);
    assert!(house.path("x.yaml.sig").is_file());
}

#[test]
fn the_keys_of_a_running_platform_stay_as_they_are() {
    let platform = Platform::start();
    let house = House(tempfile::tempdir().unwrap());
    std::os::unix::fs::symlink(platform.scratch.path().join("home"), house.path("home")).unwrap();
    house.write("one", "one old horse at home\n");
    let before = house.keystore();
    for line in [
        "keystore protect --passphrase-file one",
        "keystore export root --out root.key --passphrase-file one",
    ] {
        let said = house.refused(line, 1);
        assert!(said.contains("is running (process ") && said.contains("stop it"), "{said}");
    }
    assert_eq!(house.keystore(), before);
    assert_eq!(house.root()["secret"], "here");
    let check = house.done("content check", &[]);
    assert!(check.as_array().unwrap().len() > 3, "{check}");
}

#[test]
fn a_platform_is_held_off_while_keys_change() {
    let house = House::new();
    let home = house.path("home");
    // A command that waits for its passphrase holds the lock all the while.
    let mut waiting = echo_cli(&["keystore", "protect", "--passphrase-file", "-", "--home"]);
    let mut waiting =
        waiting.arg(&home).stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
    let lock = home.join("genesis_ledger/.lock");
    let held = waiting.id().to_string();
    while fs::read_to_string(&lock).unwrap_or_default().trim() != held {
        assert!(waiting.try_wait().unwrap().is_none(), "it did not wait");
        std::thread::sleep(Duration::from_millis(10));
    }
    let refused = Command::new(sibling("echo_os_prime"))
        .args(["--listen", "127.0.0.1:0", "--home"])
        .arg(&home)
        .output()
        .unwrap();
    assert_eq!(refused.status.code(), Some(1));
    assert!(stderr(&refused).contains(&held), "{}", stderr(&refused));
    drop(waiting.stdin.take());
    assert_eq!(waiting.wait().unwrap().code(), Some(1), "no passphrase came");
}
