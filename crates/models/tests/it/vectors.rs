//! Vectors: all-MiniLM-L6-v2, beside what sentence-transformers makes of the same sentences.

use std::{fs, path::Path};

use models::{About, ModelError, Shelf, trial};

use crate::{folder, installed};

/// Sentences and their vectors by sentence-transformers 6.2.0 in single precision.
const REFERENCE: &str = include_str!("reference.json");

fn cosine(a: &[f32], b: &[f32]) -> f32 {
    assert_eq!(a.len(), b.len());
    a.iter().zip(b).map(|(a, b)| a * b).sum()
}

#[tokio::test]
#[ignore = "needs the installed models: scripts/test models"]
async fn vectors_are_those_of_the_reference() {
    let reference: Vec<(String, Vec<f32>)> = serde_json::from_str(REFERENCE).unwrap();
    let texts: Vec<String> = reference.iter().map(|(text, _)| text.clone()).collect();
    let made = installed().embed(texts).await.unwrap();
    for ((text, wanted), vector) in reference.iter().zip(&made.vectors) {
        assert!(cosine(wanted, vector) > 0.999, "{text}: {}", cosine(wanted, vector));
        assert!((cosine(vector, vector) - 1.0).abs() < 1e-4, "{text}");
    }
}

#[tokio::test]
#[ignore = "needs the installed models: scripts/test models"]
async fn a_vector_does_not_depend_on_what_is_asked_beside_it() {
    let models = installed();
    let texts: Vec<String> =
        (1..=70).map(|n| format!("Ticket {n}: {}", "the printer jams again ".repeat(n % 23))).collect();
    let together = models.embed(texts.clone()).await.unwrap();
    for nth in [0, 22, 41, 69] {
        let alone = models.embed(vec![texts[nth].clone()]).await.unwrap();
        let same = cosine(&alone.vectors[0], &together.vectors[nth]);
        assert!(same > 0.9995, "{}: {same}", texts[nth]);
    }
}

#[tokio::test]
#[ignore = "needs the installed models: scripts/test models"]
async fn any_text_has_a_vector_and_a_long_one_that_of_its_beginning() {
    let models = installed();
    let long = "the mail server refuses every message ".repeat(2000);
    let texts = ["", "\0", "🦀", "ضوء 灯台", &long, &(long.clone() + "bananas")].map(str::to_owned);
    let made = models.embed(texts.to_vec()).await.unwrap();
    assert!(
        made.vectors.iter().all(|vector| vector.len() == 384 && (cosine(vector, vector) - 1.0).abs() < 1e-4)
    );
    assert!(cosine(&made.vectors[4], &made.vectors[5]) > 0.9999);
}

#[test]
#[ignore = "needs the installed models: scripts/test models"]
fn a_good_file_passes_its_trial_and_a_cut_one_is_refused_before() {
    let shelf = Shelf::open(&folder()).unwrap();
    let scratch = tempfile::tempdir().unwrap();
    for card in shelf.cards() {
        let path = shelf.path(card);
        assert!(trial(&path).unwrap());
        let cut = scratch.path().join("cut.gguf");
        fs::copy(&path, &cut).unwrap();
        shorten(&cut, card.bytes - 4096);
        let error = trial(&cut).unwrap_err();
        assert!(matches!(&error, ModelError::Unfit { reason, .. } if reason.contains("cut off")), "{error}");
        let mut other = Shelf::open(&scratch.path().join("shelf")).unwrap();
        let about = About { name: Some("cut".to_owned()), ..About::default() };
        assert!(other.add(&cut, &about, echo_core::clock::from_millis(0)).is_err());
    }
}

fn shorten(path: &Path, bytes: u64) {
    let mut permissions = fs::metadata(path).unwrap().permissions();
    std::os::unix::fs::PermissionsExt::set_mode(&mut permissions, 0o644);
    fs::set_permissions(path, permissions).unwrap();
    fs::File::options().write(true).open(path).unwrap().set_len(bytes).unwrap();
}
