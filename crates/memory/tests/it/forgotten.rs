//! What is forgotten is in no file.

use std::{fs, path::Path};

use echo_core::Timestamp;
use memory::{Memory, Owner, Source};

use crate::{ask, customer, of, open, place_all, source, vector};

/// Whether any file of the folder holds these bytes.
fn stands_somewhere(folder: &Path, bytes: &[u8]) -> bool {
    fs::read_dir(folder).unwrap().any(|entry| {
        let content = fs::read(entry.unwrap().path()).unwrap();
        content.windows(bytes.len()).any(|window| window == bytes)
    })
}

/// Some sections, so that pages are split and balanced, each with a word of its own.
fn text(word: &str) -> String {
    (0..80)
        .map(|at| {
            format!("## {word} heading {at}\n{word}{at} stands here with {word} and some words more.\n")
        })
        .collect()
}

/// A part of a chunk's vector as it is kept.
#[expect(clippy::cast_possible_truncation, reason = "rounded numbers of -127 to 127")]
fn kept(text: &str) -> Vec<u8> {
    let vector = vector(text);
    let largest = vector.iter().fold(0_f32, |largest, x| largest.max(x.abs()));
    vector.iter().map(|x| (x / largest * 127.0).round() as i8).map(i8::cast_unsigned).collect()
}

async fn filled() -> (tempfile::TempDir, Memory) {
    let (folder, memory) = open().await;
    memory.remember(&source(Owner::Shared, "handbook", &text("granite"))).await.unwrap();
    memory.remember(&source(of(1), "notes-of-smithfield", &text("smithfield"))).await.unwrap();
    memory.remember(&source(of(2), "notes", &text("limestone"))).await.unwrap();
    place_all(&memory).await;
    (folder, memory)
}

#[tokio::test]
async fn no_byte_of_a_forgotten_customer_stays() {
    let (home, memory) = filled().await;
    let folder = home.path().join("memory");
    let id = customer(1).to_string();
    let small = kept(
        "Manual > smithfield heading 7\nManual > smithfield heading 7\nsmithfield7 stands here with smithfield and some words more.",
    );
    let traces: [&[u8]; 5] = [b"smithfield", b"mithfiel", b"notes-of-", id.as_bytes(), &small];
    for trace in traces {
        assert!(stands_somewhere(&folder, trace), "{}", String::from_utf8_lossy(trace));
    }
    // A search reads the vectors into memory, and a change leaves old pages behind.
    ask(&memory, Some(&customer(1)), "smithfield", Some(&vector("x"))).await;
    memory.remember(&source(of(1), "notes-of-smithfield", &text("smithfield")[3000..])).await.unwrap();

    assert!(memory.forget_customer(&customer(1)).await.unwrap() > 30);
    for trace in traces {
        assert!(!stands_somewhere(&folder, trace), "{} stays", String::from_utf8_lossy(trace));
    }
    assert!(
        ask(&memory, Some(&customer(1)), "smithfield7 heading", Some(&vector("x")))
            .await
            .iter()
            .all(|hit| hit.owner == Owner::Shared)
    );
    // Everybody else's is there.
    assert_eq!(ask(&memory, Some(&customer(2)), "limestone7", None).await[0].heading, "limestone heading 7");
    assert_eq!(ask(&memory, None, "granite7", None).await[0].heading, "granite heading 7");
    assert!(!ask(&memory, None, "granite7", Some(&vector("x"))).await.is_empty());
    assert_eq!(memory.forget_customer(&customer(1)).await.unwrap(), 0);
    // The same customer can come back.
    memory.remember(&source(of(1), "new", "smithfield again")).await.unwrap();
    assert_eq!(ask(&memory, Some(&customer(1)), "smithfield", None).await.len(), 1);
}

#[tokio::test]
async fn what_has_expired_goes_and_nothing_else() {
    let (home, memory) = filled().await;
    let at = |second: i64| Timestamp::from_second(second).unwrap();
    let brief = Source { expires: Some(at(100)), ..source(of(2), "brief", "ephemeral words") };
    memory.remember(&brief).await.unwrap();
    assert_eq!(memory.expire(at(99)).await.unwrap(), 0);
    assert_eq!(ask(&memory, Some(&customer(2)), "ephemeral", None).await.len(), 1);
    assert_eq!(memory.expire(at(100)).await.unwrap(), 1);
    assert!(ask(&memory, Some(&customer(2)), "ephemeral", None).await.is_empty());
    assert!(!stands_somewhere(&home.path().join("memory"), b"ephemeral"));
    assert_eq!(ask(&memory, Some(&customer(2)), "limestone7", None).await[0].source, "notes");
}

#[tokio::test]
async fn a_forgotten_source_is_not_found_and_may_come_back() {
    let (_home, memory) = filled().await;
    memory.forget_source("notes-of-smithfield").await.unwrap();
    memory.forget_source("never heard of").await.unwrap();
    assert!(ask(&memory, Some(&customer(1)), "smithfield", None).await.is_empty());
    assert!(
        ask(&memory, Some(&customer(1)), "zzz", Some(&vector("x")))
            .await
            .iter()
            .all(|hit| hit.owner == Owner::Shared)
    );
    let again = memory.remember(&source(of(1), "notes-of-smithfield", &text("smithfield"))).await.unwrap();
    assert_eq!(again.new, again.chunks);
}
