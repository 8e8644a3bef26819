//! One request to a platform, tried again where that is safe.

use std::{io::BufReader, thread, time::Duration};

use serde_json::Value;
use ureq::{Agent, Body, BodyReader, http::Response};

use crate::Failure;

/// The most bytes of an answer: a case file and its frame.
pub const MAX_ANSWER: u64 = 32 * 1024 * 1024;
/// How long one request may take.
const TIMEOUT: Duration = Duration::from_mins(1);
/// How often a request is tried.
const ATTEMPTS: u32 = 5;
/// The pause before the second attempt; each later one is twice as long.
const FIRST_PAUSE: Duration = Duration::from_millis(200);
/// The longest pause, whatever the platform asks for.
const MAX_PAUSE: Duration = Duration::from_secs(5);
/// A stream that says nothing for this long is dead: the platform sends a sign of life every 15 s.
const STREAM_SILENCE: Duration = Duration::from_mins(1);
/// The longest text of an answer that is shown in an error, in characters.
const MAX_SHOWN: usize = 500;

/// A platform's HTTP face.
#[derive(Debug)]
pub struct Http {
    agent: Agent,
    base: String,
}

/// What is asked.
#[derive(Debug, Clone, Copy)]
pub struct Request<'a> {
    /// The path with its query: `/v1/cases?limit=10`.
    pub path: &'a str,
    /// The body of a POST; without one it is a GET.
    pub body: Option<&'a Value>,
    /// The access token.
    pub token: Option<&'a str>,
    /// The idempotency key of a POST; a POST without one is sent once.
    pub key: Option<&'a str>,
}

/// What was answered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Answer {
    /// The HTTP status.
    pub status: u16,
    /// The body.
    pub body: Vec<u8>,
}

impl Http {
    /// The platform at `base`: `http://127.0.0.1:8080`, with or without a slash at the end.
    pub fn new(base: &str) -> Self {
        let mut config = Agent::config_builder()
            .http_status_as_error(false)
            // A redirect could carry the token to somebody else.
            .max_redirects(0)
            .timeout_connect(Some(Duration::from_secs(10)))
            .user_agent(concat!("echo_cli/", env!("CARGO_PKG_VERSION")));
        if is_loopback(base) {
            config = config.proxy(None);
        }
        Self { agent: config.build().new_agent(), base: base.trim_end_matches('/').to_owned() }
    }

    /// The platform's address, without a slash at the end.
    pub fn base(&self) -> &str {
        &self.base
    }

    /// Sends a request, and again with the same key when the connection broke or the platform asks for patience.
    /// Any status is an answer: see [`Answer::accept`].
    pub fn send(&self, request: Request<'_>) -> Result<Answer, Failure> {
        let safe = request.body.is_none() || request.key.is_some();
        let mut pause = FIRST_PAUSE;
        for attempt in 1.. {
            let last = !safe || attempt >= ATTEMPTS;
            match self.once(request) {
                Ok((answer, wait)) => {
                    if last || !answer.asks_for_patience() {
                        return Ok(answer);
                    }
                    thread::sleep(wait.unwrap_or(pause).min(MAX_PAUSE));
                }
                Err(error) if last || !may_pass(&error) => return Err(self.unreachable(&error)),
                Err(_) => thread::sleep(pause),
            }
            pause = (pause * 2).min(MAX_PAUSE);
        }
        Err(Failure::failed("no attempt was made"))
    }

    fn once(&self, request: Request<'_>) -> Result<(Answer, Option<Duration>), ureq::Error> {
        let url = format!("{}{}", self.base, request.path);
        let bearer = request.token.map(|token| format!("Bearer {token}"));
        let mut response = if let Some(body) = request.body {
            let mut post = self.agent.post(&url).config().timeout_global(Some(TIMEOUT)).build();
            if let Some(bearer) = &bearer {
                post = post.header("Authorization", bearer);
            }
            if let Some(key) = request.key {
                post = post.header("Idempotency-Key", key);
            }
            post.send_json(body)?
        } else {
            let mut get = self.agent.get(&url).config().timeout_global(Some(TIMEOUT)).build();
            if let Some(bearer) = &bearer {
                get = get.header("Authorization", bearer);
            }
            get.call()?
        };
        let wait = retry_after(&response);
        let status = response.status().as_u16();
        let body = response.body_mut().with_config().limit(MAX_ANSWER).read_to_vec()?;
        Ok((Answer { status, body }, wait))
    }

