//! `bundle` from a folder to an installation, by the compiled program; and killed at any moment.

use std::{
    fs,
    os::unix::fs::PermissionsExt as _,
    path::{Path, PathBuf},
    process::{Output, Stdio},
    thread,
    time::Duration,
};

use durable::Mode;
use echo_core::Mint;
use serde_json::Value;
use trust::{Keystore, Registry, TrustChain};

use crate::fixture::{echo_cli, stderr, stdout};

/// How often an update is killed.
const KILLS: u32 = 25;

/// A home with keys, and a folder with content beside it.
struct Scene {
    folder: tempfile::TempDir,
    root: String,
}

impl Scene {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let (home, mint) = (folder.path().join("home"), Mint::system());
        let keystore = Keystore::open_or_create(&home, &mint).unwrap();
        let until = "2100-01-01T00:00:00Z".parse().unwrap();
        let registry = Registry::founding(keystore.records(), mint.now(), until);
        let chain = TrustChain::create(&registry, keystore.signer(trust::KeyRole::Root).unwrap()).unwrap();
        chain.save(&home).unwrap();
        let scene = Self { folder, root: chain.fingerprint().to_string() };
        for program in ["echo_cli", "echo_os_prime", "echo_probe"] {
            scene.put(&format!("bin/{program}"), b"#!/bin/sh\necho fake 1.0\n", 0o755);
        }
        scene.put("models/weights.gguf", &noise(8 << 20), 0o644);
        scene.put("documents/handbook.md", "A line of the handbook.\n".repeat(9_000).as_bytes(), 0o644);
        scene
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn put(&self, path: &str, bytes: &[u8], mode: u32) {
        let path = self.path("stage").join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        durable::write(&path, bytes, Mode::Public).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(mode)).unwrap();
    }

    fn run(&self, line: &str) -> Output {
        let mut command = echo_cli(&["--json", "--home", "home", "bundle"]);
        command.current_dir(self.folder.path()).args(line.split(' ')).output().unwrap()
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

    fn build(&self, version: &str) -> Value {
        self.put("documents/version.md", version.as_bytes(), 0o644);
        self.done(&format!(
            "build --from stage --out {version}.atlas --bundle-version {version} --made 2027-01-01T00:00:00Z"
        ))
    }

    /// The version that would be started; every file of it must be as it was signed.
    fn starts(&self) -> String {
        let output = self.run("start --dry --prefix prefix");
        assert!(output.status.success(), "{}", stderr(&output));
        let status = self.done("status --prefix prefix");
        let active = status["state"]["active"].as_str().unwrap().to_owned();
        let slot = self.path("prefix/slots").join(&active);
        assert_eq!(fs::canonicalize(self.path("prefix/current")).unwrap(), fs::canonicalize(&slot).unwrap());
        assert_eq!(fs::metadata(slot.join("models/weights.gguf")).unwrap().len(), 8 << 20);
        let version = status["state"]["slots"][&active]["version"].as_str().unwrap().to_owned();
        assert_eq!(fs::read_to_string(slot.join("documents/version.md")).unwrap(), version);
        version
    }
}

/// Bytes that do not shrink.
fn noise(length: usize) -> Vec<u8> {
    let mut state = 7_u64;
    let next = || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state.wrapping_mul(0x2545_f491_4f6c_dd1d).to_be_bytes()
    };
    std::iter::repeat_with(next).flatten().take(length).collect()
}

fn flip(path: &Path, at: usize) {
    let mut bytes = fs::read(path).unwrap();
    bytes[at] ^= 1;
    durable::write(path, &bytes, Mode::Public).unwrap();
}

