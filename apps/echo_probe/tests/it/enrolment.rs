//! Enrolling, and what is refused.

use std::{fs, os::unix::fs::PermissionsExt as _};

use crate::{
    platform::Platform,
    probe::{Device, probe, words},
};

#[test]
fn a_device_enrols_once_and_its_secrets_stay_private() {
    let home = tempfile::tempdir().unwrap();
    let mut platform = Platform::start(home.path());
    let device = Device::enrol(&mut platform);
    assert_eq!(platform.get(&format!("/v1/devices/{}", device.id))["id"], device.id.as_str());
    let key = device.home().join("device.key");
    assert_eq!(fs::metadata(&key).unwrap().permissions().mode() & 0o777, 0o600);
    assert_eq!(fs::metadata(device.home()).unwrap().permissions().mode() & 0o777, 0o700);
    assert!(!device.home().join("enrolling.json").exists());
    let status = device.status();
    assert_eq!((&status["device"], &status["running"]), (&device.id.clone().into(), &false.into()));
    assert_eq!(status["root"], platform.root.as_str());

    let token = platform.enrolment_token();
    let before = fs::read(&key).unwrap();
    let again = device.enrol_again(&platform, &token, &[]);
    assert_eq!(again.status.code(), Some(3), "{}", words(&again));
    assert!(words(&again).contains("--replace"));
    let replaced = device.enrol_again(&platform, &token, &["--replace"]);
    assert!(replaced.status.success(), "{}", words(&replaced));
    assert_ne!(fs::read(&key).unwrap(), before);
}

#[test]
fn a_token_of_another_platform_and_a_used_one_enrol_nothing() {
    let (home, other_home) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let (mut platform, mut other) = (Platform::start(home.path()), Platform::start(other_home.path()));
    let folder = tempfile::tempdir().unwrap();
    let (url, at) = (platform.url(), folder.path().join("home"));
    let enrol = |token: &str| {
        probe(&["enroll", "--url", &url, "--token-stdin", "--home", at.to_str().unwrap()], token)
    };
    assert_eq!(enrol(&other.enrolment_token()).status.code(), Some(1), "a token that is not known here");
    assert_eq!(enrol("not a token").status.code(), Some(1));
    // The secret is good, but the fingerprint says that another platform was meant.
    let token = platform.enrolment_token();
    let secret = token.splitn(3, '.').nth(2).unwrap();
    let root = other.root.strip_prefix("sha256:").unwrap();
    let refused = enrol(&format!("echo-enrol.{root}.{secret}"));
    assert_eq!(refused.status.code(), Some(3), "{}", words(&refused));
    assert!(!at.join("device.json").exists() && !at.join("device.key").exists());
    assert_eq!(probe(&["run", "--home", at.to_str().unwrap()], "").status.code(), Some(1));
}

#[test]
fn wrong_usage_has_its_own_exit_code() {
    for arguments in [
        &["run", "--root", "/"][..],
        &["run", "--root", "/no/such/folder"],
        &["scan", "--policy", "x", "--root", "/usr/.."],
        &["enroll", "--url", "nonsense", "--token-stdin"],
        &["run", "--pulse-seconds", "0"],
        &["dance"],
    ] {
        let folder = tempfile::tempdir().unwrap();
        let done = std::process::Command::new(env!("CARGO_BIN_EXE_echo_probe"))
            .args(arguments)
            .env("ECHO_PROBE_HOME", folder.path())
            .output()
            .unwrap();
        assert_eq!(done.status.code(), Some(2), "{arguments:?}: {}", words(&done));
    }
    let insecure = probe(&["enroll", "--url", "http://192.0.2.1", "--token-stdin", "--home", "x"], "");
    assert_eq!(insecure.status.code(), Some(3));
    let diagnosis = probe(&["diagnose", "--json"], "");
    assert!(
        diagnosis.status.success() && serde_json::from_slice::<serde_json::Value>(&diagnosis.stdout).is_ok()
    );
}
