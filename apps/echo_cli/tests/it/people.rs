//! People who sign in by a link that another made for them, and devices that are taken out of care.

use std::{
    fs,
    os::unix::fs::PermissionsExt as _,
    process::{Command, Stdio},
};

use serde_json::Value;

use crate::fixture::{Platform, echo_cli, sibling, stderr, stdout};

/// A platform with its operator signed in.
fn signed_in() -> Platform {
    let platform = Platform::start();
    assert!(platform.command(&["login", "--link", &platform.link]).status().unwrap().success());
    platform
}

/// What a command of the operator answers in JSON, once it has worked.
#[track_caller]
fn json(platform: &Platform, arguments: &[&str]) -> Value {
    let output = platform.command(arguments).arg("--json").output().unwrap();
    assert!(output.status.success(), "{arguments:?}: {}", stderr(&output));
    serde_json::from_slice(&output.stdout).unwrap()
}

fn id(thing: &Value) -> &str {
    thing["id"].as_str().unwrap()
}

#[test]
fn a_person_signs_in_by_a_link_and_sees_their_own_customer_alone() {
    let platform = signed_in();
    let customer = |name: &str| json(&platform, &["customer", "add", "--plan", "care", "--name", name]);
    let (own, other) = (customer("Bakery Weber"), customer("Garage Lind"));
    let without = platform.command(&["user", "add", "--name", "Ada", "--role", "customer"]).output().unwrap();
    assert_eq!(without.status.code(), Some(2), "a customer's person needs a customer");
    let device = platform.command(&["user", "add", "--name", "Ada", "--role", "device"]).output().unwrap();
    assert_eq!(device.status.code(), Some(2), "devices are no people");
    let ada =
        json(&platform, &["user", "add", "--name", "Ada", "--role", "customer", "--customer", id(&own)]);
    json(&platform, &["user", "add", "--name", "Tess", "--role", "technician"]);
    let list = platform.command(&["user", "list"]).output().unwrap();
    for word in ["Ada", "Tess", "operator_admin", id(&own)] {
        assert!(stdout(&list).contains(word), "{word}: {}", stdout(&list));
    }

    let file = platform.scratch.path().join("link");
    let made = platform.command(&["user", "link", id(&ada), "--out"]).arg(&file).output().unwrap();
    assert!(made.status.success(), "{}", stderr(&made));
    let link = fs::read_to_string(&file).unwrap();
    assert_eq!(fs::metadata(&file).unwrap().permissions().mode() & 0o777, 0o600);
    assert!(link.starts_with(&platform.url) && link.contains("/sign-in#token="), "a link is in the file");
    assert!(!stdout(&made).contains("#token="), "and nowhere else");

    let home = platform.scratch.path().join("ada");
    let hers = |arguments: &[&str]| echo_cli(&["--home"]).arg(&home).args(arguments).output().unwrap();
    let login = hers(&["login", "--link-file", file.to_str().unwrap()]);
    assert!(login.status.success(), "{}", stderr(&login));
    assert!(stdout(&login).contains("Ada") && stdout(&login).contains(id(&own)), "{}", stdout(&login));
    let seen = stdout(&hers(&["customer", "list"]));
    assert!(seen.contains(id(&own)) && !seen.contains(id(&other)), "{seen}");
    assert_eq!(hers(&["user", "list"]).status.code(), Some(1));
    assert_eq!(hers(&["user", "link", id(&ada)]).status.code(), Some(1), "links are the operator's to make");
}

#[test]
fn a_link_that_is_printed_works_once() {
    let platform = signed_in();
    let tess = json(&platform, &["user", "add", "--name", "Tess", "--role", "technician"]);
    let printed = stdout(&platform.command(&["user", "link", id(&tess)]).output().unwrap());
    assert_eq!(printed.lines().count(), 1, "{printed}");
    let made = json(&platform, &["user", "link", id(&tess)]);
    assert!(made["link"].as_str().unwrap().contains("/sign-in#token=") && made.get("secret").is_none());
    assert_ne!(made["link"], printed.trim());
    let home = platform.scratch.path().join("tess");
    let login = || echo_cli(&["login", "--link", printed.trim(), "--home"]).arg(&home).output().unwrap();
    let first = login();
    assert!(first.status.success() && stdout(&first).contains("technician"), "{}", stderr(&first));
    assert_eq!(login().status.code(), Some(1));
    let nobody = format!("user_{}", "0".repeat(32));
    assert_eq!(platform.command(&["user", "link", &nobody]).status().unwrap().code(), Some(1));
}

