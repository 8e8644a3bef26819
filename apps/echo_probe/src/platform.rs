//! Speaks HTTP with the platform: one agent, short timeouts, sized answers, an access token kept in memory.

use std::{
    sync::{Mutex, PoisonError},
    time::Duration,
};

use device_link::{ASSERTION_TYPE, Assertion};
use echo_core::{DeviceId, Digest, Mint, Timestamp};
use serde::Deserialize;
use trust::{KeyPair, dsse::Envelope};
use ureq::{
    Agent, RequestExt as _,
    http::{Method, Request, Response, StatusCode, header},
};

use crate::address::Address;

/// How long an ordinary request may take.
pub(crate) const PATIENCE: Duration = Duration::from_secs(15);
/// How long a large result may take.
pub(crate) const LONG_PATIENCE: Duration = Duration::from_mins(2);
/// How long connecting may take.
const CONNECT: Duration = Duration::from_secs(5);
/// The most bytes of an ordinary answer.
pub(crate) const MAX_ANSWER: u64 = 256 * 1024;
/// The most bytes of a problem that are read.
const MAX_PROBLEM: u64 = 64 * 1024;
/// How many characters of a problem are shown.
const MAX_DETAIL: usize = 500;
/// A token is renewed this long before it ends.
const EARLY_SECONDS: i64 = 30;

/// Why the platform did not do what was asked.
#[derive(Debug, thiserror::Error)]
pub(crate) enum PlatformError {
    /// It was not reached, or is not able to answer now: try again later.
    #[error("{url} does not answer: {why}")]
    Away {
        /// Which platform.
        url: String,
        /// What happened.
        why: String,
        /// How long it asked to wait.
        retry_after: Option<Duration>,
    },
    /// It does not know this device any more, or the device's clock is off.
    #[error("{url} does not let this device in: {why}")]
    Unknown {
        /// Which platform.
        url: String,
        /// What it says.
        why: String,
    },
    /// It will not take this, however often it is sent.
    #[error("the platform refused it ({status}): {why}")]
    Refused {
        /// The HTTP status.
        status: u16,
        /// What it says.
        why: String,
    },
}

impl PlatformError {
    /// How long the platform asked to wait.
    pub(crate) fn retry_after(&self) -> Option<Duration> {
        match self {
            Self::Away { retry_after, .. } => *retry_after,
            _ => None,
        }
    }
}

/// One request.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Ask<'a> {
    /// The method.
    pub(crate) method: &'a Method,
    /// The path, with its query.
    pub(crate) path: &'a str,
    /// The JSON to send.
    pub(crate) body: &'a [u8],
    /// The `Idempotency-Key`.
    pub(crate) key: Option<&'a str>,
    /// How long it may take.
    pub(crate) patience: Duration,
    /// The most bytes of the answer.
    pub(crate) limit: u64,
}

impl<'a> Ask<'a> {
    /// Asks for `path`.
    pub(crate) fn get(path: &'a str) -> Self {
        Self { method: &Method::GET, path, body: &[], key: None, patience: PATIENCE, limit: MAX_ANSWER }
    }

    /// Sends JSON to `path`.
    pub(crate) fn post(path: &'a str, body: &'a [u8]) -> Self {
        Self { method: &Method::POST, body, ..Self::get(path) }
    }
}

/// A platform as anybody may speak to it.
#[derive(Debug)]
pub(crate) struct Platform {
    address: Address,
    agent: Agent,
}

impl Platform {
    /// The platform at `address`. Nothing is sent yet.
    pub(crate) fn new(address: Address) -> Self {
        let mut config = Agent::config_builder()
            .http_status_as_error(false)
            // A redirect would carry the token elsewhere.
            .max_redirects(0)
            .timeout_connect(Some(CONNECT))
            .max_response_header_size(32 * 1024)
            .input_buffer_size(16 * 1024)
            .output_buffer_size(16 * 1024)
            .max_idle_connections(2)
            .user_agent(concat!("echo_probe/", env!("CARGO_PKG_VERSION")));
        if address.is_loopback() {
            config = config.proxy(None);
        }
        Self { agent: config.build().into(), address }
    }

    /// The platform's address.
    pub(crate) fn url(&self) -> &str {
        self.address.as_str()
    }

