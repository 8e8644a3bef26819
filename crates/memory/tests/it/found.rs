//! What is found, and what stays when a source changes.

use memory::{MemoryError, Owner, Query, Remembered, SourceKind};

use crate::{ask, customer, of, open, place_all, source, vector};

const PRINTERS: &str =
    "# Printers\n## Paper jam\nOpen the rear tray and pull the sheet out.\n## Toner\nReplace the cartridge.";

#[tokio::test]
async fn a_question_finds_the_section_with_its_provenance() {
    let (_folder, memory) = open().await;
    memory.remember(&source(Owner::Shared, "docs/printers.md", PRINTERS)).await.unwrap();
    let hits = ask(&memory, None, "which tray do I open when sheets are stuck?", None).await;
    let best = &hits[0];
    assert_eq!((best.source.as_str(), best.heading.as_str()), ("docs/printers.md", "Printers > Paper jam"));
    assert_eq!(best.text, "Open the rear tray and pull the sheet out.");
    assert_eq!(best.digest, echo_core::Digest::of(best.text.as_bytes()));
    assert_eq!((best.words_rank, best.vector_rank, best.similarity), (Some(1), None, None));
    assert!(best.coverage > 0.4 && best.coverage < 1.0, "`stuck` is nowhere: {}", best.coverage);
}

#[tokio::test]
async fn a_vector_finds_what_shares_no_word() {
    let (_folder, memory) = open().await;
    memory.remember(&source(Owner::Shared, "docs/printers.md", PRINTERS)).await.unwrap();
    place_all(&memory).await;
    let asked = vector("Manual > Printers > Toner\nManual > Printers > Toner\nReplace the cartridge.");
    let hits = ask(&memory, None, "Drucker", Some(&asked)).await;
    assert_eq!(hits[0].heading, "Printers > Toner");
    assert_eq!((hits[0].words_rank, hits[0].vector_rank), (None, Some(1)));
    assert!(hits[0].similarity.unwrap() > 0.98 && hits[0].coverage == 0.0, "{:?}", hits[0]);
}

#[tokio::test]
async fn what_did_not_change_keeps_its_vector() {
    let (_folder, memory) = open().await;
    let first = memory.remember(&source(Owner::Shared, "docs/printers.md", PRINTERS)).await.unwrap();
    assert_eq!(first, Remembered { chunks: 2, new: 2, removed: 0 });
    place_all(&memory).await;
    let again = memory.remember(&source(Owner::Shared, "docs/printers.md", PRINTERS)).await.unwrap();
    assert_eq!(again, Remembered { chunks: 2, new: 0, removed: 0 });

    let changed =
        PRINTERS.replace("Replace the cartridge.", "Shake the cartridge first.") + "\n## Feet\nFour.";
    let changed = memory.remember(&source(Owner::Shared, "docs/printers.md", &changed)).await.unwrap();
    assert_eq!(changed, Remembered { chunks: 3, new: 2, removed: 1 });
    let waiting = memory.waiting("small", 10).await.unwrap();
    let texts: Vec<_> = waiting.iter().map(|waiting| waiting.text.as_str()).collect();
    assert_eq!(
        texts,
        [
            "Manual > Printers > Toner\nManual > Printers > Toner\nShake the cartridge first.",
            "Manual > Printers > Feet\nManual > Printers > Feet\nFour."
        ]
    );

    place_all(&memory).await;
    let gone = vector("Manual > Printers > Toner\nManual > Printers > Toner\nReplace the cartridge.");
    let hits = ask(&memory, None, "replace", Some(&gone)).await;
    assert!(hits.iter().all(|hit| !hit.text.contains("Replace")), "{hits:?}");
    assert_eq!(hits.len(), 3);
}

