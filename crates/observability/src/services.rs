//! Services that failed, as systemd tells them.

use std::{
    io::Read as _,
    path::Path,
    process::{Command, Stdio},
    sync::mpsc,
    time::Duration,
};

use crate::bounds::{MAX_NAME, MAX_TEXT, clean};

/// The most failed services in one diagnosis.
pub const MAX_FAILED_SERVICES: usize = 100;
/// The most bytes of answer read from systemctl.
const MAX_ANSWER: u64 = 64 * 1024;
/// How long systemctl may take.
const PATIENCE: Duration = Duration::from_secs(5);

/// The failed units, and why they are not known when they are not.
pub(crate) fn failed() -> (Vec<String>, Option<String>) {
    // The test that sd_booted(3) makes.
    if !Path::new("/run/systemd/system").is_dir() {
        return (Vec::new(), Some("systemd does not run here: services were not looked at".to_owned()));
    }
    match ask("systemctl", &["--failed", "--plain", "--no-legend", "--no-pager"], PATIENCE) {
        Ok(answer) => (units(&answer), None),
        Err(reason) => (Vec::new(), Some(clean(&reason, MAX_TEXT))),
    }
}

/// Runs a program and takes its answer, in time and within bounds, or says why not.
fn ask(program: &str, arguments: &[&str], patience: Duration) -> Result<String, String> {
    let mut child = Command::new(program)
        .args(arguments)
        .env("LC_ALL", "C")
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .map_err(|e| format!("{program} cannot be started: {e}"))?;
    let (sender, answer) = mpsc::channel();
    let pipe = child.stdout.take();
    std::thread::spawn(move || {
        let mut bytes = Vec::new();
        let read = pipe.map(|pipe| pipe.take(MAX_ANSWER).read_to_end(&mut bytes));
        // Nobody waits any more when the program took too long.
        let _ = sender.send(read.is_some_and(|read| read.is_ok()).then_some(bytes));
    });
    let answer = answer.recv_timeout(patience);
    if answer.is_err() {
        // It may have ended just now; either way it is reaped below.
        let _ = child.kill();
    }
    let status = child.wait().map_err(|e| format!("{program} cannot be waited for: {e}"))?;
    match answer {
        Ok(Some(bytes)) if status.success() => Ok(String::from_utf8_lossy(&bytes).into_owned()),
        Ok(_) => Err(format!("{program} failed ({status}): services were not looked at")),
        Err(_) => Err(format!("{program} did not answer within {} s", patience.as_secs())),
    }
}

/// The first word of each line is the unit's name.
fn units(answer: &str) -> Vec<String> {
    answer
        .lines()
        .filter_map(|line| line.split_whitespace().next())
        .take(MAX_FAILED_SERVICES)
        .map(|name| clean(name, MAX_NAME))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_answer_of_systemctl_gives_unit_names() {
        let answer =
            "nginx.service loaded failed failed A web server\nfoo.mount   loaded failed failed /foo\n\n";
        assert_eq!(units(answer), ["nginx.service", "foo.mount"]);
        assert_eq!(units(&"a.service x\n".repeat(500)).len(), MAX_FAILED_SERVICES);
    }

    #[test]
    fn a_program_that_hangs_is_given_up() {
        let started = std::time::Instant::now();
        let error = ask("sleep", &["30"], Duration::from_millis(50)).unwrap_err();
        assert!(error.contains("did not answer"), "{error}");
        assert!(started.elapsed() < Duration::from_secs(20));
    }

    #[test]
    fn a_program_that_fails_or_is_missing_says_so() {
        assert!(ask("false", &[], PATIENCE).unwrap_err().contains("failed"));
        assert!(ask("no-such-program-here", &[], PATIENCE).unwrap_err().contains("cannot be started"));
        assert_eq!(ask("printf", &["x"], PATIENCE).unwrap(), "x");
    }

    #[test]
    fn nothing_known_comes_with_a_reason() {
        let (units, note) = failed();
        assert!(units.is_empty() || note.is_none());
        assert!(note.is_none_or(|note| !note.is_empty()));
    }
}