    /// Sends a request and gives the answer's body.
    pub(crate) fn ask(&self, ask: &Ask<'_>, token: Option<&str>) -> Result<Vec<u8>, PlatformError> {
        let mut request = Request::builder()
            .method(ask.method)
            .uri(format!("{}{}", self.url(), ask.path))
            .header(header::ACCEPT, "application/json");
        if let Some(token) = token {
            request = request.header(header::AUTHORIZATION, format!("Bearer {token}"));
        }
        if let Some(key) = ask.key {
            request = request.header("idempotency-key", key);
        }
        let answer = if ask.method == Method::GET {
            self.finish(request.body(()), ask.patience)
        } else {
            self.finish(request.header(header::CONTENT_TYPE, "application/json").body(ask.body), ask.patience)
        };
        let mut answer = answer.map_err(|e| self.away(e))?;
        let status = answer.status();
        if status.is_success() {
            return answer
                .body_mut()
                .with_config()
                .limit(ask.limit)
                .read_to_vec()
                .map_err(|e| self.away(format!("its answer could not be read: {e}")));
        }
        Err(self.problem(status, &mut answer))
    }

    fn finish<B: ureq::AsSendBody>(
        &self,
        request: ureq::http::Result<Request<B>>,
        patience: Duration,
    ) -> Result<Response<ureq::Body>, ureq::Error> {
        request?.with_agent(&self.agent).configure().timeout_global(Some(patience)).run()
    }

    fn problem(&self, status: StatusCode, answer: &mut Response<ureq::Body>) -> PlatformError {
        let retry_after = answer
            .headers()
            .get(header::RETRY_AFTER)
            .and_then(|v| v.to_str().ok()?.parse().ok())
            .map(Duration::from_secs);
        let body = answer.body_mut().with_config().limit(MAX_PROBLEM).read_to_vec().unwrap_or_default();
        let why = describe(status, &body);
        match status {
            StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN => {
                PlatformError::Unknown { url: self.url().to_owned(), why }
            }
            StatusCode::REQUEST_TIMEOUT | StatusCode::TOO_EARLY | StatusCode::TOO_MANY_REQUESTS => {
                PlatformError::Away { url: self.url().to_owned(), why, retry_after }
            }
            _ if status.is_client_error() => PlatformError::Refused { status: status.as_u16(), why },
            _ => PlatformError::Away { url: self.url().to_owned(), why, retry_after },
        }
    }

    fn away(&self, why: impl std::fmt::Display) -> PlatformError {
        PlatformError::Away { url: self.url().to_owned(), why: why.to_string(), retry_after: None }
    }
}

/// The part of problem details (RFC 9457) that people read.
#[derive(Debug, Default, Deserialize)]
struct Problem {
    #[serde(default)]
    title: String,
    #[serde(default)]
    detail: String,
}

fn describe(status: StatusCode, body: &[u8]) -> String {
    let problem: Problem = serde_json::from_slice(body).unwrap_or_default();
    let said = if problem.detail.is_empty() { problem.title } else { problem.detail };
    let said = if said.is_empty() { format!("it answered {status}") } else { said };
    crate::show::plain(&said).chars().take(MAX_DETAIL).collect()
}

/// The platform as an enrolled device speaks to it: each request carries a token, which the device gets for an
/// assertion that it signs.
#[derive(Debug)]
pub(crate) struct Member {
    platform: Platform,
    device: DeviceId,
    root: Digest,
    key: KeyPair,
    mint: Mint,
    token: Mutex<Option<Token>>,
}

struct Token {
    value: String,
    renew: Timestamp,
}

impl std::fmt::Debug for Token {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Token(renew {})", self.renew)
    }
}

#[derive(Deserialize)]
struct TokenAnswer {
    access_token: String,
    expires_in: i64,
}

impl Member {
    /// The device `device` of the platform with the trust root `root`.
    pub(crate) fn new(platform: Platform, device: DeviceId, root: Digest, key: KeyPair, mint: Mint) -> Self {
        Self { platform, device, root, key, mint, token: Mutex::new(None) }
    }

    /// The platform's address.
    pub(crate) fn url(&self) -> &str {
        self.platform.url()
    }

    /// Sends a request in the device's name; once more with a fresh token if the platform does not like the one
    /// that is kept.
    pub(crate) fn ask(&self, ask: &Ask<'_>) -> Result<Vec<u8>, PlatformError> {
        let (token, kept) = self.token()?;
        match self.platform.ask(ask, Some(&token)) {
            Err(PlatformError::Unknown { .. }) if kept => {
                *self.kept() = None;
                self.platform.ask(ask, Some(&self.token()?.0))
            }
            answer => answer,
        }
    }

