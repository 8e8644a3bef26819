//! The machine this runs on.

use std::{
    fs,
    io::Read as _,
    os::unix::process::CommandExt as _,
    path::Path,
    process::{Child, Command, Stdio},
    sync::mpsc,
    time::{Duration, Instant},
};

use crate::{CommandOutput, Entry, MAX_ENTRIES, MAX_OUTPUT, Metadata, System, SystemError, disk, sysctl};

/// How long one command of a policy may take.
pub const COMMAND_PATIENCE: Duration = Duration::from_secs(10);
/// How often a command whose output has ended is looked at.
const PAUSE: Duration = Duration::from_millis(5);
/// Where programs are looked for: a scan must not depend on who starts it.
const PATH: &str = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";
/// The most bytes of a process's command line that are looked at.
const MAX_CMDLINE: u64 = 4 * 1024;

/// The running machine.
///
/// Commands of a policy run with the rights of the scanner: take policies only from who may run commands here.
#[derive(Debug, Clone, Copy, Default)]
pub struct LiveSystem;

impl System for LiveSystem {
    fn read_file(&self, path: &str) -> Result<String, SystemError> {
        disk::read(Path::new(path), path)
    }

    fn metadata(&self, path: &str, follow: bool) -> Result<Metadata, SystemError> {
        disk::metadata(Path::new(path), path, follow)
    }

    fn list_dir(&self, path: &str) -> Result<Vec<Entry>, SystemError> {
        disk::list(Path::new(path), path)
    }

    fn command(&self, argv: &[String]) -> Option<CommandOutput> {
        run(argv, COMMAND_PATIENCE)
    }

    fn processes(&self) -> Option<Vec<String>> {
        let mut names = Vec::new();
        for entry in fs::read_dir("/proc").ok()?.take(MAX_ENTRIES).flatten() {
            if entry.file_name().to_string_lossy().bytes().all(|b| b.is_ascii_digit()) {
                names.extend(process(&entry.path()));
            }
        }
        Some(names)
    }

    fn sysctl(&self, key: &str) -> Option<String> {
        let path = format!("/proc/sys/{}", sysctl::path_of(key)?);
        disk::read(Path::new(&path), &path).ok().map(|value| value.trim().to_owned())
    }
}

/// The names of a process: what it is called by the kernel, which cuts at 15 bytes, and by its first argument.
fn process(dir: &Path) -> Vec<String> {
    let read = |name: &str| {
        let mut bytes = Vec::new();
        let file = fs::File::open(dir.join(name)).ok()?;
        file.take(MAX_CMDLINE).read_to_end(&mut bytes).ok()?;
        Some(String::from_utf8_lossy(&bytes).into_owned())
    };
    let kernel = read("comm").map(|name| name.trim_end().to_owned());
    let program = read("cmdline").and_then(|line| {
        let program = line.split('\0').next()?;
        program.rsplit('/').next().map(str::to_owned)
    });
    let mut names: Vec<_> = kernel.into_iter().chain(program).filter(|n| !n.is_empty()).collect();
    names.dedup();
    names
}

/// Runs a program without a shell and takes what it writes, in time and within bounds.
fn run(argv: &[String], patience: Duration) -> Option<CommandOutput> {
    let (program, arguments) = argv.split_first()?;
    let (pipe, output) = std::io::pipe().ok()?;
    let mut child = Command::new(program)
        .args(arguments)
        .env_clear()
        .env("PATH", PATH)
        .env("LC_ALL", "C")
        .current_dir("/")
        .stdin(Stdio::null())
        .stdout(output.try_clone().ok()?)
        .stderr(output)
        // Its own group, so that what it starts can be ended with it.
        .process_group(0)
        .spawn()
        .ok()?;
    let deadline = Instant::now() + patience;
    let (sender, answer) = mpsc::channel();
    std::thread::spawn(move || {
        let mut bytes = Vec::new();
        let read = pipe.take(MAX_OUTPUT + 1).read_to_end(&mut bytes);
        // Nobody waits any more when the program took too long.
        let _ = sender.send(read.map(|_| bytes));
    });
    let answer = answer.recv_timeout(patience);
    let whole = matches!(&answer, Ok(Ok(bytes)) if bytes.len() as u64 <= MAX_OUTPUT);
    let success = finish(&mut child, if whole { deadline } else { Instant::now() })?;
    let bytes = answer.ok()?.ok().filter(|_| whole)?;
    Some(CommandOutput { text: String::from_utf8_lossy(&bytes).into_owned(), success })
}

/// Whether the child ended well by the deadline; none when it had to be ended, with all of its group.
fn finish(child: &mut Child, deadline: Instant) -> Option<bool> {
    loop {
        if let Ok(Some(status)) = child.try_wait() {
            return Some(status.success());
        }
        if Instant::now() >= deadline {
            // It may have ended just now; either way it is reaped below.
            if let Some(group) = i32::try_from(child.id()).ok().and_then(rustix::process::Pid::from_raw) {
                let _ = rustix::process::kill_process_group(group, rustix::process::Signal::KILL);
            }
            let _ = child.wait();
            return None;
        }
        std::thread::sleep(PAUSE);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words(line: &str) -> Vec<String> {
        crate::words::split(line).unwrap()
    }

    #[test]
    fn a_command_gives_both_of_its_outputs() {
        let output = run(&words("sh -c 'echo one; echo two >&2; exit 3'"), COMMAND_PATIENCE).unwrap();
        assert_eq!(output.text, "one\ntwo\n");
        assert!(!output.success);
        assert!(run(&words("true"), COMMAND_PATIENCE).unwrap().success);
    }

    #[test]
    fn a_command_that_hangs_is_ended_with_what_it_started() {
        let started = Instant::now();
        // The inner sleep holds the pipe open; only the end of the whole group closes it.
        let line = words("sh -c 'sleep 30 & sleep 30'");
        assert_eq!(run(&line, Duration::from_millis(100)), None);
        let silent = words("sh -c 'exec >/dev/null 2>&1; sleep 30'");
        assert_eq!(run(&silent, Duration::from_millis(100)), None);
        assert!(started.elapsed() < Duration::from_secs(20));
    }

    #[test]
    fn endless_output_is_no_answer() {
        assert_eq!(run(&words("cat /dev/zero"), COMMAND_PATIENCE), None);
    }

    #[test]
    fn a_missing_program_is_no_answer() {
        assert_eq!(run(&words("no-such-program-here"), COMMAND_PATIENCE), None);
    }

    #[test]
    fn this_process_is_among_the_processes() {
        let own = fs::read_to_string("/proc/self/comm").unwrap();
        assert!(LiveSystem.processes().unwrap().contains(&own.trim().to_owned()));
    }

    #[test]
    fn a_kernel_parameter_is_read_by_its_name() {
        assert_eq!(LiveSystem.sysctl("kernel.ostype").as_deref(), Some("Linux"));
        assert_eq!(LiveSystem.sysctl("kernel.no_such_parameter"), None);
        assert_eq!(LiveSystem.sysctl("../../etc/passwd"), None);
    }
}
