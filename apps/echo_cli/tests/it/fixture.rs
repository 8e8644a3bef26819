//! The compiled programs, and one tour that several tests look at.

use std::{
    fs::{self, File},
    io::{BufRead as _, BufReader},
    path::{Path, PathBuf},
    process::{Child, Command, Output, Stdio},
    sync::{LazyLock, Once},
};

use durable::Mode;
use rustix::process::{Pid, Signal, kill_process};

/// `echo_cli` with no setting of the machine's own.
pub fn echo_cli(arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_echo_cli"));
    command.env_clear().args(arguments).stdin(Stdio::null());
    command
}

/// What a command printed to standard output.
pub fn stdout(output: &Output) -> String {
    String::from_utf8(output.stdout.clone()).unwrap()
}

/// What a command printed to standard error.
pub fn stderr(output: &Output) -> String {
    String::from_utf8(output.stderr.clone()).unwrap()
}

/// The path of a sibling program, which is built when it is missing.
pub fn sibling(name: &str) -> PathBuf {
    static BUILT: Once = Once::new();
    let own = Path::new(env!("CARGO_BIN_EXE_echo_cli"));
    BUILT.call_once(|| {
        if ["echo_os_prime", "echo_probe"].iter().all(|name| own.with_file_name(name).is_file()) {
            return;
        }
        let folder = own.parent().unwrap();
        let profile = folder.file_name().unwrap().to_str().unwrap();
        let cargo = std::env::var("CARGO").unwrap_or_else(|_| "cargo".to_owned());
        let status = Command::new(cargo)
            .args(["build", "-p", "echo_os_prime", "-p", "echo_probe"])
            .args(["--profile", if profile == "debug" { "dev" } else { profile }])
            .arg("--target-dir")
            .arg(folder.parent().unwrap())
            .status()
            .unwrap();
        assert!(status.success(), "the tour needs echo_os_prime and echo_probe, which do not build");
    });
    own.with_file_name(name)
}

/// A finished tour.
pub struct Toured {
    pub home: PathBuf,
    pub export: PathBuf,
    pub fingerprint: String,
    pub said: String,
}

/// One tour for all tests of one run, whether they share a process or have one each.
pub static TOURED: LazyLock<Toured> = LazyLock::new(|| {
    let scratch = Path::new(env!("CARGO_TARGET_TMPDIR"));
    let home = scratch.join("echo_cli_toured");
    let (mark, said) = (scratch.join("echo_cli_toured.run"), scratch.join("echo_cli_toured.txt"));
    let lock = File::create(scratch.join("echo_cli_toured.lock")).unwrap();
    lock.lock().unwrap();
    if fs::read_to_string(&mark).ok() != Some(this_run()) {
        let _ = fs::remove_file(&mark);
        let _ = fs::remove_dir_all(&home);
        let output = echo_cli(&["tour", "--once", "--keep", "--home"]).arg(&home).output().unwrap();
        assert!(output.status.success(), "{}\n{}", stdout(&output), stderr(&output));
        durable::write(&said, &output.stdout, Mode::Private).unwrap();
        durable::write(&mark, this_run().as_bytes(), Mode::Private).unwrap();
    }
    let statement = fs::read_to_string(home.join("Sovereign_Trust_Root.md")).unwrap();
    let (_, rest) = statement.split_once("sha256:").unwrap();
    Toured {
        export: home.join("tour/case.json"),
        fingerprint: format!("sha256:{}", &rest[..64]),
        said: fs::read_to_string(said).unwrap(),
        home,
    }
});

/// What tells this run of the tests from others: who started it, and which programs it tests.
fn this_run() -> String {
    let made = ["echo_cli", "echo_os_prime", "echo_probe"].map(|name| {
        let made = fs::metadata(sibling(name)).unwrap().modified().unwrap();
        format!("{made:?}")
    });
    format!("{} {}", std::os::unix::process::parent_id(), made.join(" "))
}

/// A running platform on an empty home.
pub struct Platform {
    child: Child,
    pub url: String,
    pub link: String,
    pub scratch: tempfile::TempDir,
}

impl Platform {
    pub fn start() -> Self {
        let scratch = tempfile::tempdir().unwrap();
        let mut child = Command::new(sibling("echo_os_prime"))
            .args(["--listen", "127.0.0.1:0", "--home"])
            .arg(scratch.path().join("home"))
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let mut rest = |words: &str| lines.next().unwrap().unwrap().strip_prefix(words).unwrap().to_owned();
        let url = rest("ready ");
        let link = rest("sign in: ");
        Self { child, url, link, scratch }
    }

    /// The folder of a person who works with this platform.
    pub fn person(&self) -> PathBuf {
        self.scratch.path().join("person")
    }

    /// A command of that person.
    pub fn command(&self, arguments: &[&str]) -> Command {
        let mut command = echo_cli(&["--home"]);
        command.arg(self.person()).args(arguments);
        command
    }
}

impl Drop for Platform {
    fn drop(&mut self) {
        terminate(&self.child);
        let _ = self.child.wait();
    }
}

/// Sends SIGTERM.
pub fn terminate(child: &Child) {
    let pid = Pid::from_raw(i32::try_from(child.id()).unwrap()).unwrap();
    let _ = kill_process(pid, Signal::TERM);
}