    /// A token, and whether it was kept from before.
    fn token(&self) -> Result<(String, bool), PlatformError> {
        let now = self.mint.now();
        if let Some(token) = self.kept().as_ref().filter(|t| now < t.renew) {
            return Ok((token.value.clone(), true));
        }
        let assertion =
            Assertion { device: self.device.clone(), root: self.root, at: now, nonce: self.mint.secret() };
        let envelope = Envelope::sign(ASSERTION_TYPE, &assertion, &[&self.key])
            .expect("ids, a digest and a time always become JSON");
        let body = serde_json::to_vec(&envelope).expect("an envelope always becomes JSON");
        let answer = self.platform.ask(&Ask::post("/v1/device/token", &body), None)?;
        let answer: TokenAnswer = serde_json::from_slice(&answer)
            .map_err(|e| self.platform.away(format!("its token cannot be read: {e}")))?;
        let seconds = answer.expires_in.clamp(0, 24 * 3600).saturating_sub(EARLY_SECONDS);
        let renew = echo_core::clock::from_millis(now.as_millisecond().saturating_add(seconds * 1000));
        *self.kept() = Some(Token { value: answer.access_token.clone(), renew });
        Ok((answer.access_token, false))
    }

    fn kept(&self) -> std::sync::MutexGuard<'_, Option<Token>> {
        self.token.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use std::{
        io::{Read as _, Write as _},
        net::TcpListener,
        thread,
    };

    use super::*;

    /// Answers one connection with `answer`; gives the address and what was asked.
    fn once(answer: &'static [u8]) -> (Platform, thread::JoinHandle<String>) {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let asked = thread::spawn(move || {
            let (mut stream, _) = listener.accept().unwrap();
            let mut asked = vec![0; 4096];
            let length = stream.read(&mut asked).unwrap();
            // The other side hangs up when an answer is too long for it.
            let _ = stream.write_all(answer);
            String::from_utf8_lossy(&asked[..length]).into_owned()
        });
        (Platform::new(Address::parse(&url, false).unwrap()), asked)
    }

    #[test]
    fn a_problem_is_told_in_the_platform_s_words() {
        let (platform, asked) = once(
            b"HTTP/1.1 409 Conflict\r\ncontent-length: 35\r\n\r\n{\"detail\":\"this command\\u001b is over\"}",
        );
        let error = platform.ask(&Ask::post("/v1/x", b"{}"), Some("t")).unwrap_err();
        assert!(matches!(error, PlatformError::Refused { status: 409, .. }), "{error:?}");
        let asked = asked.join().unwrap().to_lowercase();
        assert!(asked.starts_with("post /v1/x ") && asked.contains("authorization: bearer t"), "{asked}");
    }

    #[test]
    fn a_redirect_is_not_followed() {
        let (platform, _) =
            once(b"HTTP/1.1 302 Found\r\nlocation: http://127.0.0.1:9/\r\ncontent-length: 0\r\n\r\n");
        let error = platform.ask(&Ask::get("/v1/x"), None).unwrap_err().to_string();
        assert!(error.contains("302"), "{error}");
    }

    #[test]
    fn an_answer_beyond_its_bound_is_refused() {
        let (platform, _) = once(b"HTTP/1.1 200 OK\r\ncontent-length: 11\r\n\r\n01234567890");
        let ask = Ask { limit: 10, ..Ask::get("/v1/x") };
        assert!(platform.ask(&ask, None).is_err());
    }

    #[test]
    fn a_busy_platform_says_when_to_come_back() {
        let (platform, _) = once(b"HTTP/1.1 429 Too Many\r\nretry-after: 7\r\ncontent-length: 0\r\n\r\n");
        let error = platform.ask(&Ask::get("/v1/x"), None).unwrap_err();
        assert_eq!(error.retry_after(), Some(Duration::from_secs(7)));
    }

    #[test]
    fn a_platform_that_is_not_there_is_away() {
        let free = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
        let platform = Platform::new(Address::parse(&format!("http://{free}"), false).unwrap());
        let error = platform.ask(&Ask::get("/v1/x"), None).unwrap_err();
        assert!(matches!(error, PlatformError::Away { .. }) && error.retry_after().is_none());
    }
}
