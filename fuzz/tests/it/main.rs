//! Plays the corpus again: every input that was found, and each with a few bytes changed.

#![expect(clippy::unwrap_used, reason = "all of this is test code, not only its test functions")]

mod mesh;

use std::{fs, path::PathBuf};

use echo_core::{Entropy as _, SeededEntropy};
use fuzz::{MAX_INPUT, TARGETS};

/// How often each input is changed.
const CHANGES: u64 = 20;

fn corpus(name: &str) -> Vec<(PathBuf, Vec<u8>)> {
    let folder = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("corpus").join(name);
    let files = fs::read_dir(&folder).unwrap_or_else(|e| panic!("{}: {e}", folder.display()));
    files.map(|file| file.unwrap().path()).map(|path| (path.clone(), fs::read(path).unwrap())).collect()
}

/// One input of a corpus.
fn seed(target: &str, name: &str) -> Vec<u8> {
    fs::read(PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("corpus").join(target).join(name)).unwrap()
}

#[test]
fn every_input_that_was_found_is_still_taken_or_refused_as_it_should() {
    for (name, check) in TARGETS {
        let inputs = corpus(name);
        assert!(inputs.len() >= 5, "{name}: the corpus holds {} inputs only", inputs.len());
        for (path, bytes) in inputs {
            assert!(bytes.len() <= MAX_INPUT, "{} is too long", path.display());
            check(&bytes);
        }
    }
}

#[test]
fn changed_inputs_are_taken_or_refused_as_they_should() {
    for (name, check) in TARGETS {
        let random = SeededEntropy::new(1);
        for (_, bytes) in corpus(name).into_iter().filter(|(_, bytes)| !bytes.is_empty()) {
            for _ in 0..CHANGES {
                let mut changed = bytes.clone();
                let [place @ .., with] = random.bytes::<9>();
                let place = u64::from_be_bytes(place) % changed.len() as u64;
                changed[usize::try_from(place).unwrap()] ^= with.max(1);
                check(&changed);
            }
        }
    }
}

#[test]
fn nothing_and_noise_are_refused() {
    let random = SeededEntropy::new(2);
    for (_, check) in TARGETS {
        check(b"");
        for _ in 0..50 {
            check(&random.bytes::<300>());
        }
    }
}
