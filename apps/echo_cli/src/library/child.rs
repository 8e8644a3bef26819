//! Reads a file in a process of its own: whatever a hostile one does there, this process and the platform go on.

use std::{
    fs::File,
    io::Read,
    os::unix::process::ExitStatusExt as _,
    process::{Child, Command, ExitStatus, Stdio},
    thread,
    time::{Duration, Instant},
};

use library::{Format, LibraryError, MAX_TEXT, Reading};
use rustix::process::Signal;

use super::confine::{MEMORY, PROCESSOR};
use crate::Failure;

/// How long reading may take by the clock.
const PATIENCE: Duration = Duration::from_mins(4);
/// How often the process is looked at.
const LOOK: Duration = Duration::from_millis(10);
/// The most bytes that it may answer: its text, with room for how JSON spells it.
const MAX_ANSWER: usize = 4 * MAX_TEXT;
/// The most bytes of what it says went wrong.
const MAX_SAID: usize = 4_000;

/// What the file says.
pub fn read(file: File, format: Format, articles: usize) -> Result<Reading, Failure> {
    let here =
        std::env::current_exe().map_err(|e| Failure::failed(format!("cannot find this program: {e}")))?;
    let name = serde_json::to_value(format).map_err(Failure::failed)?;
    let mut child = Command::new(here)
        .args(["library", "read", "--format", name.as_str().unwrap_or_default(), "--articles"])
        .arg(articles.to_string())
        .env_clear()
        .stdin(file)
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .map_err(|e| Failure::failed(format!("cannot begin the process that reads: {e}")))?;
    let said = child.stderr.take().map(|from| thread::spawn(move || some(from, MAX_SAID)));
    let answer = child.stdout.take().map(|from| thread::spawn(move || some(from, MAX_ANSWER)));
    let status = wait(&mut child)?;
    let said = said.and_then(|said| said.join().ok()).unwrap_or_default();
    let (answer, _) = answer.and_then(|answer| answer.join().ok()).unwrap_or_default();
    judge(format, status, &answer, &String::from_utf8_lossy(&said.0))
}

/// What came of it.
fn judge(format: Format, status: ExitStatus, answer: &[u8], said: &str) -> Result<Reading, Failure> {
    let broke = |why: String| Failure::from(LibraryError::Damaged { format, why });
    if status.success() {
        return serde_json::from_slice(answer)
            .map_err(|error| broke(format!("the answer cannot be read: {error}")));
    }
    if let Some(signal) = status.signal() {
        return Err(if signal == Signal::XCPU.as_raw() || signal == Signal::KILL.as_raw() {
            broke(format!("reading it took more than {PROCESSOR} seconds of the processor"))
        } else {
            broke(format!(
                "it ended the process that read it (signal {signal}), or needs more than {} MiB",
                MEMORY >> 20
            ))
        });
    }
    // The last line that says what failed: a parser may have said something of its own before.
    let words = said.lines().rev().find_map(|line| line.strip_prefix("error: "));
    Err(Failure::failed(words.unwrap_or("the process that reads failed and did not say why")))
}

fn wait(child: &mut Child) -> Result<ExitStatus, Failure> {
    let began = Instant::now();
    loop {
        let ended =
            child.try_wait().map_err(|e| Failure::failed(format!("cannot wait for the reader: {e}")))?;
        if let Some(status) = ended {
            return Ok(status);
        }
        if began.elapsed() > PATIENCE {
            // It may have ended by itself meanwhile.
            let _ = child.kill();
            let _ = child.wait();
            return Err(Failure::failed(format!(
                "reading it took more than {} minutes",
                PATIENCE.as_secs() / 60
            )));
        }
        thread::sleep(LOOK);
    }
}

/// The first `most` bytes; all of it is read, so that whoever writes never waits. And whether there was more.
fn some(mut from: impl Read, most: usize) -> (Vec<u8>, bool) {
    let (mut kept, mut more) = (Vec::new(), false);
    let mut step = vec![0; 64 * 1024];
    while let Ok(read @ 1..) = from.read(&mut step) {
        let keep = read.min(most - kept.len());
        kept.extend_from_slice(&step[..keep]);
        more |= keep < read;
    }
    (kept, more)
}
