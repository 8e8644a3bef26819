//! How far it is: told to whoever wants to show it.

use std::{
    fmt,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
};

use rustic_core::{Progress, ProgressBars, ProgressType, RusticProgress};

/// One thing that goes on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Step {
    /// What it is, in words.
    pub what: String,
    /// How much of it is done, in bytes where they are counted.
    pub done: u64,
    /// How much there is, when that is known.
    pub of: Option<u64>,
}

/// Who is told. Called from several threads.
pub type Tell = Arc<dyn Fn(Step) + Send + Sync>;

/// Tells nobody.
pub fn silent() -> Tell {
    Arc::new(|_| {})
}

/// What the library tells, told on.
#[derive(Clone)]
pub(crate) struct Bars(pub Tell);

impl fmt::Debug for Bars {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Bars")
    }
}

impl ProgressBars for Bars {
    fn progress(&self, kind: ProgressType, prefix: &str) -> Progress {
        if matches!(kind, ProgressType::Spinner) || prefix.is_empty() {
            return Progress::hidden();
        }
        let what = prefix.trim_end_matches('.').to_owned();
        Progress::new(Bar { tell: self.0.clone(), what, done: AtomicU64::new(0), of: AtomicU64::new(0) })
    }
}

struct Bar {
    tell: Tell,
    what: String,
    done: AtomicU64,
    of: AtomicU64,
}

impl fmt::Debug for Bar {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Bar")
    }
}

impl RusticProgress for Bar {
    fn is_hidden(&self) -> bool {
        false
    }

    fn set_length(&self, length: u64) {
        self.of.store(length, Ordering::Relaxed);
    }

    fn set_title(&self, _: &str) {}

    fn inc(&self, more: u64) {
        let done = self.done.fetch_add(more, Ordering::Relaxed) + more;
        let of = Some(self.of.load(Ordering::Relaxed)).filter(|of| *of > 0);
        (self.tell)(Step { what: self.what.clone(), done, of });
    }

    fn finish(&self) {}
}
