//! `verify` on a machine that knows nothing of the platform: no environment, no network, one file.

use std::{fs, path::Path, process::Output, thread};

use echo_core::{SeededEntropy, entropy};

use crate::fixture::{TOURED, echo_cli, stderr, stdout};

/// How many single bytes are changed.
const CHANGES: usize = 200;
const THREADS: usize = 4;
const SEED: u64 = 0x00EC_4011;

fn verify(file: &Path, fingerprint: &str) -> Output {
    echo_cli(&["verify", "--root", fingerprint]).arg(file).output().unwrap()
}

#[test]
fn an_untouched_file_holds() {
    let output = verify(&TOURED.export, &TOURED.fingerprint);
    assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
    let said = stdout(&output);
    assert!(said.contains("✓ settlement") && said.contains("verified: case_"), "{said}");
    let bare = TOURED.fingerprint.strip_prefix("sha256:").unwrap().to_uppercase();
    assert_eq!(verify(&TOURED.export, &bare).status.code(), Some(0));
    let json = echo_cli(&["--json", "verify", "--root", &bare]).arg(&TOURED.export).output().unwrap();
    let report: serde_json::Value = serde_json::from_slice(&json.stdout).unwrap();
    assert_eq!((&report["verified"], &report["report"]["paid"]), (&true.into(), &true.into()));
}

#[test]
fn every_changed_byte_is_refused() {
    let whole = fs::read(&TOURED.export).unwrap();
    thread::scope(|scope| {
        for thread in 0..THREADS {
            let whole = &whole;
            scope.spawn(move || {
                let random = SeededEntropy::new(SEED + thread as u64);
                let scratch = tempfile::tempdir().unwrap();
                let path = scratch.path().join("case.json");
                for number in 0..CHANGES / THREADS {
                    let drawn: [u8; 9] = entropy::bytes(&random);
                    let place = usize::from_le_bytes(drawn[..8].try_into().unwrap()) % whole.len();
                    let mut changed = whole.clone();
                    changed[place] ^= drawn[8].max(1);
                    durable::write(&path, &changed, durable::Mode::Public).unwrap();
                    let output = verify(&path, &TOURED.fingerprint);
                    let where_ =
                        format!("seed {SEED:#x}+{thread}, change {number}, byte {place} of {}", whole.len());
                    assert_eq!(output.status.code(), Some(3), "{where_}: {}", stderr(&output));
                    assert!(output.stdout.is_empty(), "{where_}: nothing is said to hold");
                }
            });
        }
    });
}

#[test]
fn another_fingerprint_is_refused() {
    let other = format!("sha256:{}", "0".repeat(64));
    let output = verify(&TOURED.export, &other);
    assert_eq!(output.status.code(), Some(3));
    assert!(stderr(&output).contains("root") && stderr(&output).contains("hint: "), "{}", stderr(&output));
    assert_eq!(verify(&TOURED.export, "abc").status.code(), Some(2));
    let json = echo_cli(&["--json", "verify", "--root", &other]).arg(&TOURED.export).output().unwrap();
    let report: serde_json::Value = serde_json::from_slice(&json.stdout).unwrap();
    assert_eq!((json.status.code(), &report["verified"]), (Some(3), &false.into()));
}

#[test]
fn broken_files_are_refused_with_a_reason() {
    let whole = fs::read(&TOURED.export).unwrap();
    let scratch = tempfile::tempdir().unwrap();
    let path = scratch.path().join("case.json");
    let deep = vec![b'['; 100_000];
    let longer = [whole.as_slice(), b"\n"].concat();
    for (what, bytes) in [
        ("empty", &b""[..]),
        ("truncated", &whole[..whole.len() / 2]),
        ("without its last byte", &whole[..whole.len() - 1]),
        ("longer", &longer),
        ("not UTF-8", &[0xff; 100]),
        ("another JSON", b"{\"a\": [1, 2]}\n"),
        ("deep", &deep),
    ] {
        durable::write(&path, bytes, durable::Mode::Public).unwrap();
        let output = verify(&path, &TOURED.fingerprint);
        assert_eq!(output.status.code(), Some(3), "{what}: {}", stderr(&output));
        assert!(stderr(&output).contains("NOT verified"), "{what}: {}", stderr(&output));
    }
    // Sparse: large without being written.
    fs::File::create(&path).unwrap().set_len(1 << 40).unwrap();
    let output = verify(&path, &TOURED.fingerprint);
    assert_eq!(output.status.code(), Some(3), "huge: {}", stderr(&output));
    assert_eq!(verify(&scratch.path().join("none"), &TOURED.fingerprint).status.code(), Some(1));
    assert_eq!(verify(scratch.path(), &TOURED.fingerprint).status.code(), Some(1), "a folder");
}
