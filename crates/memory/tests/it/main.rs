//! The memory on a real database: what is found, by whom, and what is left behind.

#![expect(clippy::unwrap_used, reason = "all of this is test code, not only its test functions")]
#![expect(clippy::disallowed_methods, reason = "files are damaged on purpose, with nobody else about")]
#![expect(clippy::format_collect, reason = "short texts")]

mod carried;
mod forgotten;
mod found;
mod isolated;
mod opened;
mod questions;

use echo_core::{CustomerId, Id as _, Timestamp};
use memory::{ChunkId, Hit, Memory, Owner, Query, Source, SourceKind};

/// A memory in a folder that goes with it.
async fn open() -> (tempfile::TempDir, Memory) {
    let folder = tempfile::tempdir().unwrap();
    let memory = Memory::open(&folder.path().join("memory")).await.unwrap();
    (folder, memory)
}

fn customer(number: u128) -> CustomerId {
    CustomerId::from_uuid(uuid::Uuid::from_u128(number))
}

fn of(number: u128) -> Owner {
    Owner::Customer(customer(number))
}

fn source(owner: Owner, id: &str, text: &str) -> Source {
    Source {
        id: id.to_owned(),
        kind: SourceKind::Document,
        owner,
        title: "Manual".to_owned(),
        text: text.to_owned(),
        at: Timestamp::UNIX_EPOCH,
        expires: None,
    }
}

/// A vector of 8 numbers that depends on the text alone, as a model's would.
fn vector(text: &str) -> Vec<f32> {
    let digest = echo_core::Digest::of(text.as_bytes()).hex();
    digest.as_bytes()[..8].iter().map(|byte| f32::from(*byte) - 72.5).collect()
}

/// Gives every chunk that waits its vector.
async fn place_all(memory: &Memory) {
    loop {
        let waiting = memory.waiting("small", 100).await.unwrap();
        if waiting.is_empty() {
            break;
        }
        let vectors: Vec<(ChunkId, Vec<f32>)> =
            waiting.into_iter().map(|waiting| (waiting.chunk, vector(&waiting.text))).collect();
        memory.place("small", vectors).await.unwrap();
    }
}

async fn ask(memory: &Memory, customer: Option<&CustomerId>, text: &str, vector: Option<&[f32]>) -> Vec<Hit> {
    memory.search(&Query { customer, text, vector, kinds: &[], limit: 10 }).await.unwrap()
}
