//! The ledger as its users see it: a folder, proofs as text, and readers that are not ours.

#![expect(clippy::unwrap_used, reason = "all of this is test code, not only its test functions")]

mod damage;
mod foreign;
mod kill;
mod life;
mod offline;
mod proofs;

use std::path::Path;

use ed25519_dalek::SigningKey;
use ledger::{Appended, Log};

const ORIGIN: &str = "echo.local/genesis/0a1b2c3d";

fn key() -> SigningKey {
    SigningKey::from_bytes(&[3; 32])
}

fn open(dir: &Path) -> Log {
    Log::open(dir, ORIGIN, key()).unwrap()
}

fn entries(range: std::ops::Range<u64>) -> Vec<Vec<u8>> {
    range.map(|i| format!("entry number {i}").into_bytes()).collect()
}

/// The numbers of what was appended.
fn numbers(appended: &[Appended]) -> Vec<u64> {
    appended.iter().map(|a| a.index).collect()
}

async fn log_of(dir: &Path, size: u64) -> Log {
    let log = open(dir);
    let half = size / 2;
    log.append(entries(0..half)).await.unwrap();
    log.append(entries(half..size)).await.unwrap();
    log
}
