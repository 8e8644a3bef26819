//! What a command has used up: processor time of all its threads, wall time, memory.

use std::{io::Read as _, time::Instant};

use rustix::time::{ClockId, clock_gettime};
use serde::{Deserialize, Serialize};

/// The most bytes of the kernel's account of a process.
const MAX_STATUS: u64 = 64 * 1024;

/// Wall time runs from when it was made, processor time from the start of the process.
pub struct Spending(Instant);

/// What was used up.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Spent {
    /// Wall time, in seconds.
    pub seconds: f64,
    /// Processor time of all threads since the program began, in seconds.
    pub cpu_seconds: f64,
    /// The most memory that the process ever had in use, in MiB; nothing where the kernel does not say (Linux does).
    pub peak_mib: Option<f64>,
}

impl Spending {
    /// Begins.
    pub fn begin() -> Self {
        Self(Instant::now())
    }

    /// What was used up since.
    pub fn spent(&self) -> Spent {
        Spent {
            seconds: rounded(self.0.elapsed().as_secs_f64()),
            cpu_seconds: rounded(processor()),
            peak_mib: peak_kib().map(|kib| rounded(f64::from(kib) / 1024.0)),
        }
    }
}

impl Spent {
    /// In words.
    pub fn words(&self) -> String {
        let memory = self.peak_mib.map(|mib| format!(", {mib:.0} MiB of memory")).unwrap_or_default();
        format!("{:.1} s, {:.1} s of processor time{memory}", self.seconds, self.cpu_seconds)
    }
}

fn rounded(number: f64) -> f64 {
    (number * 1000.0).round() / 1000.0
}

/// Processor time of all threads since the program began, in seconds.
#[expect(clippy::cast_precision_loss, reason = "seconds of processor time are far below 2^52")]
pub fn processor() -> f64 {
    let time = clock_gettime(ClockId::ProcessCPUTime);
    time.tv_sec as f64 + time.tv_nsec as f64 / 1e9
}

fn peak_kib() -> Option<u32> {
    let mut text = String::new();
    std::fs::File::open("/proc/self/status").ok()?.take(MAX_STATUS).read_to_string(&mut text).ok()?;
    let line = text.lines().find_map(|line| line.strip_prefix("VmHWM:"))?;
    line.split_whitespace().next()?.parse().ok()
}
