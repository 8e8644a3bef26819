use echo_core::clock::from_millis;
use proptest::prelude::*;

use super::*;
use crate::draft::Draft;

fn file(folder: &Path, name: &str, draft: &Draft) -> PathBuf {
    let path = folder.join(name);
    durable::write(&path, &draft.bytes(), Mode::Public).unwrap();
    path
}

fn now() -> Timestamp {
    from_millis(1_800_000_000_000)
}

#[test]
fn a_model_is_added_found_again_and_verified() {
    let (from, home) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let folder = home.path().join("models");
    let mut shelf = Shelf::open(&folder).unwrap();
    let about = About { licence: Some("Apache-2.0".to_owned()), ..About::default() };
    let card = shelf.add(&file(from.path(), "Small Model.gguf", &Draft::of("llama")), &about, now()).unwrap();
    assert_eq!(
        (card.name.as_str(), card.file.as_str(), card.kind),
        ("small-model", "small-model.gguf", Kind::Text)
    );
    assert_eq!(card.sha256, Digest::of(&Draft::of("llama").bytes()));
    shelf.add(&file(from.path(), "vectors.gguf", &Draft::of("bert")), &about, now()).unwrap();
    let again = Shelf::open(&folder).unwrap();
    assert_eq!(
        again.cards().iter().map(|card| card.name.as_str()).collect::<Vec<_>>(),
        ["vectors", "small-model"]
    );
    assert_eq!(again.find(None, Kind::Text), Some(&card));
    assert!(again.find(Some("vectors"), Kind::Text).is_none());
    for card in again.cards() {
        again.verify(card).unwrap();
    }
    let mode = fs::metadata(again.path(&card)).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o444, "nobody writes to a model");
}

#[test]
fn the_last_model_added_answers_first() {
    let home = tempfile::tempdir().unwrap();
    let mut shelf = Shelf::open(&home.path().join("m")).unwrap();
    for (name, architecture) in [("a", "llama"), ("b", "qwen2")] {
        let about = About { name: Some(name.to_owned()), ..About::default() };
        shelf.add(&file(home.path(), "x.gguf", &Draft::of(architecture)), &about, now()).unwrap();
    }
    assert_eq!(shelf.find(None, Kind::Text).unwrap().name, "b");
    shelf.remove("b").unwrap();
    assert_eq!(shelf.find(None, Kind::Text).unwrap().name, "a");
    assert!(!home.path().join("m/b.gguf").exists());
    assert!(matches!(shelf.remove("b"), Err(ModelError::Missing { .. })));
}

#[test]
fn what_is_no_model_leaves_the_shelf_as_it_was() {
    let home = tempfile::tempdir().unwrap();
    let folder = home.path().join("m");
    let mut shelf = Shelf::open(&folder).unwrap();
    let cut = home.path().join("cut.gguf");
    let whole = Draft::of("llama").bytes();
    durable::write(&cut, &whole[..whole.len() - 9], Mode::Public).unwrap();
    let mamba = file(home.path(), "mamba.gguf", &Draft::of("mamba"));
    for path in [&cut, &mamba, &home.path().join("none"), &home.path().to_owned()] {
        assert!(
            matches!(shelf.add(path, &About::default(), now()), Err(ModelError::Unfit { .. })),
            "{}",
            path.display()
        );
    }
    let good = file(home.path(), "good.gguf", &Draft::of("llama"));
    let about = About { sha256: Some(Digest::of(b"another")), ..About::default() };
    let error = shelf.add(&good, &about, now()).unwrap_err().to_string();
    assert!(error.contains("its hash is sha256:"), "{error}");
    assert!(Shelf::open(&folder).unwrap().cards().is_empty());
    let left: Vec<_> = fs::read_dir(&folder).unwrap().map(|file| file.unwrap().file_name()).collect();
    assert_eq!(left, [LOCK], "no part of a file stays behind");
}

#[test]
fn a_name_stands_for_one_model() {
    let home = tempfile::tempdir().unwrap();
    let mut shelf = Shelf::open(&home.path().join("m")).unwrap();
    let about = About { name: Some("a".to_owned()), ..About::default() };
    let llama = file(home.path(), "x.gguf", &Draft::of("llama"));
    let card = shelf.add(&llama, &about, now()).unwrap();
    assert_eq!(shelf.add(&llama, &about, from_millis(0)).unwrap(), card, "the same again changes nothing");
    let other = file(home.path(), "y.gguf", &Draft::of("gemma"));
    assert!(matches!(shelf.add(&other, &about, now()), Err(ModelError::Invalid { what: "the name", .. })));
}

#[test]
fn a_file_that_changed_on_the_shelf_is_found() {
    let home = tempfile::tempdir().unwrap();
    let mut shelf = Shelf::open(&home.path().join("m")).unwrap();
    let card =
        shelf.add(&file(home.path(), "x.gguf", &Draft::of("llama")), &About::default(), now()).unwrap();
    let mut bytes = Draft::of("llama").bytes();
    *bytes.last_mut().unwrap() ^= 1;
    durable::write(&shelf.path(&card), &bytes, Mode::Public).unwrap();
    let error = shelf.verify(&card).unwrap_err().to_string();
    assert!(error.contains("and the card says"), "{error}");
    // Adding the right one again mends it.
    shelf.add(&file(home.path(), "x.gguf", &Draft::of("llama")), &About::default(), now()).unwrap();
    shelf.verify(&card).unwrap();
}

#[test]
fn two_programs_add_without_losing_a_card() {
    let home = tempfile::tempdir().unwrap();
    let folder = home.path().join("m");
    let (mut one, mut two) = (Shelf::open(&folder).unwrap(), Shelf::open(&folder).unwrap());
    one.add(&file(home.path(), "a.gguf", &Draft::of("llama")), &About::default(), now()).unwrap();
    two.add(&file(home.path(), "b.gguf", &Draft::of("gemma")), &About::default(), now()).unwrap();
    assert_eq!(Shelf::open(&folder).unwrap().cards().len(), 2);
}

#[test]
fn a_list_that_leads_out_of_the_folder_is_refused() {
    let home = tempfile::tempdir().unwrap();
    let folder = home.path().join("m");
    let mut shelf = Shelf::open(&folder).unwrap();
    shelf.add(&file(home.path(), "x.gguf", &Draft::of("llama")), &About::default(), now()).unwrap();
    let list = folder.join(LIST);
    let good = fs::read_to_string(&list).unwrap();
    let change = |from: &str, to: &str| {
        durable::write(&list, good.replace(from, to).as_bytes(), Mode::Public).unwrap();
        Shelf::open(&folder)
    };
    assert!(change("", "").is_ok());
    for (from, to) in [
        ("\"x.gguf\"", "\"../x.gguf\""),
        ("\"x.gguf\"", "\"/etc/x.gguf\""),
        ("\"x\"", "\"X\""),
        (FORMAT, "echo-models-v2"),
        ("\"kind\"", "\"sort\""),
    ] {
        assert!(matches!(change(from, to), Err(ModelError::Unfit { .. })), "{to}");
    }
}

proptest! {
    #[test]
    fn every_file_name_gives_a_name_or_a_refusal(name in "\\PC{0,40}") {
        let made = name_of(Path::new(&name));
        prop_assert!(made.is_empty() || is_name(&made) || made.starts_with('.') || made.len() > MAX_WORD, "{made}");
    }
}
