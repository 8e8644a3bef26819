//! No customer meets anything of another's.

use std::collections::HashSet;

use echo_core::{Entropy as _, SeededEntropy};
use memory::{Memory, Owner, Query};

use crate::{customer, of, open, place_all, source, vector};

const CUSTOMERS: u128 = 12;
const QUESTIONS: usize = 1_000;

/// Numbers from a seed.
struct Random(SeededEntropy);

impl Random {
    fn below(&self, limit: usize) -> usize {
        let number = u64::from_le_bytes(self.0.bytes());
        usize::try_from(number % u64::try_from(limit).unwrap()).unwrap()
    }
}

/// Words that all customers use, and words that only one does.
fn text(random: &Random, customer: u128, at: usize) -> String {
    let word = |n: usize| match n % 3 {
        0 => format!("secret{customer}x{}", random.below(40)),
        _ => format!("word{}", random.below(60)),
    };
    format!("## Case {at}\n{}.", (0..30).map(word).collect::<Vec<_>>().join(" "))
}

async fn filled(random: &Random) -> (tempfile::TempDir, Memory, Vec<(u128, String)>) {
    let (folder, memory) = open().await;
    let mut all = Vec::new();
    for customer in 1..=CUSTOMERS {
        for at in 0..6 {
            let text = text(random, customer, at);
            memory.remember(&source(of(customer), &format!("case-{at}"), &text)).await.unwrap();
            all.push((customer, text));
        }
    }
    memory
        .remember(&source(Owner::Shared, "handbook", "word1 word2 word3 are for everybody."))
        .await
        .unwrap();
    place_all(&memory).await;
    (folder, memory, all)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_thousand_questions_with_others_words_and_vectors_find_nothing_of_theirs() {
    let random = Random(SeededEntropy::new(5));
    let (_folder, memory, all) = filled(&random).await;
    let (mut own, mut shared) = (0, 0);
    for _ in 0..QUESTIONS {
        let (other, text) = &all[random.below(all.len())];
        let asker = 1 + (*other - 1 + 1 + u128::try_from(random.below(11)).unwrap()) % CUSTOMERS;
        assert_ne!(asker, *other);
        let words: Vec<&str> = text.split_whitespace().collect();
        let from = random.below(words.len() - 6);
        // The very vector of a chunk that is somebody else's.
        let (heading, body) = text[3..].split_once('\n').unwrap();
        let theirs = vector(&format!("Manual > {heading}\nManual > {heading}\n{body}"));
        let id = customer(asker);
        let near = Some(&theirs[..]).filter(|_| random.below(4) > 0);
        let query = Query {
            customer: Some(&id),
            text: &words[from..from + 6].join(" "),
            vector: near,
            kinds: &[],
            limit: 50,
        };
        for hit in memory.search(&query).await.unwrap() {
            match &hit.owner {
                Owner::Shared => shared += 1,
                Owner::Customer(owner) => {
                    assert_eq!(owner, &id, "{id} reads what is {owner}'s");
                    own += 1;
                }
            }
            assert!(!hit.text.contains(&format!("secret{other}x")), "{}", hit.text);
        }
    }
    assert!(own > QUESTIONS && shared > QUESTIONS / 10, "the questions did find something: {own} {shared}");
}

#[tokio::test]
async fn how_rare_a_word_is_tells_nothing_of_others() {
    let (_folder, memory) = open().await;
    memory.remember(&source(of(1), "a", "The merger is planned.")).await.unwrap();
    let query = Query {
        customer: Some(&customer(1)),
        text: "merger planned secret",
        vector: None,
        kinds: &[],
        limit: 5,
    };
    let before = memory.search(&query).await.unwrap();
    for at in 0..30 {
        memory.remember(&source(of(2), &format!("b{at}"), "The merger is secret, secret.")).await.unwrap();
    }
    assert_eq!(memory.search(&query).await.unwrap(), before);
}

#[tokio::test]
async fn the_same_id_is_another_source_for_each_owner() {
    let (_folder, memory) = open().await;
    memory.remember(&source(of(1), "notes", "alpha of the first")).await.unwrap();
    memory.remember(&source(of(2), "notes", "alpha of the second")).await.unwrap();
    memory.remember(&source(Owner::Shared, "notes", "alpha of everybody")).await.unwrap();
    let texts = async |asker: Option<u128>| -> HashSet<String> {
        let id = asker.map(customer);
        crate::ask(&memory, id.as_ref(), "alpha", None).await.into_iter().map(|hit| hit.text).collect()
    };
    let set = |texts: &[&str]| texts.iter().map(|text| (*text).to_owned()).collect::<HashSet<_>>();
    assert_eq!(texts(Some(1)).await, set(&["alpha of the first", "alpha of everybody"]));
    assert_eq!(texts(Some(2)).await, set(&["alpha of the second", "alpha of everybody"]));
    assert_eq!(texts(None).await, set(&["alpha of everybody"]));
    assert_eq!(texts(Some(3)).await, set(&["alpha of everybody"]));
}
