//! Load for `bench/ledger`: how fast a log takes entries, and what that costs when it is large.
//!
//!     append_load load DIR CALLERS BYTES SECONDS     many callers, each appends one entry after the other
//!     append_load grow DIR SIZE...                   fills a log, and measures it at each size
//!
//! Prints one JSON object a line.

#![expect(clippy::print_stdout, reason = "its output is what it is for")]

use std::{
    error::Error,
    fs,
    os::unix::fs::MetadataExt as _,
    path::Path,
    time::{Duration, Instant},
};

use ed25519_dalek::SigningKey;
use ledger::{Log, MAX_BATCH_ENTRIES, fsck, verify_tlog_proof};
use serde_json::json;

const ORIGIN: &str = "echo.local/bench/1";
/// Bytes of an entry when a log is filled.
const FILL_BYTES: usize = 256;
/// Single appends, and proofs, that are timed at each size.
const SAMPLES: u32 = 2000;

type Outcome<T> = Result<T, Box<dyn Error + Send + Sync>>;

#[tokio::main(worker_threads = 2)]
async fn main() -> Outcome<()> {
    let words: Vec<String> = std::env::args().skip(1).collect();
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    match words.as_slice() {
        ["load", dir, callers, bytes, seconds] => {
            let seconds = Duration::from_secs(seconds.parse()?);
            load(Path::new(dir), callers.parse()?, bytes.parse()?, seconds).await
        }
        ["grow", dir, sizes @ ..] => {
            let sizes = sizes.iter().map(|size| size.parse()).collect::<Result<Vec<u64>, _>>()?;
            grow(Path::new(dir), &sizes).await
        }
        _ => Err("usage: append_load load DIR CALLERS BYTES SECONDS | append_load grow DIR SIZE...".into()),
    }
}

fn open(dir: &Path) -> Outcome<Log> {
    Ok(Log::open(dir, ORIGIN, SigningKey::from_bytes(&[7; 32]))?)
}

/// An entry of `bytes` bytes that no other number has.
fn entry(caller: u64, number: u64, bytes: usize) -> Vec<u8> {
    let mut entry = format!("{caller}/{number}/").into_bytes();
    entry.resize(bytes, b'.');
    entry
}

/// Appends until the time is over; answers how long each append took.
async fn call(log: Log, caller: u64, bytes: usize, until: Instant) -> Outcome<Vec<Duration>> {
    let mut times = Vec::new();
    for number in 0.. {
        let began = Instant::now();
        if began >= until {
            break;
        }
        let appended = log.append(vec![entry(caller, number, bytes)]).await?;
        times.push(began.elapsed());
        std::hint::black_box(&appended[0].proof);
    }
    Ok(times)
}

async fn load(dir: &Path, callers: u64, bytes: usize, lasting: Duration) -> Outcome<()> {
    let log = open(dir)?;
    let began = Instant::now();
    let until = began + lasting;
    let tasks: Vec<_> = (0..callers).map(|n| tokio::spawn(call(log.clone(), n, bytes, until))).collect();
    let mut times = Vec::new();
    for task in tasks {
        times.extend(task.await??);
    }
    let took = began.elapsed();
    times.sort_unstable();
    let at = |part: f64| {
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            clippy::cast_precision_loss,
            reason = "a rank"
        )]
        let rank = (times.len().saturating_sub(1) as f64 * part) as usize;
        times.get(rank).map(|t| t.as_secs_f64() * 1e3)
    };
    #[expect(clippy::cast_precision_loss, reason = "a rate")]
    let rate = times.len() as f64 / took.as_secs_f64();
    println!(
        "{}",
        json!({
            "appends": times.len(), "per_second": rate, "p50_ms": at(0.5), "p99_ms": at(0.99), "max_ms": at(1.0),
        })
    );
    Ok(())
}

async fn grow(dir: &Path, sizes: &[u64]) -> Outcome<()> {
    let log = open(dir)?;
    for size in sizes {
        let (from, began) = (log.size(), Instant::now());
        while log.size() < *size {
            let at = log.size();
            let count = (size - at).min(MAX_BATCH_ENTRIES as u64);
            log.append((at..at + count).map(|n| entry(0, n, FILL_BYTES)).collect()).await?;
        }
        let filled = began.elapsed();
        if from == 0 {
            // The first ones pay for what the filesystem has to find.
            sample(&log, *size).await?;
        }
        let mut line = sample(&log, *size).await?;
        line["filled"] = json!(size.saturating_sub(from));
        line["fill_seconds"] = json!(filled.as_secs_f64());
        println!("{line}");
    }
    log.close();
    let bytes = on_disk(dir)?;
    let began = Instant::now();
    let report = fsck(dir, log.vkey())?;
    let took = began.elapsed().as_secs_f64();
    println!(
        "{}",
        json!({"entries": report.size, "disk_bytes": bytes, "fsck_seconds": took, "peak_mib": peak_mib()?})
    );
    Ok(())
}

/// The most memory that this process ever held, in MiB.
fn peak_mib() -> Outcome<u64> {
    let status = fs::read_to_string("/proc/self/status")?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    Ok(line.and_then(|l| l.split_whitespace().next()).ok_or("no VmHWM")?.parse::<u64>()? / 1024)
}

/// Times single appends, and proofs of entries all over the log, each by a reader that knows nothing yet.
async fn sample(log: &Log, size: u64) -> Outcome<serde_json::Value> {
    let (mut appends, mut proofs) = (Vec::new(), Vec::new());
    for number in 0..u64::from(SAMPLES) {
        let began = Instant::now();
        log.append(vec![entry(1, number, FILL_BYTES)]).await?;
        appends.push(began.elapsed());
    }
    for number in 0..u64::from(SAMPLES) {
        let index = number * 2_654_435_761 % size;
        let began = Instant::now();
        let proof = log.tlog_proof(index)?;
        proofs.push(began.elapsed());
        if number % 100 == 0 {
            verify_tlog_proof(&proof, &log.entry(index)?, log.vkey())?;
        }
    }
    let median = |times: &mut Vec<Duration>| {
        times.sort_unstable();
        times[times.len() / 2].as_secs_f64() * 1e6
    };
    Ok(json!({"size": size, "append_us": median(&mut appends), "proof_us": median(&mut proofs)}))
}

/// Bytes that the files below `dir` take on the disk.
fn on_disk(dir: &Path) -> Outcome<u64> {
    let mut bytes = 0;
    for file in fs::read_dir(dir)? {
        let file = file?;
        bytes +=
            if file.file_type()?.is_dir() { on_disk(&file.path())? } else { file.metadata()?.blocks() * 512 };
    }
    Ok(bytes)
}
