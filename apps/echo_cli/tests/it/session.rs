//! Sessions with the real platform: one-time links, rotation, several commands at once.

use std::{fs, io::Write as _, os::unix::fs::PermissionsExt as _, path::Path, process::Stdio, thread};

use serde_json::Value;

use crate::fixture::{Platform, echo_cli, stderr, stdout};

fn session(home: &Path) -> Value {
    serde_json::from_slice(&fs::read(home.join("session.json")).unwrap()).unwrap()
}

/// Makes the access token look expired.
fn age(home: &Path) {
    let mut session = session(home);
    session["expires"] = "2020-01-01T00:00:00Z".into();
    let bytes = serde_json::to_vec(&session).unwrap();
    durable::write(&home.join("session.json"), &bytes, durable::Mode::Private).unwrap();
}

#[test]
fn a_link_signs_in_once_from_standard_input() {
    let platform = Platform::start();
    let login = || {
        let mut child = platform
            .command(&["login", "--link", "-"])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        child.stdin.take().unwrap().write_all(format!("{}\n", platform.link).as_bytes()).unwrap();
        child.wait_with_output().unwrap()
    };
    let first = login();
    assert!(first.status.success() && stdout(&first).contains("operator_admin"), "{}", stderr(&first));
    let mode = fs::metadata(platform.person().join("session.json")).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
    let second = login();
    assert_eq!(second.status.code(), Some(1));
    assert!(stderr(&second).contains("hint: "), "{}", stderr(&second));
}

#[test]
fn a_stale_session_is_renewed_once_however_many_ask() {
    let platform = Platform::start();
    assert!(platform.command(&["login", "--link", &platform.link]).status().unwrap().success());
    let before = session(&platform.person());
    age(&platform.person());
    thread::scope(|scope| {
        for _ in 0..8 {
            scope.spawn(|| {
                let whoami = platform.command(&["whoami"]).output().unwrap();
                assert!(whoami.status.success(), "{}", stderr(&whoami));
            });
        }
    });
    let after = session(&platform.person());
    assert_ne!(before["refresh_token"], after["refresh_token"]);
    assert!(platform.command(&["whoami"]).status().unwrap().success(), "the session was not revoked");
}

#[test]
fn a_stolen_refresh_token_ends_the_session() {
    let platform = Platform::start();
    assert!(platform.command(&["login", "--link", &platform.link]).status().unwrap().success());
    let thief = platform.scratch.path().join("thief");
    durable::create_folder(&thief).unwrap();
    fs::copy(platform.person().join("session.json"), thief.join("session.json")).unwrap();
    age(&platform.person());
    assert!(platform.command(&["whoami"]).status().unwrap().success());
    age(&thief);
    let stolen = echo_cli(&["whoami", "--home"]).arg(&thief).output().unwrap();
    assert_eq!(stolen.status.code(), Some(1));
    let robbed = platform.command(&["whoami"]).output().unwrap();
    assert_eq!(robbed.status.code(), Some(1));
    assert!(stderr(&robbed).contains("login"), "{}", stderr(&robbed));
}

#[test]
fn logging_out_ends_the_session_here_and_there() {
    let platform = Platform::start();
    assert!(platform.command(&["login", "--link", &platform.link]).status().unwrap().success());
    let kept = fs::read(platform.person().join("session.json")).unwrap();
    let logout = platform.command(&["logout"]).output().unwrap();
    assert!(logout.status.success(), "{}", stderr(&logout));
    assert!(!platform.person().join("session.json").exists());
    durable::write(&platform.person().join("session.json"), &kept, durable::Mode::Private).unwrap();
    assert_eq!(platform.command(&["whoami"]).status().unwrap().code(), Some(1));
}

#[test]
fn a_person_works_from_the_customer_to_the_token() {
    let platform = Platform::start();
    assert!(platform.command(&["login", "--link", &platform.link]).status().unwrap().success());
    let token = platform.scratch.path().join("token");
    let without = platform.command(&["device", "token", "--out"]).arg(&token).output().unwrap();
    assert!(stderr(&without).contains("customer add"), "{}", stderr(&without));
    let name = "Marta \u{1b}[31mred";
    let added =
        platform.command(&["customer", "add", "--name", "Marta's shop", "--plan", "care"]).output().unwrap();
    assert!(added.status.success(), "{}", stderr(&added));
    let _ = platform.command(&["customer", "add", "--plan", "care", "--name", name]).output().unwrap();
    let list = platform.command(&["customer", "list"]).output().unwrap();
    assert!(stdout(&list).contains("Marta's shop") && !stdout(&list).contains('\u{1b}'), "{}", stdout(&list));
    let customers: Vec<Value> =
        serde_json::from_slice(&platform.command(&["customer", "list", "--json"]).output().unwrap().stdout)
            .unwrap();
    let id = customers[0]["id"].as_str().unwrap();
    let made = platform
        .command(&["--json", "device", "token", "--customer", id, "--out"])
        .arg(&token)
        .output()
        .unwrap();
    let secret = fs::read_to_string(&token).unwrap();
    assert!(secret.starts_with("echo-enrol."), "a token is in the file");
    assert!(!stdout(&made).contains(secret.trim()), "and nowhere else");
    assert_eq!(fs::metadata(&token).unwrap().permissions().mode() & 0o777, 0o600);
    let wrong = platform.command(&["case", "open", "--form", "none", "--customer", id]).output().unwrap();
    assert_eq!(wrong.status.code(), Some(1));
    assert!(stderr(&wrong).contains("form"), "{}", stderr(&wrong));
    assert!(platform.url.ends_with('/'));
}

#[test]
fn plain_http_to_another_machine_is_refused() {
    let scratch = tempfile::tempdir().unwrap();
    let link = "http://192.0.2.1:80/sign-in#token=abc";
    let login = echo_cli(&["login", "--link", link, "--home"]).arg(scratch.path()).output().unwrap();
    assert_eq!(login.status.code(), Some(2));
    assert!(
        stderr(&login).contains("--insecure-http") && !stderr(&login).contains("abc"),
        "{}",
        stderr(&login)
    );
}
