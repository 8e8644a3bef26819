use std::{io::Write as _, net::TcpListener, sync::mpsc, thread};

use models::{Message, Speaker};

use super::*;

/// Answers one request with these bytes, on a free port, and keeps the connection for `stay`; what was asked comes out.
fn answering(bytes: String, stay: Duration) -> (String, mpsc::Receiver<String>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let (send, asked) = mpsc::channel();
    thread::spawn(move || {
        let (stream, _) = listener.accept().unwrap();
        let mut lines = BufReader::new(stream.try_clone().unwrap());
        let (mut head, mut length) = (String::new(), 0);
        while !head.ends_with("\r\n\r\n") {
            let start = head.len();
            lines.read_line(&mut head).unwrap();
            let line = head[start..].to_lowercase();
            length = line.strip_prefix("content-length:").map_or(length, |n| n.trim().parse().unwrap());
        }
        let mut body = vec![0; length];
        lines.read_exact(&mut body).unwrap();
        send.send(head + &String::from_utf8(body).unwrap()).unwrap();
        // Whoever asked may hang up before all is said.
        let _ = (&stream).write_all(bytes.as_bytes());
        thread::sleep(stay);
    });
    (format!("http://{address}/v1"), asked)
}

fn stream(events: &[&str]) -> String {
    let events = events.iter().map(|event| format!("data: {event}\n\n")).collect::<Vec<_>>().concat();
    format!(
        "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nConnection: close\r\n\r\n: hello\n\n{events}"
    )
}

fn whole(body: &str) -> String {
    format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n{body}", body.len())
}

fn remote(url: &str) -> Remote {
    let key = Some(Zeroizing::new("secret".to_owned()));
    Remote::new(url, key, Some("small".to_owned()), Some("vectors".to_owned()), Reach::Anywhere).unwrap()
}

fn chat(budget_millis: u64) -> Chat {
    Chat {
        messages: vec![Message { speaker: Speaker::User, content: "hello".to_owned() }],
        max_tokens: 8,
        temperature: 0.0,
        top_p: 1.0,
        seed: 1,
        stop: vec!["END".to_owned()],
        budget_millis,
    }
}

fn piece(text: &str) -> String {
    json!({"choices": [{"delta": {"content": text}}]}).to_string()
}