#[test]
fn a_device_is_retired_once_and_only_with_a_yes() {
    let platform = signed_in();
    json(&platform, &["customer", "add", "--plan", "care", "--name", "Bakery Weber"]);
    let token = platform.scratch.path().join("token");
    assert!(platform.command(&["device", "token", "--out"]).arg(&token).status().unwrap().success());
    let enrolled = Command::new(sibling("echo_probe"))
        .args(["enroll", "--url", &platform.url, "--name", "till-1", "--token-file"])
        .arg(&token)
        .arg("--home")
        .arg(platform.scratch.path().join("device"))
        .stdin(Stdio::null())
        .output()
        .unwrap();
    assert!(enrolled.status.success(), "{}", stderr(&enrolled));
    let devices = json(&platform, &["device", "list"]);
    let device = id(&devices[0]);

    let retire = |more: &[&str]| platform.command(&["device", "retire", device]).args(more).output().unwrap();
    let unasked = retire(&[]);
    assert_eq!(unasked.status.code(), Some(2));
    assert!(stderr(&unasked).contains("--yes"), "{}", stderr(&unasked));
    assert_eq!(json(&platform, &["device", "show", device])["state"], "active");
    let retired = retire(&["--yes"]);
    assert!(retired.status.success(), "{}", stderr(&retired));
    assert!(stdout(&retired).contains("till-1") && stdout(&retired).contains("retired"));
    let again = retire(&["--yes"]);
    assert_eq!(again.status.code(), Some(1));
    assert!(stderr(&again).contains("till-1 is retired already"), "{}", stderr(&again));
    for shown in [vec!["device", "list"], vec!["device", "show", device]] {
        assert!(stdout(&platform.command(&shown).output().unwrap()).contains("retired"), "{shown:?}");
    }
    assert_eq!(json(&platform, &["device", "show", device])["state"], "revoked");
    let open = ["case", "open", "--form", "general-help", "--answer", "what_happened=The till is slow"];
    let whose = devices[0]["customer"].as_str().unwrap();
    let refused = platform.command(&open).args(["--customer", whose, "--device", device]).output().unwrap();
    assert_eq!(refused.status.code(), Some(1));
    assert!(stderr(&refused).contains("is retired"), "{}", stderr(&refused));
}

#[test]
fn a_customer_is_erased_by_whoever_writes_its_name() {
    let platform = signed_in();
    let weber = json(&platform, &["customer", "add", "--plan", "care", "--name", "Bakery Weber"]);
    let plan = json(&platform, &["customer", "erase", id(&weber), "--dry-run"]);
    assert_eq!((plan["state"].as_str(), plan["goes"]["customer"].as_u64()), (Some("planned"), Some(1)));
    let erase = |more: &[&str]| {
        let mut command = platform.command(&["customer", "erase", id(&weber), "--reason", "test_data"]);
        command.args(more).stdin(Stdio::null()).output().unwrap()
    };
    let nobody = erase(&[]);
    assert_eq!(nobody.status.code(), Some(2), "{}", stderr(&nobody));
    assert!(stderr(&nobody).contains("--confirm"), "{}", stderr(&nobody));
    let wrong = erase(&["--confirm", "Bakery Lind"]);
    assert!(wrong.status.code() == Some(1) && stderr(&wrong).contains("confirm"), "{}", stderr(&wrong));
    for _ in 0..2 {
        let erased = erase(&["--confirm", "Bakery Weber"]);
        assert!(erased.status.success(), "{}", stderr(&erased));
        let told = stdout(&erased);
        assert!(told.contains("erased on") && told.contains("stays: entries of the ledgers"), "{told}");
    }
    let list = platform.command(&["customer", "list"]).output().unwrap();
    assert!(!stdout(&list).contains("Bakery Weber"));
}
