//! Programs of the live system, by fixed argument lists: package manager, service manager, configuration tests.

use std::{
    fmt::Debug,
    io::{self, Read as _},
    process::{Command, Stdio},
    thread,
    time::{Duration, Instant},
};

const MAX_OUTPUT: u64 = 64 * 1024;
const MAX_DPKG_STATUS: u64 = 64 * 1024 * 1024;
/// Where dpkg keeps what is installed.
const DPKG_STATUS: &str = "/var/lib/dpkg/status";
/// How long a question to the service manager, or a configuration test, may take.
pub(crate) const ASK: Duration = Duration::from_secs(30);
/// How long installing or removing a package may take.
pub(crate) const INSTALL: Duration = Duration::from_mins(15);

/// What a program said.
#[derive(Debug, Clone)]
pub(crate) struct Said {
    /// Whether it ended with status 0.
    pub ok: bool,
    /// Its standard error, cut to a bound.
    pub text: String,
}

/// Runs programs; tests put their own in its place.
pub(crate) trait System: Debug + Send + Sync {
    /// Runs `argv` without a shell; an error of kind `NotFound` when there is no such program.
    fn run(&self, argv: &[&str], limit: Duration) -> io::Result<Said>;
}

/// The machine's own programs.
#[derive(Debug)]
pub(crate) struct RealSystem;

impl System for RealSystem {
    fn run(&self, argv: &[&str], limit: Duration) -> io::Result<Said> {
        let (program, arguments) =
            argv.split_first().ok_or_else(|| io::Error::from(io::ErrorKind::InvalidInput))?;
        let mut child = Command::new(program)
            .args(arguments)
            .env_clear()
            .env("PATH", "/usr/sbin:/usr/bin:/sbin:/bin")
            .env("LC_ALL", "C")
            .env("DEBIAN_FRONTEND", "noninteractive")
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()?;
        let stderr = child.stderr.take();
        let reader = thread::spawn(move || {
            let mut kept = Vec::new();
            if let Some(mut stream) = stderr {
                // What was read before a failure is still worth showing.
                let _ = stream.by_ref().take(MAX_OUTPUT).read_to_end(&mut kept);
                let _ = io::copy(&mut stream, &mut io::sink());
            }
            kept
        });
        let started = Instant::now();
        let status = loop {
            if let Some(status) = child.try_wait()? {
                break status;
            }
            if started.elapsed() > limit {
                child.kill()?;
                child.wait()?;
                return Err(io::Error::new(
                    io::ErrorKind::TimedOut,
                    format!("`{program}` took longer than {} s", limit.as_secs()),
                ));
            }
            thread::sleep(Duration::from_millis(20));
        };
        let text = reader.join().unwrap_or_default();
        Ok(Said { ok: status.success(), text: String::from_utf8_lossy(&text).trim().to_owned() })
    }
}

/// Whether dpkg has `name` installed; nothing where there is no dpkg.
pub(crate) fn is_installed(target: &crate::target::Target, name: &str) -> Option<bool> {
    let bytes = target.bytes(DPKG_STATUS, MAX_DPKG_STATUS).ok()?;
    let text = String::from_utf8_lossy(&bytes);
    let mut ours = false;
    for line in text.lines() {
        if let Some(package) = line.strip_prefix("Package: ") {
            ours = package == name;
        } else if ours && line.starts_with("Status: ") && line.ends_with(" ok installed") {
            return Some(true);
        }
    }
    Some(false)
}