#[test]
fn an_answer_comes_in_pieces_with_what_it_took() {
    let usage = r#"{"choices":[],"usage":{"prompt_tokens":11,"completion_tokens":2}}"#;
    let end = r#"{"choices":[{"delta":{},"finish_reason":"length"}],"id":"x"}"#;
    let (url, asked) =
        answering(stream(&[&piece("good"), &piece(" day"), end, usage, "[DONE]"]), Duration::ZERO);
    let mut heard = Vec::new();
    let said = remote(&url).chat(&chat(5000), &mut |piece| {
        heard.push(piece.to_owned());
        ControlFlow::Continue(())
    });
    let said = said.unwrap();
    assert_eq!((said.text.as_str(), said.finish), ("good day", Finish::Length));
    assert_eq!((said.prompt_tokens, said.completion_tokens), (11, 2));
    assert_eq!(heard.concat(), "good day");
    let asked = asked.recv().unwrap();
    assert!(asked.starts_with("POST /v1/chat/completions ") && asked.contains("Bearer secret"), "{asked}");
    assert!(asked.contains(r#""role":"user""#) && asked.contains(r#""stop":["END"]"#), "{asked}");
}

#[test]
fn nobody_listening_cancels() {
    let (url, _asked) = answering(stream(&[&piece("a"), &piece("b"), "[DONE]"]), Duration::ZERO);
    let said = remote(&url).chat(&chat(5000), &mut |_| ControlFlow::Break(())).unwrap();
    assert_eq!((said.finish, said.text.as_str()), (Finish::Cancelled, "a"));
}

#[test]
fn an_endpoint_that_hangs_is_an_error_or_a_late_answer() {
    let ignore = &mut |_: &str| ControlFlow::Continue(());
    let (url, _asked) = answering(String::new(), Duration::from_secs(5));
    let error = remote(&url).chat(&chat(300), ignore).unwrap_err().to_string();
    assert!(error.contains("does not answer") && error.contains("timeout"), "{error}");
    let (url, _asked) = answering(stream(&[&piece("so far")]), Duration::from_secs(5));
    let said = remote(&url).chat(&chat(300), ignore).unwrap();
    assert_eq!((said.finish, said.text.as_str()), (Finish::Late, "so far"));
}

#[test]
fn answers_that_are_none_are_errors() {
    let answers = [
        (stream(&[&piece("a")]), "ended in the middle"),
        (stream(&["{", "[DONE]"]), "not as it should be"),
        (
            "HTTP/1.1 401 Unauthorized\r\nContent-Length: 7\r\n\r\nbad\x1bkey".to_owned(),
            "401 Unauthorized: badkey",
        ),
        (
            "HTTP/1.1 307 Elsewhere\r\nLocation: http://127.0.0.1:9/\r\nContent-Length: 0\r\n\r\n".to_owned(),
            "307",
        ),
        ("nonsense\r\n\r\n".to_owned(), "does not answer"),
    ];
    for (bytes, words) in answers {
        let (url, _asked) = answering(bytes, Duration::ZERO);
        let error =
            remote(&url).chat(&chat(5000), &mut |_| ControlFlow::Continue(())).unwrap_err().to_string();
        assert!(error.contains(words), "{error}");
    }
    let error = remote("http://127.0.0.1:9/v1").embed(&["x".to_owned()]).unwrap_err().to_string();
    assert!(error.contains("does not answer"), "{error}");
}

#[test]
fn vectors_come_in_order_and_of_length_one() {
    let body = r#"{"data":[{"index":1,"embedding":[0.0,2.0]},{"index":0,"embedding":[3.0,4.0]}],"usage":{"prompt_tokens":5}}"#;
    let (url, asked) = answering(whole(body), Duration::ZERO);
    let said = remote(&url).embed(&["a".to_owned(), "b".to_owned()]).unwrap();
    assert_eq!((said.vectors, said.tokens), (vec![vec![0.6, 0.8], vec![0.0, 1.0]], 5));
    assert_eq!(said.model, ModelRef { name: "vectors".to_owned(), file: None });
    assert!(asked.recv().unwrap().contains(r#""input":["a","b"]"#));
    for body in [
        r#"{"data":[{"index":0,"embedding":[1.0]}]}"#,
        r#"{"data":[{"index":0,"embedding":[1.0]},{"index":2,"embedding":[1.0]}]}"#,
        r#"{"data":[{"index":0,"embedding":[1.0]},{"index":1,"embedding":[1.0,2.0]}]}"#,
        r#"{"data":[{"index":0,"embedding":[0.0]},{"index":1,"embedding":[1.0]}]}"#,
        r#"{"data":[{"index":0,"embedding":[]},{"index":1,"embedding":[]}]}"#,
        r#"{"data":7}"#,
    ] {
        let (url, _asked) = answering(whole(body), Duration::ZERO);
        assert!(remote(&url).embed(&["a".to_owned(), "b".to_owned()]).is_err(), "{body}");
    }
}

#[test]
fn a_key_never_leaves_the_machine_in_the_clear() {
    let with = |url: &str, key: bool| {
        let key = key.then(|| Zeroizing::new("secret".to_owned()));
        Remote::new(url, key, Some("small".to_owned()), None, Reach::Anywhere)
    };
    assert!(with("http://127.0.0.1:1/v1", true).is_ok() && with("https://models.example/v1", true).is_ok());
    assert!(with("http://models.example/v1", false).is_ok());
    assert!(with("http://models.example/v1", true).unwrap_err().contains("in the clear"));
    assert!(with("models.example", false).is_err() && with("https://[", false).is_err());
    assert!(Remote::new("https://models.example/v1", None, None, None, Reach::Anywhere).is_err());
    let shown = format!("{:?}", remote("http://127.0.0.1:1/v1"));
    assert!(!shown.contains("secret"), "{shown}");
}

#[test]
fn offline_a_model_elsewhere_is_off_and_one_here_answers() {
    let away =
        Remote::new("http://192.0.2.1/v1", None, Some("small".to_owned()), None, Reach::Local).unwrap();
    let error = away.chat(&chat(1_000), &mut |_| ControlFlow::Continue(())).unwrap_err().to_string();
    assert!(error.contains("the model's endpoint is off"), "{error}");
    let (url, _asked) = answering(stream(&[&piece("hello"), "[DONE]"]), Duration::ZERO);
    let near = Remote::new(&url, None, Some("small".to_owned()), None, Reach::Local).unwrap();
    assert!(near.chat(&chat(1_000), &mut |_| ControlFlow::Continue(())).is_ok());
}
