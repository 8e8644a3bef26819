//! Real programs as child processes; none outlives the test.

use std::{
    io::{BufRead as _, BufReader},
    net::TcpListener,
    path::{Path, PathBuf},
    process::{Child, Command, ExitStatus, Stdio},
    time::{Duration, Instant},
};

use rustix::process::{Pid, Signal, kill_process};

/// A running platform.
pub struct Platform {
    child: Child,
    pub url: String,
    pub secret: String,
}

/// A port that is free now, so that a restarted platform is found where it was.
pub fn free_port() -> u16 {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port()
}

impl Platform {
    /// Starts the platform and waits until it says where it is.
    pub fn start(home: &Path, port: u16) -> Self {
        let mut command = Command::new(env!("CARGO_BIN_EXE_echo_os_prime"));
        command.arg("--home").arg(home).args(["--listen", &format!("127.0.0.1:{port}")]);
        Self::spawn(command)
    }

    /// Starts the platform on a disk of its own of `megabytes`, with `ballast` megabytes of it taken, in a private
    /// mount namespace (util-linux `unshare`).
    pub fn start_on_small_disk(disk: &Path, megabytes: u32, ballast: u32) -> Self {
        let script = "mount -t tmpfs -o size=${2}m tmpfs \"$1\" && head -c ${3}M /dev/zero > \"$1/ballast\" && \
            exec \"$0\" --listen 127.0.0.1:0 --home \"$1/home\"";
        let mut command = Command::new("unshare");
        command.args(["--map-root-user", "--mount", "sh", "-c", script, env!("CARGO_BIN_EXE_echo_os_prime")]);
        command.arg(disk).args([megabytes.to_string(), ballast.to_string()]);
        Self::spawn(command)
    }

    /// A path as the platform sees it, for one that runs in its own mount namespace.
    pub fn inside(&self, path: &Path) -> PathBuf {
        let inner = path.strip_prefix("/").unwrap();
        Path::new("/proc").join(self.child.id().to_string()).join("root").join(inner)
    }

    fn spawn(mut command: Command) -> Self {
        let mut child = command.stdout(Stdio::piped()).spawn().unwrap();
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let mut next = |prefix: &str| {
            let line = lines.next().expect("the platform starts").unwrap();
            line.strip_prefix(prefix).unwrap_or_else(|| panic!("{line:?}, expected {prefix:?}")).to_owned()
        };
        let url = next("ready ").trim_end_matches('/').to_owned();
        let link = next("sign in: ");
        let secret = link.split_once("#token=").expect("the secret stands in the fragment").1.to_owned();
        Self { child, url, secret }
    }

    /// SIGKILL: the process gets no chance to do anything.
    pub fn kill(&mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }

    /// SIGTERM, and how it ended.
    pub fn stop(&mut self) -> ExitStatus {
        self.signal(Signal::TERM);
        let began = Instant::now();
        loop {
            if let Some(status) = self.child.try_wait().unwrap() {
                return status;
            }
            assert!(began.elapsed() < Duration::from_secs(15), "the platform does not stop");
            std::thread::sleep(Duration::from_millis(20));
        }
    }

    pub fn signal(&self, signal: Signal) {
        kill_process(Pid::from_child(&self.child), signal).unwrap();
    }
}

impl Drop for Platform {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// The device agent, running on a scratch root.
pub struct Probe(Child);

impl Probe {
    pub fn enrol_and_run(url: &str, token: &str, home: &Path, root: &Path) -> Self {
        let probe = sibling("echo_probe");
        let file = home.join("token");
        std::fs::create_dir_all(home).unwrap();
        durable::write(&file, token.as_bytes(), durable::Mode::Private).unwrap();
        let enrolled = Command::new(&probe)
            .args(["enroll", "--url", url, "--name", "workshop", "--token-file"])
            .arg(&file)
            .arg("--home")
            .arg(home)
            .output()
            .unwrap();
        assert!(enrolled.status.success(), "{}", String::from_utf8_lossy(&enrolled.stderr));
        let child = Command::new(&probe)
            .arg("run")
            .arg("--home")
            .arg(home)
            .arg("--root")
            .arg(root)
            .args(["--pulse-seconds", "1"])
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        Self(child)
    }
}

impl Drop for Probe {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// A program of the workspace beside our own; built when this package is tested alone.
fn sibling(name: &str) -> PathBuf {
    let path = Path::new(env!("CARGO_BIN_EXE_echo_os_prime")).with_file_name(name);
    if !path.exists() {
        let built =
            Command::new(env!("CARGO")).args(["build", "--quiet", "--package", name]).status().unwrap();
        assert!(built.success(), "cannot build {name}");
    }
    path
}