    /// Sends bytes of JSON once, with these headers.
    pub fn relay(
        &self,
        path: &str,
        token: &str,
        headers: &[(&'static str, String)],
        body: &[u8],
    ) -> Result<Answer, Failure> {
        let url = format!("{}{path}", self.base);
        let mut post = self.agent.post(url).config().timeout_global(Some(TIMEOUT)).build();
        post = post
            .header("Authorization", format!("Bearer {token}"))
            .header("Content-Type", "application/json");
        for (name, value) in headers {
            post = post.header(*name, value);
        }
        let answered = post.send(body).and_then(|mut response| {
            let status = response.status().as_u16();
            let body = response.body_mut().with_config().limit(MAX_ANSWER).read_to_vec()?;
            Ok(Answer { status, body })
        });
        answered.map_err(|error| self.unreachable(&error))
    }

    /// Opens a stream of server-sent events. `after` is the last event that was seen.
    pub fn stream(
        &self,
        path: &str,
        token: &str,
        after: Option<&str>,
    ) -> Result<Result<BufReader<BodyReader<'static>>, Answer>, Failure> {
        let mut get = self
            .agent
            .get(format!("{}{path}", self.base))
            .header("Authorization", format!("Bearer {token}"))
            .header("Accept", "text/event-stream")
            .config()
            .timeout_recv_response(Some(TIMEOUT))
            .timeout_per_read(Some(STREAM_SILENCE))
            .build();
        if let Some(after) = after {
            get = get.header("Last-Event-ID", after);
        }
        let mut response = get.call().map_err(|error| self.unreachable(&error))?;
        let status = response.status().as_u16();
        if status != 200 {
            let body = response
                .body_mut()
                .with_config()
                .limit(MAX_ANSWER)
                .read_to_vec()
                .map_err(|error| self.unreachable(&error))?;
            return Ok(Err(Answer { status, body }));
        }
        let reader = response.into_body().into_with_config().limit(u64::MAX).reader();
        Ok(Ok(BufReader::new(reader)))
    }

    fn unreachable(&self, error: &ureq::Error) -> Failure {
        Failure::failed(format!("cannot speak with {}: {error}", self.base))
            .hint("is the platform running there? `echo_os_prime` prints its address when it is ready")
    }
}

impl Answer {
    /// The body as JSON, when the platform did what was asked; else its problem (RFC 9457) as a failure.
    pub fn accept(self) -> Result<Value, Failure> {
        let bytes = self.accept_bytes()?;
        if bytes.is_empty() {
            return Ok(Value::Null);
        }
        serde_json::from_slice(&bytes).map_err(|error| {
            Failure::failed(format!("the platform's answer is not JSON: {error}"))
                .hint("is it an Echo platform that listens there?")
        })
    }

    /// The body as it is, when the platform did what was asked; else its problem as a failure.
    pub fn accept_bytes(self) -> Result<Vec<u8>, Failure> {
        if (200..300).contains(&self.status) { Ok(self.body) } else { Err(self.problem()) }
    }

    /// What the platform says is wrong.
    pub fn problem(&self) -> Failure {
        let problem: Value = serde_json::from_slice(&self.body).unwrap_or(Value::Null);
        let word = |name: &str| problem.get(name).and_then(Value::as_str).unwrap_or_default();
        let said: String = match (word("detail"), word("title")) {
            ("", "") => format!("the platform answered with status {} and no reason", self.status),
            ("", title) => title.to_owned(),
            (detail, _) => detail.to_owned(),
        };
        let failure = Failure::failed(said.chars().take(MAX_SHOWN).collect::<String>());
        match self.status {
            401 => failure.hint("sign in with a fresh link: `echo_cli login --link -`"),
            403 => failure.hint("`echo_cli whoami` says who is signed in; ask the operator for the right"),
            429 => failure.hint("wait a minute, then try again"),
            502..=504 => failure.hint("try again in a moment"),
            _ => failure,
        }
    }

    /// Whether the same request may be answered otherwise in a moment.
    fn asks_for_patience(&self) -> bool {
        match self.status {
            429 | 503 => true,
            409 => serde_json::from_slice::<Value>(&self.body).is_ok_and(|p| {
                p.get("type").and_then(Value::as_str).is_some_and(|t| t.contains("in-flight"))
            }),
            _ => false,
        }
    }
}

/// Whether a broken request may go through when it is tried again.
fn may_pass(error: &ureq::Error) -> bool {
    matches!(
        error,
        ureq::Error::Io(_)
            | ureq::Error::Timeout(_)
            | ureq::Error::ConnectionFailed
            | ureq::Error::Protocol(_)
    )
}

fn retry_after(response: &Response<Body>) -> Option<Duration> {
    let seconds = response.headers().get("Retry-After")?.to_str().ok()?.parse().ok()?;
    Some(Duration::from_secs(seconds))
}

/// Whether an address is on this machine, where plain HTTP is read by nobody else and no proxy is needed.
pub fn is_loopback(base: &str) -> bool {
    let Ok(url) = base.parse::<ureq::http::Uri>() else { return false };
    let host = url.host().unwrap_or_default().trim_start_matches('[').trim_end_matches(']');
    host == "localhost" || host.parse::<std::net::IpAddr>().is_ok_and(|ip| ip.is_loopback())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_this_machine_is_loopback() {
        for (base, loopback) in [
            ("http://127.0.0.1:8080", true),
            ("http://[::1]:8080/", true),
            ("http://localhost", true),
            ("http://127.0.0.1.example.org", false),
            ("https://example.org", false),
            ("http://user@example.org:1/127.0.0.1", false),
            ("", false),
        ] {
            assert_eq!(is_loopback(base), loopback, "{base}");
        }
    }

    #[test]
    fn a_problem_becomes_its_detail() {
        let body = br#"{"title":"Not found","detail":"there is no case"}"#.to_vec();
        assert_eq!(Answer { status: 404, body }.accept().unwrap_err().message, "there is no case");
        let bare = Answer { status: 500, body: b"oops".to_vec() }.accept().unwrap_err();
        assert!(bare.message.contains("500"), "{bare}");
    }

    #[test]
    fn patience_is_for_answers_that_may_change() {
        let answer = |status, body: &str| Answer { status, body: body.as_bytes().to_vec() };
        assert!(answer(503, "").asks_for_patience());
        assert!(answer(409, r#"{"type":"urn:echo:problem:in-flight"}"#).asks_for_patience());
        assert!(!answer(409, r#"{"type":"urn:echo:problem:conflict"}"#).asks_for_patience());
        assert!(!answer(404, "").asks_for_patience());
    }
}
