//! `vault` as its users meet it, on a home of its own and beside a platform that runs.

use std::{
    fs,
    io::{Read as _, Write as _},
    os::unix::fs::PermissionsExt as _,
    path::PathBuf,
    process::{Output, Stdio},
};

use base64::{Engine as _, engine::general_purpose::STANDARD_NO_PAD};
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
        ("protect --passphrase-file - --unlock-file -", 2, "not both"),
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
fn shares_that_could_not_be_printed_are_not_in_force() {
    let house = House::with_vault();
    house.done(&format!("set {RELAY}"), "hunter2");
    for json in [&["--json"][..], &[]] {
        let mut command = echo_cli(&["--home", "home", "vault", "protect", "--shares", "2/3"]);
        command.current_dir(house.0.path()).args(["--unlock-file", "one"]).args(json);
        let full = fs::OpenOptions::new().write(true).open("/dev/full").unwrap();
        assert!(!command.stdout(full).output().unwrap().status.success());
        assert_eq!(house.done(&format!("get {RELAY} --unlock-file one"), ""), "hunter2");
    }
    let said = house.done("protect --shares 2/3 --unlock-file one", "");
    let order = ["echoshare1", "not in force until", "is opened by a set of shares now"];
    let places = order.map(|words| said.replace(' ', "").find(&words.replace(' ', "")));
    assert!(places[0].is_some() && places.is_sorted(), "{said}");
    let fresh = House::new();
    let said = fresh.done("init --shares 2/3", "");
    let places = ["not in force until", "made the vault"].map(|words| said.find(words));
    assert!(places[0].is_some() && places.is_sorted(), "{said}");
}

#[test]
fn standard_input_is_read_where_it_cannot_be_opened_anew() {
    let house = House::with_vault();
    house.done(&format!("set {RELAY}"), "hunter2");
    let recipient = house.done("recipient", "");
    // A socket has no file that could be opened, as a pipe of another user may not be.
    let run = |line: &str, input: &str| {
        let (ours, theirs) = std::os::unix::net::UnixStream::pair().unwrap();
        (&ours).write_all(input.as_bytes()).unwrap();
        drop(ours);
        let mut command = echo_cli(&["--home", "home", "vault"]);
        command.current_dir(house.0.path()).args(line.split(' '));
        let output = command.stdin(std::os::fd::OwnedFd::from(theirs)).output().unwrap();
        assert!(output.status.success(), "{line}: {}", stderr(&output));
        output.stdout
    };
    assert_eq!(run(&format!("get {RELAY} --unlock-file -"), "one old horse at home\n"), b"hunter2");
    run(&format!("seal --recipient {} {RELAY} --out x.age", recipient.trim()), "hunter3");
    run(&format!("set {RELAY}"), "hunter4");
    assert_eq!(house.done(&format!("get {RELAY} --unlock-file one"), ""), "hunter4");
}

#[test]
fn an_audit_that_nobody_reads_on_keeps_nobody_waiting() {
    let house = House::new();
    // More than a pipe holds.
    let sealed = vault::Sealed::of_home(&house.path("home")).with_work(2);
    let (mint, words) = (echo_core::Mint::system(), "\u{10348}".repeat(vault::MAX_WORDS));
    let actor = vault::Actor::new(&words).because(&words);
    let by = vault::Protect::Passphrase("one old horse at home".to_owned().into());
    let open = sealed.init(&by, &actor, &mint).unwrap();
    for _ in 0..60 {
        open.verify(&actor, &mint).unwrap();
    }
    let mut command = echo_cli(&["--home", "home", "vault", "audit"]);
    command.current_dir(house.0.path()).stdout(Stdio::piped());
    let mut child = command.spawn().unwrap();
    let mut stdout = child.stdout.take().unwrap();
    stdout.read_exact(&mut [0]).unwrap();
    house.done("list", "");
    let mut rest = Vec::new();
    stdout.read_to_end(&mut rest).unwrap();
    assert!(child.wait().unwrap().success() && rest.len() > 90_000, "{}", rest.len());
}

#[test]
fn the_help_of_rotate_names_what_comes_before_and_after() {
    let said = House::new().done("rotate --help", "");
    assert!(said.contains("`vault protect` with") && said.contains("replace the secrets"), "{said}");
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

#[test]
fn a_stick_and_a_code_carry_sealed_secrets_to_a_vault_that_stays_closed() {
    let house = House::with_vault();
    let recipient = house.done("recipient", "").trim().to_owned();
    let elsewhere = House::new();
    fs::create_dir(elsewhere.path("stick")).unwrap();
    let seal = format!("seal --recipient {recipient} --namespace mail --name");
    elsewhere.done(&format!("{seal} relay --stick stick"), "hunter2");
    elsewhere.done(&format!("{seal} inbox --stick stick"), "hunter3");
    assert!(elsewhere.refused(&format!("{seal} x --stick gone"), 1).contains("plug the stick in"));
    let stick = elsewhere.path("stick");
    let stick = stick.to_str().unwrap();
    assert!(house.done(&format!("inject --from {stick}"), "").matches('✓').count() == 2);
    elsewhere.write("stick/echo-secrets/mail/junk.age", "junk");
    let again = house.run(&format!("inject --from {stick}"), "");
    assert_eq!(again.status.code(), Some(1));
    assert!(
        stdout(&again).contains("✗ mail/junk") && stderr(&again).contains("1 of 3"),
        "{}",
        stderr(&again)
    );
    assert_eq!(house.done("get --namespace mail --name relay --unlock-file one", ""), "hunter2");
    assert_eq!(house.done("get --namespace mail --name inbox --unlock-file one", ""), "hunter3");

    elsewhere.done(&format!("{seal} code --out x.age"), "hunter4");
    elsewhere.done(&format!("{seal} code --svg x.svg"), "hunter4");
    assert!(fs::read_to_string(elsewhere.path("x.svg")).unwrap().starts_with("<svg"));
    assert!(elsewhere.done(&format!("{seal} code --qr"), "hunter4").lines().count() > 30);
    let long = "x".repeat(4_000);
    let refused = elsewhere.run(&format!("{seal} code --qr"), &long);
    assert!(stderr(&refused).contains("QR code holds"), "{}", stderr(&refused));
    let sealed = STANDARD_NO_PAD.encode(fs::read(elsewhere.path("x.age")).unwrap());
    house.done("inject --text -", &format!("echo-sealed:mail/code:{sealed}\n"));
    assert_eq!(house.done("get --namespace mail --name code --unlock-file one", ""), "hunter4");
    for (line, input, words) in [
        ("inject --text -", "hello", "echo-sealed:"),
        ("inject --text -", "echo-sealed:mail/code:AAAA", "not a sealed secret"),
    ] {
        let output = house.run(line, input);
        assert!(stderr(&output).contains(words), "{}", stderr(&output));
    }
    assert!(house.refused("inject x.age", 2).contains("--namespace"));
    assert!(house.refused("inject", 2).contains("--from"));
}
