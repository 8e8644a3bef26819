//! `model` on files that need no engine: what goes on a shelf, and what does not.

use std::{fs, path::PathBuf, process::Output};

use durable::Mode;
use serde_json::Value;

use crate::fixture::{echo_cli, stderr, stdout};

/// A folder to work in, and headers of models that the fuzz targets begin with.
struct Place(tempfile::TempDir);

impl Place {
    fn run(&self, arguments: &[&str]) -> Output {
        echo_cli(&[&["model", "--models", "shelf"], arguments].concat())
            .current_dir(self.0.path())
            .output()
            .unwrap()
    }

    fn listed(&self) -> Vec<Value> {
        let listed = self.run(&["--json", "list"]);
        assert!(listed.status.success(), "{}", stderr(&listed));
        serde_json::from_str(&stdout(&listed)).unwrap()
    }
}

fn header(name: &str) -> String {
    let path = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../fuzz/corpus/gguf").join(name);
    path.to_str().unwrap().to_owned()
}

#[test]
// With the engine a header alone is refused by the trial.
#[cfg(not(feature = "local_models"))]
fn a_model_goes_on_the_shelf_is_verified_and_taken_off() {
    let place = Place(tempfile::tempdir().unwrap());
    assert!(place.listed().is_empty());
    let added = place.run(&["add", &header("llama"), "--name", "small", "--licence", "Apache-2.0"]);
    assert!(added.status.success() && stdout(&added).contains("Apache-2.0"), "{}", stderr(&added));
    assert!(place.run(&["add", &header("bert")]).status.success());
    let names: Vec<_> = place.listed().iter().map(|card| card["name"].as_str().unwrap().to_owned()).collect();
    assert_eq!(names, ["bert", "small"]);
    assert!(place.run(&["verify"]).status.success());
    let file = place.0.path().join("shelf/small.gguf");
    let mut bytes = fs::read(&file).unwrap();
    *bytes.last_mut().unwrap() ^= 1;
    durable::write(&file, &bytes, Mode::Public).unwrap();
    let verified = place.run(&["--json", "verify"]);
    assert_eq!(verified.status.code(), Some(3), "{}", stderr(&verified));
    let verified: Vec<Value> = serde_json::from_str(&stdout(&verified)).unwrap();
    assert_eq!((&verified[0]["holds"], &verified[1]["holds"]), (&Value::Bool(true), &Value::Bool(false)));
    assert!(place.run(&["remove", "small"]).status.success() && !file.exists());
    let bench = place.run(&["bench"]);
    assert!(stderr(&bench).contains("without the engine"), "{}", stderr(&bench));
}

#[test]
fn what_is_no_model_is_refused_with_the_reason() {
    let place = Place(tempfile::tempdir().unwrap());
    for (name, words) in [
        ("cut", "cut off"),
        ("unknown_architecture", "its architecture is `mamba`"),
        ("huge_array", "the most that is read"),
        ("tensor_outside", "cut off"),
        ("nothing", "No such file"),
    ] {
        let refused = place.run(&["add", &header(name)]);
        assert_eq!(refused.status.code(), Some(1));
        assert!(stderr(&refused).contains(words), "{}", stderr(&refused));
    }
    assert!(place.listed().is_empty());
    let refused = place.run(&["add", &header("llama"), "--sha256", "abc"]);
    assert_eq!(refused.status.code(), Some(2), "{}", stderr(&refused));
}