#[tokio::test]
async fn another_model_begins_anew() {
    let (_folder, memory) = open().await;
    memory.remember(&source(Owner::Shared, "docs/printers.md", PRINTERS)).await.unwrap();
    place_all(&memory).await;
    assert!(memory.waiting("small", 10).await.unwrap().is_empty());
    let waiting = memory.waiting("large", 10).await.unwrap();
    assert_eq!(waiting.len(), 2);
    let placed = vec![(waiting[0].chunk.clone(), vec![1.0; 16])];
    memory.place("large", placed).await.unwrap();
    assert_eq!(memory.waiting("large", 10).await.unwrap().len(), 1);
    // Vectors of the model before are not compared with those of this one.
    let old = [1.0_f32; 8];
    let refused =
        memory.search(&Query { customer: None, text: "x", vector: Some(&old), kinds: &[], limit: 5 }).await;
    assert!(refused.unwrap_err().to_string().contains("16"));
    assert_eq!(ask(&memory, None, "zzz", Some(&[1.0; 16])).await.len(), 1);
}

#[tokio::test]
async fn vectors_that_are_none_are_refused() {
    let (_folder, memory) = open().await;
    memory.remember(&source(Owner::Shared, "docs/printers.md", PRINTERS)).await.unwrap();
    let chunk = memory.waiting("small", 1).await.unwrap().remove(0).chunk;
    for bad in [vec![], vec![0.0; 8], vec![f32::NAN; 8], vec![1.0; 5000]] {
        let refused = memory.place("small", vec![(chunk.clone(), bad)]).await;
        assert!(matches!(refused, Err(MemoryError::Invalid { what: "vector", .. })));
    }
    assert_eq!(memory.waiting("small", 10).await.unwrap().len(), 2, "nothing was placed");
}

#[tokio::test]
async fn only_the_kinds_that_are_asked_for_answer() {
    let (_folder, memory) = open().await;
    for (id, kind) in [("a", SourceKind::Document), ("b", SourceKind::Case), ("c", SourceKind::Playbook)] {
        let source = memory::Source { kind, ..source(of(1), id, "The same words in each.") };
        memory.remember(&source).await.unwrap();
    }
    place_all(&memory).await;
    let kinds = [SourceKind::Case, SourceKind::Device];
    let asked = vector("anything");
    let query = Query {
        customer: Some(&customer(1)),
        text: "same words",
        vector: Some(&asked),
        kinds: &kinds,
        limit: 9,
    };
    let hits = memory.search(&query).await.unwrap();
    assert_eq!(
        hits.iter().map(|hit| (hit.source.as_str(), hit.kind)).collect::<Vec<_>>(),
        [("b", SourceKind::Case)]
    );
}

#[tokio::test]
async fn one_source_does_not_crowd_out_the_others() {
    let (_folder, memory) = open().await;
    let sections: Vec<_> = (0..20).map(|at| format!("## Part {at}\nprinter printer printer {at}")).collect();
    memory.remember(&source(Owner::Shared, "long", &sections.join("\n"))).await.unwrap();
    memory
        .remember(&source(
            Owner::Shared,
            "short",
            "A printer is mentioned once here, among many other words.",
        ))
        .await
        .unwrap();
    let query = Query { customer: None, text: "printer", vector: None, kinds: &[], limit: 5 };
    let hits = memory.search(&query).await.unwrap();
    assert_eq!(hits.iter().filter(|hit| hit.source == "long").count(), 4);
}

#[tokio::test]
async fn odd_questions_are_answered_with_what_there_is() {
    let (_folder, memory) = open().await;
    assert!(ask(&memory, None, "printer", None).await.is_empty(), "an empty memory");
    memory
        .remember(&source(
            Owner::Shared,
            "a",
            "打印机坏了。 Der Drucker läuft nicht. \"quotes\" AND NEAR(x) * ^",
        ))
        .await
        .unwrap();
    let long = "drucker ".repeat(200_000);
    for found in ["打印机", "LAUFT", "\"quotes", "NEAR(quotes", "quotes* OR", &long] {
        assert_eq!(ask(&memory, None, found, None).await.len(), 1, "{}", &found[..found.len().min(20)]);
    }
    for nothing in ["", "🖨️", "\0\u{1b}[31m", "'; DROP TABLE chunks; --", "nowhere:at"] {
        assert!(ask(&memory, None, nothing, None).await.is_empty(), "{nothing}");
    }
    let query = Query { customer: None, text: "drucker", vector: None, kinds: &[], limit: 0 };
    assert!(memory.search(&query).await.unwrap().is_empty());
}
