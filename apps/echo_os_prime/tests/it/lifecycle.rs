//! Starting and stopping.

use std::os::unix::fs::PermissionsExt as _;

use rustix::process::Signal;

use crate::{
    http::Client,
    program::{Platform, free_port},
};

#[test]
fn it_starts_on_an_empty_home_and_stops_cleanly_on_both_signals() {
    let home = tempfile::tempdir().unwrap();
    let port = free_port();
    for signal in [Signal::TERM, Signal::INT] {
        let mut platform = Platform::start(home.path(), port);
        let client = Client::sign_in(&platform.url, &platform.secret);
        assert_eq!(client.get("/v1/overview").unwrap().0, 200);
        platform.signal(signal);
        assert!(platform.stop().success());
    }
}

#[test]
fn private_files_are_private() {
    let home = tempfile::tempdir().unwrap();
    let mut platform = Platform::start(home.path(), 0);
    for file in ["echo.keystore.json", "keystore.key", "echo.db"] {
        let mode = std::fs::metadata(home.path().join(file)).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600, "{file}");
    }
    assert!(platform.stop().success());
}

#[test]
fn a_home_in_use_is_refused_with_a_reason() {
    let home = tempfile::tempdir().unwrap();
    let _platform = Platform::start(home.path(), 0);
    let second = std::process::Command::new(env!("CARGO_BIN_EXE_echo_os_prime"))
        .args(["--listen", "127.0.0.1:0", "--home"])
        .arg(home.path())
        .output()
        .unwrap();
    assert_eq!(second.status.code(), Some(1));
    let said = String::from_utf8_lossy(&second.stderr);
    assert!(said.contains("ledger"), "{said}");
}
