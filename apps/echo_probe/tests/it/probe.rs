//! The compiled probe.

use std::{
    fs::{self, File},
    io::Write as _,
    path::{Path, PathBuf},
    process::{Child, Command, Output, Stdio},
    time::{Duration, Instant},
};

use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;

use crate::platform::{Platform, eventually};

/// A device home with what belongs to it.
pub struct Device {
    folder: tempfile::TempDir,
    pub id: String,
}

/// A probe that runs; killed when it goes out of scope.
pub struct Running(Child);

/// Runs the probe to its end.
pub fn probe(arguments: &[&str], input: &str) -> Output {
    let mut child = Command::new(env!("CARGO_BIN_EXE_echo_probe"))
        .args(arguments)
        .env_remove("ECHO_PROBE_HOME")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    // A probe that refuses its arguments does not read.
    let _ = child.stdin.take().unwrap().write_all(input.as_bytes());
    child.wait_with_output().unwrap()
}

pub fn words(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

impl Device {
    /// Enrols a device.
    pub fn enrol(platform: &mut Platform) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let token = platform.enrolment_token();
        let mut device = Self { folder, id: String::new() };
        let done = device.enrol_again(platform, &token, &[]);
        assert!(done.status.success(), "{}", words(&done));
        String::from_utf8(done.stdout).unwrap().trim().clone_into(&mut device.id);
        device
    }

    /// Runs `enroll` on this home with a token.
    pub fn enrol_again(&self, platform: &Platform, token: &str, more: &[&str]) -> Output {
        let (home, url) = (self.home(), platform.url());
        let head = ["enroll", "--url", &url, "--token-stdin", "--home", home.to_str().unwrap()];
        probe(&[&head, more].concat(), token)
    }

    pub fn home(&self) -> PathBuf {
        self.folder.path().join("home")
    }

    /// A fresh system to work on, with an SSH server that could be safer.
    pub fn fresh_root(&self, name: &str) -> PathBuf {
        let root = self.folder.path().join(name);
        fs::create_dir_all(root.join("etc/ssh")).unwrap();
        let sshd = "Port 22\nPermitRootLogin yes\nPasswordAuthentication yes\nX11Forwarding yes\n";
        let (login, accounts) = ("PASS_MAX_DAYS 99999\nUMASK 022\n", "root:x:0:0:root:/root:/bin/bash\n");
        for (path, text) in
            [("etc/ssh/sshd_config", sshd), ("etc/login.defs", login), ("etc/passwd", accounts)]
        {
            File::create(root.join(path)).unwrap().write_all(text.as_bytes()).unwrap();
        }
        root
    }

    /// Starts the probe; returns once it is up.
    pub fn run(&self, root: Option<&Path>) -> Running {
        let log = self.folder.path().join("probe.log");
        let mut command = Command::new(env!("CARGO_BIN_EXE_echo_probe"));
        command.args(["run", "--pulse-seconds", "1", "--home"]).arg(self.home());
        if let Some(root) = root {
            command.arg("--root").arg(root);
        }
        let written = fs::metadata(&log).map_or(0, |m| m.len());
        let stderr = File::options().create(true).append(true).open(&log).unwrap();
        let child = command.stdout(Stdio::null()).stderr(stderr).spawn().unwrap();
        let mut running = Running(child);
        eventually("the probe's start", || {
            assert!(running.0.try_wait().unwrap().is_none(), "{}", self.log());
            let log = fs::read(&log).unwrap();
            let log = String::from_utf8_lossy(&log[usize::try_from(written).unwrap()..]).into_owned();
            log.contains("running as dev_").then_some(())
        });
        running
    }

    pub fn log(&self) -> String {
        fs::read_to_string(self.folder.path().join("probe.log")).unwrap_or_default()
    }

    pub fn status(&self) -> Value {
        let done = probe(&["status", "--json", "--home", self.home().to_str().unwrap()], "");
        assert!(done.status.success(), "{}", words(&done));
        serde_json::from_slice(&done.stdout).unwrap()
    }

    /// What people see.
    pub fn words_of_status(&self) -> String {
        let done = probe(&["status", "--home", self.home().to_str().unwrap()], "");
        assert!(done.status.success(), "{}", words(&done));
        String::from_utf8(done.stdout).unwrap()
    }

    /// The journal's entries, as they are on disk now.
    pub fn journal(&self) -> Vec<Value> {
        let Ok(files) = fs::read_dir(self.home().join("work")) else { return Vec::new() };
        files.filter_map(|file| serde_json::from_slice(&fs::read(file.ok()?.path()).ok()?).ok()).collect()
    }
}

impl Running {
    /// As a crash would: no word before.
    pub fn kill(mut self) {
        self.0.kill().unwrap();
        self.0.wait().unwrap();
    }

    /// As a service manager does; how long it took, and the exit code.
    pub fn terminate(mut self) -> (Duration, Option<i32>) {
        let started = Instant::now();
        kill_process(Pid::from_child(&self.0), Signal::TERM).unwrap();
        let status = self.0.wait().unwrap();
        (started.elapsed(), status.code())
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        // It may have ended already.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}
