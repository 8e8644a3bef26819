//! What is exported comes back as it was, or not at all.

use std::fs;

use memory::{Memory, MemoryError, Owner};

use crate::{ask, customer, of, open, place_all, source, vector};

async fn filled() -> (tempfile::TempDir, Memory) {
    let (home, memory) = open().await;
    memory
        .remember(&source(Owner::Shared, "handbook", "## Kettle\nDescale it.\n## Lamp\nDust it."))
        .await
        .unwrap();
    memory.remember(&source(of(1), "notes", "The lamp of \"one\" ü 漢字 \u{7}.")).await.unwrap();
    memory.remember(&source(of(2), "notes", "The lamp of two.")).await.unwrap();
    place_all(&memory).await;
    (home, memory)
}

#[tokio::test]
async fn another_memory_takes_over_everything_with_the_vectors() {
    let (home, memory) = filled().await;
    let file = home.path().join("export.jsonl");
    let exported = memory.export(&file, None).await.unwrap();
    assert_eq!((exported.sources, exported.chunks), (3, 4));
    let (_other_home, other) = open().await;
    assert_eq!(other.import(&file).await.unwrap(), exported);
    assert!(other.waiting("small", 10).await.unwrap().is_empty());
    for asker in [None, Some(customer(1)), Some(customer(2))] {
        let there = ask(&memory, asker.as_ref(), "lamp dust", Some(&vector("x"))).await;
        assert_eq!(ask(&other, asker.as_ref(), "lamp dust", Some(&vector("x"))).await, there);
        assert!(!there.is_empty());
    }
    // Again, and over what is there: nothing changes.
    assert_eq!(other.import(&file).await.unwrap(), exported);
    let second = home.path().join("second.jsonl");
    assert_eq!(other.export(&second, None).await.unwrap(), exported);
    assert_eq!(fs::read(&second).unwrap(), fs::read(&file).unwrap());
}

#[tokio::test]
async fn one_owners_export_holds_nothing_of_others() {
    let (home, memory) = filled().await;
    let file = home.path().join("export.jsonl");
    assert_eq!(memory.export(&file, Some(&of(2))).await.unwrap().sources, 1);
    let text = fs::read_to_string(&file).unwrap();
    assert!(text.contains("lamp of two") && !text.contains("one") && !text.contains("Kettle"), "{text}");
}

#[tokio::test]
async fn a_changed_export_is_refused_as_a_whole() {
    let (home, memory) = filled().await;
    let file = home.path().join("export.jsonl");
    memory.export(&file, None).await.unwrap();
    let whole = fs::read_to_string(&file).unwrap();
    let lines: Vec<&str> = whole.lines().collect();
    let (_other_home, other) = open().await;
    let without = |at: usize| [&lines[..at], &lines[at + 1..]].concat().join("\n") + "\n";
    let mut swapped = lines.clone();
    swapped.swap(2, 3);
    let altered = [
        String::new(),
        whole.replace("lamp of two", "lamp of too"),
        without(0),
        without(2),
        without(lines.len() - 1),
        swapped.join("\n") + "\n",
        whole.clone() + lines[1] + "\n",
        whole.replace("\"at\"", "\"when\""),
        "x".repeat(1 << 20),
    ];
    for text in altered {
        fs::write(&file, &text).unwrap();
        let error = other.import(&file).await.unwrap_err();
        assert!(matches!(error, MemoryError::Altered { .. }), "{error}");
        assert!(ask(&other, None, "kettle lamp", None).await.is_empty(), "nothing was imported");
    }
}
