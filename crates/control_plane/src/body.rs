//! Bodies: what a request carries, with every way it can be wrong told as a problem.

use axum::{
    Json,
    body::Bytes,
    extract::{FromRequest, Request, rejection::JsonRejection},
    http::{HeaderMap, StatusCode, header},
    response::{IntoResponse, Response},
};
use serde::{Serialize, de::DeserializeOwned};

use crate::{problem::Problem, state::Shared};

/// The most bytes of a body, unless the route says otherwise.
pub(crate) const MAX_BODY: usize = 1024 * 1024;
/// The most bytes of a device's signed result: base64 takes four characters for three bytes; the rest is its frame.
pub(crate) const MAX_RESULT_BODY: usize = device_link::MAX_RESULT_BYTES / 3 * 4 + 64 * 1024;
/// The most bytes of calls that a device brings: of each, the call, the answer and the grant in base64, with their frames.
pub(crate) const MAX_SETTLEMENTS_BODY: usize = desk::MAX_SETTLED * 192 * 1024;
/// The most bytes of a request with a model of learned triage, in base64.
pub(crate) const MAX_TRIAGE_BODY: usize = 44 * 1024 * 1024;
/// How much of what the parser says is passed on, in characters.
const MAX_WORDS: usize = 400;

/// What can be read from a body.
pub(crate) trait FromBody: Sized {
    /// Reads it.
    fn from_body(headers: &HeaderMap, bytes: &[u8]) -> Result<Self, Problem>;
}

/// A JSON body.
#[derive(Debug)]
pub(crate) struct JsonBody<T>(pub(crate) T);

/// No body: the path says it all. An empty JSON object is the same.
#[derive(Debug)]
pub(crate) struct Nothing;

impl<T: DeserializeOwned> FromBody for JsonBody<T> {
    fn from_body(headers: &HeaderMap, bytes: &[u8]) -> Result<Self, Problem> {
        if !is_json(headers) {
            let detail = "the body must be JSON: send `Content-Type: application/json`";
            let status = StatusCode::UNSUPPORTED_MEDIA_TYPE;
            return Err(Problem::new(status, "content-type", "Not JSON", detail));
        }
        if std::str::from_utf8(bytes).is_err() {
            return Err(Problem::bad_request(
                "not-utf-8",
                "the body is not UTF-8 (RFC 8259, section 8.1): encode it so",
            ));
        }
        Json::from_bytes(bytes).map(|Json(value)| Self(value)).map_err(|rejection| refused(&rejection))
    }
}

impl FromBody for Nothing {
    fn from_body(_: &HeaderMap, bytes: &[u8]) -> Result<Self, Problem> {
        let bytes = bytes.trim_ascii();
        if bytes.is_empty() || bytes == b"{}" {
            Ok(Self)
        } else {
            Err(Problem::bad_request("body", "this request takes no body: send it empty"))
        }
    }
}

impl<T: DeserializeOwned> FromRequest<Shared> for JsonBody<T> {
    type Rejection = Problem;

    async fn from_request(request: Request, shared: &Shared) -> Result<Self, Problem> {
        let headers = request.headers().clone();
        let bytes = read(request, shared).await?;
        Self::from_body(&headers, &bytes)
    }
}

/// All bytes of the body, within the route's limit.
pub(crate) async fn read(request: Request, shared: &Shared) -> Result<Bytes, Problem> {
    Bytes::from_request(request, shared).await.map_err(|rejection| {
        if rejection.status() == StatusCode::PAYLOAD_TOO_LARGE {
            let detail = "the body is larger than this route takes: send less, or in parts";
            Problem::new(StatusCode::PAYLOAD_TOO_LARGE, "too-large", "Too large", detail)
        } else {
            Problem::bad_request("body", "the body broke off: send it again")
        }
    })
}

fn is_json(headers: &HeaderMap) -> bool {
    let given = headers.get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let essence = given.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
    essence == "application/json" || (essence.starts_with("application/") && essence.ends_with("+json"))
}

fn refused(rejection: &JsonRejection) -> Problem {
    let words: String = rejection.body_text().chars().take(MAX_WORDS).collect();
    match rejection {
        JsonRejection::JsonDataError(_) => {
            let detail = format!("{words}: see GET /v1/openapi.json for what is expected");
            let status = StatusCode::UNPROCESSABLE_ENTITY;
            Problem::new(status, "body", "The body does not have the right shape", detail)
        }
        _ => Problem::bad_request("json", format!("{words}: send well-formed JSON (RFC 8259)")),
    }
}

/// An answer in JSON: the very bytes that are kept under an idempotency key.
pub(crate) fn json<T: Serialize>(status: StatusCode, value: &T) -> Response {
    match serde_json::to_vec(value) {
        Ok(body) => (status, [(header::CONTENT_TYPE, "application/json")], body).into_response(),
        Err(error) => {
            tracing::error!(%error, "an answer cannot be written as JSON");
            Problem::internal().into_response()
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;

    fn read_as_numbers(content_type: &str, body: &[u8]) -> Result<BTreeMap<String, u8>, Problem> {
        let mut headers = HeaderMap::new();
        headers.insert(header::CONTENT_TYPE, content_type.parse().unwrap());
        JsonBody::from_body(&headers, body).map(|JsonBody(value)| value)
    }

    #[test]
    fn a_wrong_type_is_told_with_its_path() {
        let problem = read_as_numbers("application/json", br#"{"a": "x"}"#).unwrap_err();
        assert_eq!(problem.status, 422);
        assert!(problem.detail.contains("a: invalid type"), "{}", problem.detail);
    }

    #[test]
    fn each_fault_has_its_own_problem() {
        for (content_type, body, kind, status) in [
            ("application/json", &b"{"[..], "json", 400),
            ("application/json", b"", "json", 400),
            ("application/json", b"\xff\xfe", "not-utf-8", 400),
            ("text/plain", b"{}", "content-type", 415),
            ("application/json", b"[]", "body", 422),
        ] {
            let problem = read_as_numbers(content_type, body).unwrap_err();
            assert_eq!(
                (problem.status, problem.kind.as_str()),
                (status, &*format!("urn:echo:problem:{kind}"))
            );
        }
    }

    #[test]
    fn parameters_and_suffixes_of_json_are_json() {
        assert!(read_as_numbers("application/json; charset=utf-8", b"{}").is_ok());
        assert!(read_as_numbers("application/vnd.dsse.envelope.v1+json", b"{}").is_ok());
    }

    #[test]
    fn a_body_of_thousands_of_brackets_is_refused() {
        let deep = vec![b'['; 100_000];
        let mut headers = HeaderMap::new();
        headers.insert(header::CONTENT_TYPE, "application/json".parse().unwrap());
        let read = JsonBody::<serde_json::Value>::from_body(&headers, &deep);
        assert_eq!(read.unwrap_err().status, 400);
    }
}
