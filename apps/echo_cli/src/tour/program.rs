//! A child of the tour: one of the sibling programs, started, watched and stopped.

use std::{
    fs::{File, OpenOptions},
    io::{BufRead as _, BufReader, Read as _},
    os::unix::{fs::OpenOptionsExt as _, process::CommandExt as _},
    path::{Path, PathBuf},
    process::{Child, ChildStdout, Command, ExitStatus, Output, Stdio},
    sync::mpsc::{Receiver, RecvTimeoutError, sync_channel},
    thread,
    time::{Duration, Instant},
};

use rustix::process::{Pid, Signal, kill_process};

use super::{Stop, wait::PAUSE};
use crate::Failure;

/// How long a child has to end after SIGTERM: longer than the platform gives to open requests.
const GRACE: Duration = Duration::from_secs(12);
/// The longest line of a child's output that is looked at, in bytes.
const MAX_LINE: u64 = 64 * 1024;
/// How many lines may wait to be looked at.
const MAX_WAITING: usize = 64;
/// Settings of the person that must not reach the tour's children.
const OUR_SETTINGS: [&str; 4] = ["ECHO_HOME", "ECHO_LISTEN", "ECHO_PROBE_HOME", "ECHO_CLI_HOME"];

/// A running child; stopped when it is dropped.
#[derive(Debug)]
pub struct Program {
    name: &'static str,
    child: Child,
    lines: Receiver<String>,
}

/// The command that starts a sibling of this program.
pub fn sibling(name: &'static str) -> Result<Command, Failure> {
    let own = std::env::current_exe()
        .map_err(|error| Failure::failed(format!("cannot find this program's own folder: {error}")))?;
    let path = own.with_file_name(name);
    if !path.is_file() {
        return Err(Failure::failed(format!("there is no {}", path.display())).hint(
            "the tour needs echo_os_prime and echo_probe beside echo_cli: build them, or run scripts/up",
        ));
    }
    let mut command = Command::new(path);
    command.env("NO_COLOR", "1").stdin(Stdio::null());
    for setting in OUR_SETTINGS {
        command.env_remove(setting);
    }
    Ok(command)
}

/// Runs a command to its end. One that does not exit with 0 is a failure with the last thing it said.
pub fn run(name: &str, command: &mut Command) -> Result<Output, Failure> {
    let output =
        command.output().map_err(|error| Failure::failed(format!("cannot start {name}: {error}")))?;
    if output.status.success() {
        return Ok(output);
    }
    let said = String::from_utf8_lossy(&output.stderr);
    let last: Vec<&str> = said.lines().rev().take(3).collect();
    let last: Vec<&str> = last.into_iter().rev().collect();
    Err(Failure::failed(format!("{name} ended with {}: {}", output.status, last.join("; "))))
}

impl Program {
    /// Starts a sibling; what it says to standard error goes into `log`.
    pub fn start(name: &'static str, arguments: &[&str], log: &Path) -> Result<Self, Failure> {
        let mut child = sibling(name)?
            .args(arguments)
            .stdout(Stdio::piped())
            .stderr(open_log(log)?)
            // Ctrl-C is for the tour, which stops its children in order.
            .process_group(0)
            .spawn()
            .map_err(|error| Failure::failed(format!("cannot start {name}: {error}")))?;
        let (sender, lines) = sync_channel(MAX_WAITING);
        if let Some(stdout) = child.stdout.take() {
            thread::spawn(move || {
                for_each_line(stdout, |line| {
                    // Nobody looks any more when the channel is full or gone; the pipe is emptied all the same.
                    let _ = sender.try_send(line);
                });
            });
        }
        Ok(Self { name, child, lines })
    }

    /// The program's name.
    pub fn name(&self) -> &'static str {
        self.name
    }

    /// How it ended, once it has.
    pub fn ended(&mut self) -> Option<ExitStatus> {
        self.child.try_wait().ok().flatten()
    }

    /// Waits for a line that begins with `words`, and answers its rest.
    pub fn wait_for(&mut self, words: &str, bound: Duration, stop: &Stop) -> Result<String, Failure> {
        let deadline = Instant::now() + bound;
        loop {
            stop.check()?;
            match self.lines.recv_timeout(PAUSE) {
                Ok(line) => {
                    if let Some(rest) = line.strip_prefix(words) {
                        return Ok(rest.trim().to_owned());
                    }
                }
                Err(RecvTimeoutError::Timeout) if Instant::now() < deadline => {}
                Err(RecvTimeoutError::Timeout) => {
                    return Err(Failure::failed(format!(
                        "{} did not print `{words}` within {} s",
                        self.name,
                        bound.as_secs()
                    )));
                }
                Err(RecvTimeoutError::Disconnected) => {
                    let status = self.child.wait().map_or_else(|e| e.to_string(), |s| s.to_string());
                    return Err(Failure::failed(format!(
                        "{} ended with {status} before it was ready",
                        self.name
                    ))
                    .hint("its log says why"));
                }
            }
        }
    }

    /// Stops it: SIGTERM, then SIGKILL when it takes too long. Whether it ended by itself.
    pub fn stop(&mut self) -> bool {
        if self.ended().is_some() {
            return true;
        }
        if let Some(pid) = i32::try_from(self.child.id()).ok().and_then(Pid::from_raw) {
            // It is not reaped yet, so the number is still its own.
            let _ = kill_process(pid, Signal::TERM);
        }
        let deadline = Instant::now() + GRACE;
        while Instant::now() < deadline {
            if self.ended().is_some() {
                return true;
            }
            thread::sleep(Duration::from_millis(20));
        }
        let _ = self.child.kill();
        let _ = self.child.wait();
        false
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        self.stop();
    }
}

fn for_each_line(stdout: ChildStdout, mut take: impl FnMut(String)) {
    let mut stdout = BufReader::new(stdout);
    let mut line = Vec::new();
    loop {
        line.clear();
        match stdout.by_ref().take(MAX_LINE).read_until(b'\n', &mut line) {
            Ok(0) | Err(_) => return,
            Ok(_) => take(String::from_utf8_lossy(&line).trim_end().to_owned()),
        }
    }
}

fn open_log(path: &Path) -> Result<File, Failure> {
    OpenOptions::new()
        .create(true)
        .truncate(true)
        .write(true)
        .mode(0o600)
        .open(path)
        .map_err(|error| Failure::failed(format!("cannot write {}: {error}", path.display())))
}

/// A path as an argument.
pub fn argument(path: &Path) -> Result<&str, Failure> {
    path.to_str().ok_or_else(|| {
        Failure::usage(format!("the path {} is not UTF-8", PathBuf::from(path).display()))
            .hint("choose another --home")
    })
}
