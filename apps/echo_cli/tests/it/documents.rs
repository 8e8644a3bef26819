//! The documents of a home are checked, and the user's own are brought in and taken out, with no platform.

use std::{fs, path::Path, process::Output};

use echo_core::Mint;
use serde_json::Value;
use trust::Keystore;

use crate::fixture::{TOURED, echo_cli, stderr, stdout};

/// A copy of the parts of the toured home that documents need.
fn copied() -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    for name in ["documents", "ledger"] {
        fs::create_dir(folder.path().join(name)).unwrap();
        for file in fs::read_dir(TOURED.home.join(name)).unwrap().map(Result::unwrap) {
            fs::copy(file.path(), folder.path().join(name).join(file.file_name())).unwrap();
        }
    }
    for name in ["sovereign_trust_registry.json", "echo.keystore.json", "keystore.key"] {
        fs::copy(TOURED.home.join(name), folder.path().join(name)).unwrap();
    }
    folder
}

fn run(home: &Path, arguments: &[&str]) -> Output {
    echo_cli(arguments).arg("--home").arg(home).output().unwrap()
}

fn json(home: &Path, arguments: &[&str]) -> Value {
    let output = run(home, &[arguments, &["--json"]].concat());
    serde_json::from_slice(&output.stdout).unwrap_or_else(|e| panic!("{e}: {}", stderr(&output)))
}

fn sample(name: &str) -> String {
    format!("{}/../../crates/library/tests/data/{name}", env!("CARGO_MANIFEST_DIR"))
}

/// An empty home, as far as the library needs one.
fn home() -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    Keystore::open_or_create(folder.path(), &Mint::system()).unwrap();
    folder
}

#[test]
fn the_documents_of_a_home_hold_by_a_fingerprint_that_was_kept_elsewhere() {
    let copy = copied();
    let said = run(copy.path(), &["docs", "verify", "--root", &TOURED.fingerprint]);
    assert!(said.status.success(), "{}{}", stdout(&said), stderr(&said));
    assert_eq!(stdout(&said).matches('✓').count(), dossier::SHIPPED.len());
    let other = "0".repeat(64);
    assert_eq!(run(copy.path(), &["docs", "verify", "--root", &other]).status.code(), Some(3));
    let shown = run(copy.path(), &["docs", "show", "constitution"]);
    assert!(shown.status.success() && stdout(&shown).starts_with("# The constitution"));
    assert!(!run(copy.path(), &["docs", "show", "nothing"]).status.success());
}

#[test]
fn a_changed_or_missing_document_is_named() {
    let copy = copied();
    let path = copy.path().join("documents/handbook.md");
    let text = fs::read_to_string(&path).unwrap();
    durable::write(&path, format!("{text} ").as_bytes(), durable::Mode::Public).unwrap();
    fs::remove_file(copy.path().join("documents/licences.md.sig")).unwrap();
    let output = run(copy.path(), &["docs", "verify"]);
    assert_eq!(output.status.code(), Some(3));
    let said = json(copy.path(), &["docs", "verify"]);
    assert_eq!(said["holds"], false);
    for document in said["documents"].as_array().unwrap() {
        let why = document["why"].as_str().unwrap_or_default();
        match document["name"].as_str().unwrap() {
            "handbook" => assert!(why.contains("altered"), "{why}"),
            "licences" => assert!(why.contains("licences.md.sig is missing"), "{why}"),
            _ => assert_eq!(document["holds"], true, "{document}"),
        }
    }
}

#[test]
fn documents_are_brought_in_listed_and_taken_out() {
    let home = home();
    assert!(stdout(&run(home.path(), &["library", "list"])).contains("the library is empty"));
    let (pdf, zim) = (sample("manual.pdf"), sample("wiki.zim"));
    let added = run(home.path(), &["library", "add", &pdf, &zim]);
    assert!(added.status.success(), "{}{}", stdout(&added), stderr(&added));
    assert!(stdout(&added).contains("1 of its 3 pages have no text"), "{}", stdout(&added));
    let cards = json(home.path(), &["library", "list"]);
    let names: Vec<&str> =
        cards.as_array().unwrap().iter().map(|card| card["name"].as_str().unwrap()).collect();
    assert_eq!(names, ["manual.pdf", "wiki.zim"]);
    assert_eq!(cards[1]["about"]["License"], "CC0-1.0");
    let digest = echo_core::Digest::of(&fs::read(&pdf).unwrap());
    assert_eq!(cards[0]["digest"], serde_json::json!(digest));
    let folder = home.path().join("memory/documents");
    assert!(fs::read_to_string(folder.join("manual.pdf.md")).unwrap().contains("## Page 2"));
    let again = json(home.path(), &["library", "add", &zim]);
    assert_eq!(again["items"][0]["replaced"], true);
    for name in names {
        assert!(run(home.path(), &["library", "remove", name]).status.success());
    }
    assert_eq!(json(home.path(), &["library", "list"]), serde_json::json!([]));
    assert!(!folder.join("manual.pdf.md").exists());
}

#[test]
fn what_cannot_be_read_is_refused_and_the_others_are_added() {
    let home = home();
    let files = tempfile::tempdir().unwrap();
    let put = |name: &str, bytes: &[u8]| {
        durable::write(&files.path().join(name), bytes, durable::Mode::Private).unwrap();
    };
    put("good.md", b"# Good\n\nWords.");
    put("torn.pdf", b"%PDF-1.7\n1 0 obj\n<<");
    put("torn.zim", &fs::read(sample("wiki.zim")).unwrap()[..9_000]);
    put("photo.jpg", b"\xff\xd8\xff");
    put("locked.pdf", &fs::read(sample("locked.pdf")).unwrap());
    let said = json(home.path(), &["library", "add", files.path().to_str().unwrap()]);
    assert_eq!(said["passed_over"], 1);
    let why = |name: &str| {
        let items = said["items"].as_array().unwrap();
        let item = items.iter().find(|item| item["file"].as_str().unwrap().ends_with(name)).unwrap();
        item["why"].as_str().unwrap_or_default().to_owned()
    };
    assert_eq!(why("good.md"), "");
    assert!(why("torn.zim").contains("cut off"), "{}", why("torn.zim"));
    assert!(why("torn.pdf").contains("damaged"), "{}", why("torn.pdf"));
    assert!(why("locked.pdf").contains("password"), "{}", why("locked.pdf"));
    assert_eq!(json(home.path(), &["library", "list"]).as_array().unwrap().len(), 1);
    let nowhere = run(&files.path().join("none"), &["library", "list"]);
    assert!(stderr(&nowhere).contains("is not a platform's home"), "{}", stderr(&nowhere));
}
