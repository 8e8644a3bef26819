//! The tour: from nothing to a verified case file, and never a child left behind.

use std::{
    fs,
    io::{BufRead as _, BufReader},
    net::TcpStream,
    os::unix::fs::PermissionsExt as _,
    process::{Child, ExitStatus, Stdio},
    thread,
    time::{Duration, Instant},
};

use crate::fixture::{TOURED, echo_cli, sibling, stderr, stdout, terminate};

#[test]
fn every_step_tells_what_it_found() {
    for step in 1..=17 {
        assert!(TOURED.said.contains(&format!("[{step:>2}/17] ")), "{}", TOURED.said);
    }
    for words in [
        "checks failed, score",
        "checks fixed",
        "invoice ",
        " paid",
        "one changed byte refused",
        "both ledgers sound",
    ] {
        assert!(TOURED.said.contains(words), "`{words}` is not in\n{}", TOURED.said);
    }
}

#[test]
fn no_secret_is_printed_or_readable_by_others() {
    assert!(!TOURED.said.contains("token="), "{}", TOURED.said);
    let mode = |path: &str| fs::metadata(TOURED.home.join(path)).unwrap().permissions().mode() & 0o777;
    assert_eq!(mode(""), 0o700);
    assert_eq!(mode("tour"), 0o700);
    assert_eq!(mode("tour/person/session.json"), 0o600);
    assert_eq!(mode("tour/platform.log"), 0o600);
    assert!(!TOURED.home.join("tour/enrolment.token").exists());
}

#[test]
fn without_once_it_waits_for_a_person_and_a_signal_stops_everything() {
    sibling("echo_os_prime");
    let scratch = tempfile::tempdir().unwrap();
    let home = scratch.path().join("home");
    let mut tour = echo_cli(&["tour", "--home"])
        .arg(&home)
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    // Kept to the end: a tour whose output nobody reads stops.
    let mut lines = BufReader::new(tour.stdout.take().unwrap()).lines();
    let open = lines
        .by_ref()
        .map_while(Result::ok)
        .find(|line| line.starts_with("Open http://"))
        .expect("a link to open");
    let address = open.strip_prefix("Open http://").unwrap().split_once('/').unwrap().0.to_owned();
    assert!(TcpStream::connect(&address).is_ok(), "the platform runs while the tour waits");
    let link = scratch.path().join("link");
    durable::write(&link, open.strip_prefix("Open ").unwrap().as_bytes(), durable::Mode::Private).unwrap();
    let login =
        echo_cli(&["login", "--link-file"]).arg(&link).arg("--home").arg(scratch.path()).output().unwrap();
    assert!(login.status.success(), "{}", stderr(&login));
    let cases = echo_cli(&["case", "list", "--json", "--home"]).arg(scratch.path()).output().unwrap();
    assert!(stdout(&cases).contains("awaiting_approval"), "{}", stdout(&cases));
    let events = echo_cli(&["events", "--json", "--after", "0", "--max", "3", "--home"])
        .arg(scratch.path())
        .output()
        .unwrap();
    assert_eq!(stdout(&events).lines().count(), 3, "{}", stderr(&events));
    terminate(&tour);
    let status = wait(&mut tour);
    assert!(status.success(), "{status}");
    assert!(TcpStream::connect(&address).is_err(), "the platform is gone with the tour");
    drop(lines);
}

#[test]
fn a_signal_in_the_middle_leaves_nothing_behind() {
    sibling("echo_os_prime");
    for millis in [50, 250, 600] {
        let scratch = tempfile::tempdir().unwrap();
        let mut tour = echo_cli(&["tour", "--once"])
            .env("TMPDIR", scratch.path())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        thread::sleep(Duration::from_millis(millis));
        terminate(&tour);
        wait(&mut tour);
        assert_eq!(fs::read_dir(scratch.path()).unwrap().count(), 0, "after {millis} ms");
        let left = fs::read_dir("/proc").unwrap().filter_map(Result::ok).filter(|process| {
            let line = fs::read(process.path().join("cmdline")).unwrap_or_default();
            String::from_utf8_lossy(&line).contains(scratch.path().to_str().unwrap())
        });
        assert_eq!(left.count(), 0, "after {millis} ms");
    }
}

#[test]
fn without_its_siblings_it_says_what_is_missing() {
    let scratch = tempfile::tempdir().unwrap();
    let alone = scratch.path().join("echo_cli");
    fs::copy(env!("CARGO_BIN_EXE_echo_cli"), &alone).unwrap();
    let output = std::process::Command::new(alone).args(["tour", "--once"]).output().unwrap();
    assert_eq!(output.status.code(), Some(1));
    assert!(
        stderr(&output).contains("echo_os_prime") && stderr(&output).contains("hint: "),
        "{}",
        stderr(&output)
    );
}

fn wait(child: &mut Child) -> ExitStatus {
    let deadline = Instant::now() + Duration::from_secs(30);
    while Instant::now() < deadline {
        if let Some(status) = child.try_wait().unwrap() {
            return status;
        }
        thread::sleep(Duration::from_millis(20));
    }
    child.kill().unwrap();
    panic!("the tour did not stop within 30 s");
}
