//! What long work with bundles tells on the way, and how figures are written.

use std::{
    io::{self, IsTerminal as _, Write as _},
    time::{Duration, Instant},
};

/// How often progress is told.
const EVERY: Duration = Duration::from_millis(250);

/// Tells a person at a terminal how far the work is; says nothing to a program.
pub struct Progress {
    total: u64,
    last: Option<Instant>,
    shown: bool,
}

impl Progress {
    /// For work of `total` bytes.
    pub fn new(total: u64) -> Self {
        Self { total: total.max(1), last: io::stderr().is_terminal().then(Instant::now), shown: false }
    }

    /// So many bytes are done.
    pub fn at(&mut self, what: &str, done: u64) {
        let Some(last) = self.last else { return };
        if last.elapsed() < EVERY {
            return;
        }
        self.last = Some(Instant::now());
        self.shown = true;
        let percent = done.saturating_mul(100) / self.total;
        // When stderr is gone there is nobody left to tell.
        let _ = write!(
            io::stderr().lock(),
            "\r\u{1b}[K{what}: {} of {}, {percent} %",
            size(done),
            size(self.total)
        );
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        if self.shown {
            let _ = write!(io::stderr().lock(), "\r\u{1b}[K");
        }
    }
}

/// Bytes as people read them.
pub fn size(bytes: u64) -> String {
    const UNITS: [(&str, u64); 3] = [("GiB", 1 << 30), ("MiB", 1 << 20), ("KiB", 1 << 10)];
    match UNITS.iter().find(|(_, unit)| bytes >= *unit) {
        Some((name, unit)) => format!("{}.{} {name}", bytes / unit, bytes % unit * 10 / unit),
        None => format!("{bytes} bytes"),
    }
}

/// Bytes a second, in billions.
pub fn gigabytes_a_second(bytes: u64, took: Duration) -> f64 {
    // A bundle has far fewer bytes than a float counts exactly.
    #[expect(clippy::cast_precision_loss, reason = "a figure for people")]
    let bytes = bytes as f64;
    (bytes / took.as_secs_f64().max(1e-9) / 1e7).round() / 100.0
}
