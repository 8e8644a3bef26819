//! The only place that prints: data to standard output, the rest to standard error.

use std::io::{self, Write as _};

use serde::Serialize;

use crate::failure::Failure;

/// Prints data. A closed pipe (`echo_probe diagnose | head`) is not a failure.
pub(crate) fn data(text: &str) -> Result<(), Failure> {
    let mut out = io::stdout().lock();
    match out.write_all(text.as_bytes()).and_then(|()| out.flush()) {
        Err(e) if e.kind() != io::ErrorKind::BrokenPipe => {
            Err(Failure::Failed(format!("cannot write to standard output: {e}")))
        }
        _ => Ok(()),
    }
}

/// Prints data as JSON.
pub(crate) fn json(value: &impl Serialize) -> Result<(), Failure> {
    let text = serde_json::to_string_pretty(value).map_err(Failure::of)?;
    data(&format!("{text}\n"))
}

/// Says something to the person, once.
pub(crate) fn say(text: &str) {
    // Nobody listens on a closed standard error; that is no reason to stop.
    let _ = writeln!(io::stderr().lock(), "{text}");
}

/// Says what went wrong.
pub(crate) fn complain(text: &str) {
    say(&format!("error: {text}"));
}

/// A text from elsewhere without control characters, so that it cannot play with a terminal.
pub(crate) fn plain(text: &str) -> String {
    text.chars().map(|c| if c.is_control() { ' ' } else { c }).collect()
}
