//! How long a question takes over 100,000 chunks, by words and vectors together, as JSON on standard output:
//!
//! ```sh
//! cargo run --release -p memory --example retrieval_bench [CHUNKS]
//! ```
//!
//! The texts are made from a seed: a vocabulary of 60,000 words used by Zipf's law, as words of a language are. Vectors
//! are random, of length 1, with 384 numbers. Half of the chunks are shared, half the asker's own. A question is six
//! words of one chunk, common ones too, and a vector near that chunk's; the answer must have that chunk among its hits.

#![expect(clippy::unwrap_used, reason = "a program that measures: whatever fails ends it")]
#![expect(clippy::print_stdout, reason = "the figures are its output")]

use std::time::Instant;

use echo_core::{CustomerId, Id as _, Timestamp};
use memory::{ChunkId, Memory, Owner, Query, Source, SourceKind};

const CHUNKS: usize = 100_000;
const OF_A_SOURCE: usize = 50;
const WORDS: usize = 120;
const VOCABULARY: usize = 60_000;
const DIMENSIONS: usize = 384;
const QUESTIONS: usize = 1_000;

/// Numbers from a seed (`SplitMix64`).
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// 0 to 1.
    #[expect(clippy::cast_precision_loss, reason = "53 bits fit")]
    fn share(&mut self) -> f64 {
        (self.next() >> 11) as f64 / (1_u64 << 53) as f64
    }

    fn below(&mut self, limit: usize) -> usize {
        usize::try_from(self.next() % limit as u64).unwrap()
    }

    /// A vector in a random direction; sums of uniform numbers are near enough to normal ones.
    #[expect(clippy::cast_possible_truncation, reason = "small numbers")]
    fn vector(&mut self) -> Vec<f32> {
        (0..DIMENSIONS).map(|_| (0..4).map(|_| self.share() - 0.5).sum::<f64>() as f32).collect()
    }
}

/// Words of a help desk, to which others are near in meaning: those are looked up as well.
const SAID: &str = "delete remove pay bill start stop change modify permission access error fail password account user \
    customer message email install update phone call move copy";

/// The `rank`-th word: letters alone, so that it is one word to the tokeniser. Every 20th of the first ones is in [`SAID`].
fn word(rank: usize) -> String {
    const LETTERS: &[u8] = b"bdfgklmnprstvz";
    const VOWELS: &[u8] = b"aou";
    if let Some(said) = SAID.split_whitespace().nth(rank / 20).filter(|_| rank % 20 == 7) {
        return said.to_owned();
    }
    let (mut rest, mut word) = (rank, String::new());
    for _ in 0..3 {
        word.push(char::from(LETTERS[rest % LETTERS.len()]));
        rest /= LETTERS.len();
        word.push(char::from(VOWELS[rest % VOWELS.len()]));
        rest /= VOWELS.len();
    }
    word
}

/// Ranks by Zipf's law: the share of the first n ranks, for looking ranks up.
#[expect(clippy::cast_precision_loss, reason = "small numbers")]
fn zipf() -> Vec<f64> {
    let mut sum = 0.0;
    let sums: Vec<f64> = (1..=VOCABULARY)
        .map(|rank| {
            sum += 1.0 / rank as f64;
            sum
        })
        .collect();
    sums.into_iter().map(|part| part / sum).collect()
}

struct Filled {
    texts: Vec<(String, Vec<f32>)>,
    seconds: [f64; 2],
}

async fn fill(memory: &Memory, chunks: usize, asker: &CustomerId, random: &mut Random) -> Filled {
    let shares = zipf();
    let (mut texts, mut remembering, mut placing) = (Vec::new(), 0.0, 0.0);
    for number in 0..chunks / OF_A_SOURCE {
        let mut text = String::new();
        for _ in 0..OF_A_SOURCE {
            let words: Vec<_> = (0..WORDS)
                .map(|_| random.share())
                .map(|at| shares.partition_point(|s| *s < at))
                .map(word)
                .collect();
            text += &["# ", &words[..3].join(" "), "\n", &words.join(" "), ".\n"].concat();
        }
        let owner = if number % 2 == 0 { Owner::Shared } else { Owner::Customer(asker.clone()) };
        let source = Source {
            id: format!("source-{number}"),
            kind: SourceKind::Document,
            owner,
            title: format!("Page {number}"),
            text,
            at: Timestamp::UNIX_EPOCH,
            expires: None,
        };
        let began = Instant::now();
        memory.remember(&source).await.unwrap();
        remembering += began.elapsed().as_secs_f64();
        let waiting = memory.waiting("random", 2 * OF_A_SOURCE).await.unwrap();
        let vectors: Vec<(ChunkId, Vec<f32>)> =
            waiting.iter().map(|w| (w.chunk.clone(), random.vector())).collect();
        texts.extend(
            waiting.into_iter().zip(&vectors).map(|(w, (_, vector))| (w.text, vector.clone())).take(1),
        );
        let began = Instant::now();
        memory.place("random", vectors).await.unwrap();
        placing += began.elapsed().as_secs_f64();
    }
    Filled { texts, seconds: [remembering, placing] }
}

#[tokio::main]
async fn main() {
    let chunks = std::env::args().nth(1).map_or(CHUNKS, |count| count.parse().unwrap());
    let folder = tempfile::tempdir().unwrap();
    let memory = Memory::open(folder.path()).await.unwrap();
    let asker = CustomerId::from_uuid(uuid::Uuid::from_u128(1));
    let mut random = Random(42);
    let filled = fill(&memory, chunks, &asker, &mut random).await;

    let (mut millis, mut found) = (Vec::new(), 0);
    let mut first = 0.0;
    for question in 0..=QUESTIONS {
        let (text, near) = &filled.texts[random.below(filled.texts.len())];
        let body: Vec<&str> = text.splitn(3, '\n').nth(2).unwrap().split_whitespace().collect();
        let words: Vec<&str> = (0..6).map(|_| body[random.below(body.len())]).collect();
        let noise = random.vector();
        let vector: Vec<f32> = near.iter().zip(&noise).map(|(near, noise)| near + noise).collect();
        let words = words.join(" ");
        let query =
            Query { customer: Some(&asker), text: &words, vector: Some(&vector), kinds: &[], limit: 10 };
        let began = Instant::now();
        let hits = memory.search(&query).await.unwrap();
        let took = began.elapsed().as_secs_f64() * 1000.0;
        if question == 0 {
            // Reads the vectors into memory.
            first = took;
            continue;
        }
        millis.push(took);
        found += usize::from(hits.iter().any(|hit| text.ends_with(&hit.text)));
    }
    millis.sort_by(f64::total_cmp);
    let at =
        |part: usize| (millis[(millis.len() * part / 100).min(millis.len() - 1)] * 100.0).round() / 100.0;
    let figures = serde_json::json!({
        "chunks": chunks, "dimensions": DIMENSIONS, "questions": QUESTIONS, "found": found,
        "p50_ms": at(50), "p95_ms": at(95), "p99_ms": at(99), "first_ms": first.round(),
        "remember_s": filled.seconds[0].round(), "place_s": filled.seconds[1].round(),
        "file_mib": std::fs::metadata(folder.path().join("memory.db")).unwrap().len() >> 20,
    });
    println!("{figures}");
    memory.close().await;
}