#[test]
fn a_bundle_goes_from_a_folder_to_an_installation_and_back() {
    let scene = Scene::new();
    let root = scene.root.clone();
    let built = scene.build("1.0.0");
    let first = fs::read(scene.path("1.0.0.atlas")).unwrap();
    scene.build("1.0.0");
    assert!(first == fs::read(scene.path("1.0.0.atlas")).unwrap(), "two builds of the same are the same");
    let verified = scene.done(&format!("verify 1.0.0.atlas --root {root}"));
    assert_eq!((&verified["verified"], &verified["manifest"]), (&Value::Bool(true), &built["manifest"]));
    scene.refused(&format!("verify 1.0.0.atlas --root {}", "0".repeat(64)), 3);
    assert_eq!(scene.done("show 1.0.0.atlas")["kinds"]["bin"][0], 3);

    // Torn, and damaged: said, and mended.
    durable::write(&scene.path("stick.atlas"), &first[..first.len() / 2], Mode::Public).unwrap();
    let error = scene.refused(&format!("verify stick.atlas --root {root}"), 3);
    assert!(error.contains(&format!("ends at byte {} of {}", first.len() / 2, first.len())), "{error}");
    scene.refused(&format!("install stick.atlas --to prefix --root {root}"), 3);
    let copied = scene.done("copy 1.0.0.atlas stick.atlas");
    assert!(copied["kept"].as_u64().unwrap() > 3 << 20, "{copied}");
    flip(&scene.path("stick.atlas"), first.len() / 3);
    scene.refused(&format!("verify stick.atlas --root {root}"), 3);
    scene.done("copy 1.0.0.atlas stick.atlas");
    assert!(first == fs::read(scene.path("stick.atlas")).unwrap());

    // Installed, updated by a delta, and back.
    let error = scene.refused("install stick.atlas --to prefix", 2);
    assert!(error.contains("--root FINGERPRINT"), "{error}");
    scene.done(&format!("install stick.atlas --to prefix --root {root}"));
    assert_eq!(scene.done("health --prefix prefix")["programs"][0], "fake 1.0");
    scene.build("1.1.0");
    let made = scene.done("diff 1.0.0.atlas 1.1.0.atlas --out d.delta");
    assert!(made["bytes"].as_u64().unwrap() < 64 << 10, "{made}");
    scene.done("patch 1.0.0.atlas d.delta --out made.atlas");
    assert!(fs::read(scene.path("made.atlas")).unwrap() == fs::read(scene.path("1.1.0.atlas")).unwrap());
    assert_eq!(scene.done("update d.delta --prefix prefix")["version"], "1.1.0");
    assert_eq!(scene.starts(), "1.1.0");
    assert_eq!(scene.done("rollback --prefix prefix --reason slow")["given_up"], "1.1.0");
    assert_eq!(scene.starts(), "1.0.0");
    scene.done("update 1.1.0.atlas --prefix prefix");
    scene.done("health --prefix prefix");
    let error = scene.refused("update 1.0.0.atlas --prefix prefix", 3);
    assert!(error.contains("--allow-downgrade"), "{error}");
}

#[test]
fn a_system_whose_program_does_not_run_is_given_up() {
    let scene = Scene::new();
    scene.build("1.0.0");
    scene.done(&format!("install 1.0.0.atlas --to prefix --root {}", scene.root));
    scene.done("health --prefix prefix");
    scene.put("bin/echo_os_prime", b"#!/bin/sh\nexit 1\n", 0o755);
    scene.build("1.1.0");
    scene.done("update 1.1.0.atlas --prefix prefix");
    let error = scene.refused("health --prefix prefix", 3);
    assert!(error.contains("echo_os_prime") && error.contains("rollback"), "{error}");
    for _ in 0..3 {
        assert_eq!(scene.starts(), "1.1.0");
    }
    assert_eq!(scene.starts(), "1.0.0");
    // One that the system cannot even load is given up at once.
    scene.put("bin/echo_os_prime", b"#!/no/such/interpreter\n", 0o755);
    scene.build("1.2.0");
    scene.done("update 1.2.0.atlas --prefix prefix");
    let output = scene.run("start --prefix prefix");
    assert!(stderr(&output).contains("version 1.2.0 was given up"), "{}", stderr(&output));
    assert_eq!((stdout(&output).as_str(), scene.starts().as_str()), ("fake 1.0\n", "1.0.0"));
}

#[test]
fn an_update_that_is_killed_at_any_moment_leaves_a_whole_system() {
    let scene = Scene::new();
    scene.build("1.0.0");
    scene.done(&format!("install 1.0.0.atlas --to prefix --root {}", scene.root));
    scene.done("health --prefix prefix");
    scene.build("1.1.0");
    let (mut old, mut wait) = (0, 300_u64);
    for round in 0..KILLS {
        let mut child = echo_cli(&["bundle", "update", "1.1.0.atlas", "--prefix", "prefix"])
            .current_dir(scene.folder.path())
            .stdout(Stdio::null())
            .spawn()
            .unwrap();
        // Moments that are spread over the whole, as long as that takes on this machine.
        thread::sleep(Duration::from_micros(wait * u64::from(round % 5 + 1)));
        let ended = child.try_wait().unwrap().is_some();
        child.kill().unwrap();
        child.wait().unwrap();
        let version = scene.starts();
        old += u32::from(version == "1.0.0");
        if version == "1.1.0" {
            scene.done("rollback --prefix prefix");
        }
        wait = if ended { wait / 2 } else { wait * 3 / 2 };
    }
    assert!(old > 3, "{old}");
    assert_eq!(scene.done("update 1.1.0.atlas --prefix prefix")["version"], "1.1.0");
    scene.done("health --prefix prefix");
    assert_eq!(scene.starts(), "1.1.0");
}
