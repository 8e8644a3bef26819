//! What the tour prints: one line a step, with what it found and how long it took.

use std::{
    io::{self, Write as _},
    path::Path,
    time::Instant,
};

use serde_json::json;

use crate::{
    Failure,
    out::{Colour, Out, printable},
};

/// The logs of the children, in the tour's folder.
pub const LOGS: [&str; 2] = ["platform.log", "probe.log"];
/// How wide a title is with its dots, in characters.
const TITLE: usize = 32;
/// How wide a result is, in characters; a longer one pushes its time to the right.
const RESULT: usize = 58;
/// What stands before further lines.
const INDENT: &str = "        ";
/// How many lines of a child's log are shown after a failure.
const TAIL_LINES: usize = 15;
/// The most bytes of a log that are read for that.
const MAX_LOG: u64 = 16 * 1024 * 1024;

/// What came of a step.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Told {
    /// In one line.
    pub line: String,
    /// And more, a line each.
    pub more: Vec<String>,
}

impl Told {
    /// One line.
    pub fn new(line: impl Into<String>) -> Self {
        Self { line: line.into(), more: Vec::new() }
    }

    /// And more lines.
    pub fn with(self, more: impl IntoIterator<Item = String>) -> Self {
        Self { more: more.into_iter().collect(), ..self }
    }
}

/// How far the tour is.
#[derive(Debug)]
pub struct Progress {
    out: Out,
    total: usize,
    number: usize,
    began: Instant,
}

impl Progress {
    /// Before the first of `total` steps.
    pub fn new(out: Out, total: usize) -> Self {
        Self { out, total, number: 0, began: Instant::now() }
    }

    /// Begins a step: says what is done before it is.
    pub fn begin(&mut self, title: &str) -> Result<(), Failure> {
        self.number += 1;
        self.began = Instant::now();
        if self.out.is_json() {
            return Ok(());
        }
        let dots = ".".repeat(TITLE.saturating_sub(title.chars().count()));
        let dots = self.out.paint(Colour::Dim, &dots);
        let mut stdout = io::stdout().lock();
        write!(stdout, "[{:>2}/{}] {title} {dots} ", self.number, self.total)?;
        Ok(stdout.flush()?)
    }

    /// Ends a step. A failure comes back with the step's name.
    pub fn end(&self, title: &str, told: Result<Told, Failure>) -> Result<(), Failure> {
        let seconds = self.began.elapsed().as_secs_f64();
        let told = match told {
            Ok(told) => told,
            Err(failure) => {
                self.failed(title, &failure, seconds)?;
                return Err(Failure { message: format!("{title}: {}", failure.message), ..failure });
            }
        };
        if self.out.is_json() {
            return self.out.json_line(&json!({
                "step": self.number, "of": self.total, "title": title, "ok": true, "result": told.line,
                "more": told.more, "seconds": seconds,
            }));
        }
        let time = self.out.paint(Colour::Dim, &format!("{seconds:>5.1} s"));
        self.out.painted(&format!("{:<RESULT$} {time}", printable(&told.line)))?;
        for line in &told.more {
            self.out.line(format!("{INDENT}{line}").trim_end())?;
        }
        Ok(())
    }

    fn failed(&self, title: &str, failure: &Failure, seconds: f64) -> Result<(), Failure> {
        if self.out.is_json() {
            return self.out.json_line(&json!({
                "step": self.number, "of": self.total, "title": title, "ok": false, "result": failure.message,
                "hint": failure.hint, "seconds": seconds,
            }));
        }
        self.out.painted(&self.out.paint(Colour::Red, "FAILED"))
    }

    /// Says where the home is that was kept.
    pub fn kept(&self, home: &Path) -> Result<(), Failure> {
        if self.out.is_json() {
            return self.out.json_line(&json!({ "home": home }));
        }
        self.out.line(&format!("home: {}", home.display()))
    }
}

/// Prints the end of each child's log to standard error.
pub fn show_logs(folder: &Path) {
    let mut stderr = io::stderr().lock();
    for name in LOGS {
        let path = folder.join(name);
        let Ok(Some(bytes)) = durable::read(&path, MAX_LOG) else { continue };
        let text = String::from_utf8_lossy(&bytes);
        let lines: Vec<&str> = text.lines().collect();
        if lines.is_empty() {
            continue;
        }
        // When stderr is gone there is nobody left to tell.
        let _ = writeln!(stderr, "--- the end of {}", path.display());
        for line in &lines[lines.len().saturating_sub(TAIL_LINES)..] {
            let _ = writeln!(stderr, "{}", printable(line));
        }
    }
}
