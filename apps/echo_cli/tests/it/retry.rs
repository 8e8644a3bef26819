//! What happens when the line breaks: the same request again, under the same idempotency key.

use std::{
    io::{BufRead as _, BufReader, Read as _, Write as _},
    net::{TcpListener, TcpStream},
    path::Path,
    process::Output,
    thread,
};

use serde_json::json;

use crate::fixture::{echo_cli, stderr};

/// Answers connection after connection with the next of `answers`, an empty one being a broken line, and hands out
/// the idempotency keys that came.
fn serve(listener: TcpListener, answers: Vec<&'static str>) -> thread::JoinHandle<Vec<String>> {
    thread::spawn(move || {
        let mut keys = Vec::new();
        for answer in answers {
            let (stream, _) = listener.accept().unwrap();
            keys.push(take_request(&stream));
            let mut stream = stream;
            stream.write_all(answer.as_bytes()).unwrap();
        }
        keys
    })
}

fn take_request(stream: &TcpStream) -> String {
    let mut reader = BufReader::new(stream);
    let (mut key, mut length) = (String::new(), 0);
    loop {
        let mut line = String::new();
        reader.read_line(&mut line).unwrap();
        let line = line.trim().to_lowercase();
        if line.is_empty() {
            break;
        }
        if let Some(value) = line.strip_prefix("idempotency-key: ") {
            value.clone_into(&mut key);
        }
        if let Some(value) = line.strip_prefix("content-length: ") {
            length = value.parse().unwrap();
        }
        assert!(!line.starts_with("transfer-encoding:"), "a body of known length is expected");
    }
    let mut body = vec![0; length];
    reader.read_exact(&mut body).unwrap();
    key
}

fn signed_in(home: &Path, listener: &TcpListener) {
    let session = json!({
        "url": format!("http://{}", listener.local_addr().unwrap()),
        "refresh_token": "refresh", "access_token": "access", "expires": "2999-01-01T00:00:00Z",
    });
    durable::write(&home.join("session.json"), session.to_string().as_bytes(), durable::Mode::Private)
        .unwrap();
}

fn add_customer(home: &Path) -> Output {
    echo_cli(&["customer", "add", "--name", "x", "--plan", "care", "--home"]).arg(home).output().unwrap()
}

const BUSY: &str = "HTTP/1.1 503 Busy\r\nRetry-After: 0\r\nContent-Length: 0\r\nConnection: close\r\n\r\n";
const MADE: &str = "HTTP/1.1 201 Made\r\nContent-Length: 12\r\nConnection: close\r\n\r\n{\"id\":\"cus\"}";
const REFUSED: &str =
    "HTTP/1.1 422 No\r\nContent-Length: 20\r\nConnection: close\r\n\r\n{\"detail\":\"no plan\"}";

#[test]
fn a_broken_line_and_a_busy_platform_are_tried_again_with_one_key() {
    let home = tempfile::tempdir().unwrap();
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    signed_in(home.path(), &listener);
    let server = serve(listener, vec!["", BUSY, MADE, MADE]);
    let first = add_customer(home.path());
    assert!(first.status.success(), "{}", stderr(&first));
    assert!(add_customer(home.path()).status.success());
    let keys = server.join().unwrap();
    assert_eq!((&keys[0], &keys[0]), (&keys[1], &keys[2]));
    assert!(keys[0].len() == 32 && keys[0] != keys[3], "{keys:?}");
}

#[test]
fn a_refusal_is_not_tried_again() {
    let home = tempfile::tempdir().unwrap();
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    signed_in(home.path(), &listener);
    let server = serve(listener, vec![REFUSED]);
    let output = add_customer(home.path());
    assert_eq!((output.status.code(), stderr(&output).trim()), (Some(1), "error: no plan"));
    assert_eq!(server.join().unwrap().len(), 1);
}

#[test]
fn a_platform_that_is_away_is_given_up_with_a_hint() {
    let home = tempfile::tempdir().unwrap();
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    signed_in(home.path(), &listener);
    drop(listener);
    let output = add_customer(home.path());
    assert_eq!(output.status.code(), Some(1));
    assert!(stderr(&output).contains("hint: is the platform running"), "{}", stderr(&output));
}
