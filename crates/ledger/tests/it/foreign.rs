//! The Go project's own reader of such logs checks ours, from the folder and over HTTP.

use std::{
    fs,
    io::{BufRead as _, BufReader, ErrorKind, Write as _},
    net::TcpListener,
    path::{Path, PathBuf},
    process::{Command, Output},
    thread,
};

use crate::{ORIGIN, log_of, open};

const INSTALL: &str = "the foreign reader needs Go and golang.org/x/mod: `apt-get install golang-go \
                       golang-golang-x-mod-dev` (Debian), then run this test again";

/// Builds `tests/foreign/verify_log.go` into `folder`.
fn build(folder: &Path) -> PathBuf {
    let program = folder.join("verify_log");
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/foreign/verify_log.go");
    let built = Command::new("go")
        .env("GO111MODULE", "off")
        .env("GOPATH", "/usr/share/gocode")
        .args(["build", "-o"])
        .args([&program, &source])
        .output();
    match built {
        Ok(output) if output.status.success() => program,
        Ok(output) => panic!("{INSTALL}\ngo said: {}", String::from_utf8_lossy(&output.stderr)),
        Err(e) if e.kind() == ErrorKind::NotFound => panic!("{INSTALL}"),
        Err(e) => panic!("cannot run go: {e}"),
    }
}

fn verify(program: &Path, from: [&str; 2], vkey: &str, index: u64) -> Output {
    let index = index.to_string();
    Command::new(program).args(from).args(["-vkey", vkey, "-index", &index]).output().unwrap()
}

/// Serves a folder's files over HTTP/1.0 below /log/ on a free port, as long as the test runs.
fn serve(dir: PathBuf) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}/log/", listener.local_addr().unwrap());
    thread::spawn(move || {
        for stream in listener.incoming() {
            let mut stream = stream.unwrap();
            let mut lines = BufReader::new(stream.try_clone().unwrap()).lines().map_while(Result::ok);
            let request = lines.next().unwrap_or_default();
            lines.take_while(|l| !l.is_empty()).for_each(drop);
            let path = request.split(' ').nth(1).and_then(|p| p.strip_prefix("/log/")).unwrap_or("none");
            let (status, body) =
                fs::read(dir.join(path)).map_or(("404 Not Found", Vec::new()), |b| ("200 OK", b));
            let _ = write!(stream, "HTTP/1.0 {status}\r\nContent-Length: {}\r\n\r\n", body.len());
            let _ = stream.write_all(&body);
        }
    });
    url
}

#[tokio::test]
async fn the_go_reader_verifies_our_log_and_refuses_a_changed_one() {
    let home = tempfile::tempdir().unwrap();
    let program = build(home.path());
    let dir = home.path().join("log");
    let log = log_of(&dir, 300).await;
    let (url, folder) = (serve(dir.clone()), dir.to_str().unwrap());
    for index in [0, 1, 149, 255, 256, 299] {
        for from in [["-dir", folder], ["-url", &url]] {
            let output = verify(&program, from, log.vkey(), index);
            let said = String::from_utf8_lossy(&output.stdout);
            let reason = String::from_utf8_lossy(&output.stderr);
            assert_eq!(said, format!("verified {ORIGIN} size 300 index {index}\n"), "{reason}");
            assert!(output.status.success());
        }
    }
    let refused = |vkey: &str, index, why: &str| {
        let output = verify(&program, ["-dir", folder], vkey, index);
        let reason = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.code() == Some(1) && reason.contains(why), "{why}: {reason}");
    };
    refused(log.vkey(), 300, "no entry 300");
    let other = tempfile::tempdir().unwrap();
    let stranger =
        ledger::Log::open(other.path(), ORIGIN, ed25519_dalek::SigningKey::from_bytes(&[1; 32])).unwrap();
    refused(stranger.vkey(), 3, "note has no verifiable signatures");
    let bundle = dir.join("tile/entries/000");
    let mut bytes = fs::read(&bundle).unwrap();
    bytes[4] ^= 1;
    durable::write(&bundle, &bytes, durable::Mode::Public).unwrap();
    refused(log.vkey(), 0, "invalid transparency proof");
    drop(log);
    assert_eq!(open(&dir).size(), 300);
}
