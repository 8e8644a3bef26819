//! Credentials for programs.

use std::{fs, os::unix::fs::PermissionsExt as _, process::Output};

use serde_json::Value;

use crate::fixture::{Platform, stderr, stdout};

/// A platform with its operator signed in, and a customer.
struct Scene {
    platform: Platform,
    customer: String,
}

impl Scene {
    fn set() -> Self {
        let platform = Platform::start();
        assert!(platform.command(&["login", "--link", &platform.link]).status().unwrap().success());
        let mut scene = Self { platform, customer: String::new() };
        let added = scene.json(&["customer", "add", "--plan", "care", "--name", "Bakery Weber"]);
        added["id"].as_str().unwrap().clone_into(&mut scene.customer);
        scene
    }

    fn run(&self, arguments: &[&str]) -> Output {
        self.platform.command(arguments).output().unwrap()
    }

    #[track_caller]
    fn json(&self, arguments: &[&str]) -> Value {
        let output = self.platform.command(arguments).arg("--json").output().unwrap();
        assert!(output.status.success(), "{arguments:?}: {}", stderr(&output));
        serde_json::from_slice(&output.stdout).unwrap()
    }

    fn key(&self, name: &str, more: &[&str]) -> Output {
        let skills = "triage.classify,advisory.answer";
        let all = ["agent-key", "make", "--customer", &self.customer, "--name", name, "--skills", skills];
        self.platform.command(&all).args(more).output().unwrap()
    }
}

#[test]
fn a_key_is_made_listed_and_revoked() {
    let scene = Scene::set();
    let made = scene.key("night shift", &["--cap", "5.00", "--days", "30"]);
    assert!(made.status.success(), "{}", stderr(&made));
    let secret = stdout(&made);
    assert!(secret.starts_with("echo_key_") && secret.lines().count() == 1, "the secret alone: {secret}");
    assert!(stderr(&made).contains("agent key night shift (tok_") && !stderr(&made).contains(secret.trim()));

    let listed = scene.json(&["agent-key", "list"]);
    let id = listed[0]["id"].as_str().unwrap();
    let table = stdout(&scene.run(&["agent-key", "list"]));
    // Everything but the id and the date is always the same.
    let table = table.replace(id, "ID").replace(listed[0]["expires"].as_str().unwrap(), "DATE");
    let rows: Vec<String> =
        table.lines().map(|line| line.split_whitespace().collect::<Vec<_>>().join(" ")).collect();
    let expected = [
        "id name state spent cap skills expires last used",
        "ID night shift active 0.00 EUR 5.00 EUR triage.classify, advisory.answer DATE -",
    ];
    assert_eq!(rows, expected);

    let revoked = scene.run(&["agent-key", "revoke", id]);
    assert!(stdout(&revoked).contains("revoked"), "{}", stderr(&revoked));
    assert_eq!(scene.run(&["agent-key", "revoke", id]).status.code(), Some(1));
    assert_eq!(scene.json(&["agent-key", "list"])[0]["state"], "revoked");
}

#[test]
fn a_secret_goes_into_a_file_of_ones_own() {
    let scene = Scene::set();
    let file = scene.platform.scratch.path().join("key");
    let made = scene.key("day shift", &["--json", "--out", file.to_str().unwrap()]);
    assert!(made.status.success() && !stdout(&made).contains("echo_key_"), "{}", stdout(&made));
    assert!(fs::read_to_string(&file).unwrap().starts_with("echo_key_"));
    assert_eq!(fs::metadata(&file).unwrap().permissions().mode() & 0o777, 0o600);
    let answer: Value = serde_json::from_slice(&made.stdout).unwrap();
    assert_eq!((&answer["key"]["name"], answer.get("secret")), (&Value::from("day shift"), None));
}

#[test]
fn a_key_that_cannot_be_is_refused() {
    let scene = Scene::set();
    assert!(scene.key("night shift", &[]).status.success());
    let taken = scene.key("night shift", &[]);
    assert_eq!(taken.status.code(), Some(1));
    assert!(stderr(&taken).contains("revoke it, or choose another name"), "{}", stderr(&taken));
    assert_eq!(scene.key("short", &["--days", "0"]).status.code(), Some(1));
    let amount = scene.key("odd", &["--cap", "5,00"]);
    assert_eq!(amount.status.code(), Some(2));
    assert!(stderr(&amount).contains("`5,00` is no amount of EUR"), "{}", stderr(&amount));
}
