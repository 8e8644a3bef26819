//! What a caller is told when something was not done, in the shape of the `OpenAI` API's errors.

use axum::{
    Json,
    extract::rejection::BytesRejection,
    http::{HeaderValue, StatusCode, header},
    response::{IntoResponse, Response},
};
use desk::DeskError;
use models::ModelError;
use serde_json::{Value, json};

/// The longest message, in characters: reasons may quote what the caller wrote.
const MAX_MESSAGE: usize = 2_000;

/// Why a request was not done.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Failure {
    status: StatusCode,
    kind: &'static str,
    code: &'static str,
    param: Option<String>,
    message: String,
    /// After how many seconds to try again; nothing when trying again changes nothing.
    retry: Option<u64>,
}

impl Failure {
    fn new(status: StatusCode, kind: &'static str, code: &'static str, message: impl Into<String>) -> Self {
        let message = message.into().chars().take(MAX_MESSAGE).collect();
        Self { status, kind, code, param: None, message, retry: None }
    }

    /// The request cannot be done as it was written.
    pub(crate) fn invalid(param: &str, message: impl Into<String>) -> Self {
        let failure = Self::new(StatusCode::BAD_REQUEST, "invalid_request_error", "invalid_value", message);
        Self { param: Some(param.chars().take(100).collect()), ..failure }
    }

    /// The request asks for something that is not offered.
    pub(crate) fn unsupported(param: &str, message: impl Into<String>) -> Self {
        Self { code: "unsupported_parameter", ..Self::invalid(param, message) }
    }

    /// The body is no request.
    pub(crate) fn unreadable(message: impl Into<String>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, "invalid_request_error", "invalid_json", message)
    }

    /// Nobody is known to ask.
    pub(crate) fn unknown_caller() -> Self {
        let words = "send an agent key: `Authorization: Bearer echo_key_...`";
        Self::new(StatusCode::UNAUTHORIZED, "invalid_request_error", "invalid_api_key", words)
    }

    /// There is no such model.
    pub(crate) fn no_model(name: &str) -> Self {
        let name: String = name.chars().take(100).collect();
        let words = format!("there is no model `{name}` here: GET /openai/v1/models lists those there are");
        Self {
            param: Some("model".to_owned()),
            ..Self::new(StatusCode::NOT_FOUND, "invalid_request_error", "model_not_found", words)
        }
    }

    fn again_after(self, seconds: u64) -> Self {
        Self { retry: Some(seconds), ..self }
    }

    /// Itself as JSON: the body, or the last event of a stream.
    pub(crate) fn body(&self) -> Value {
        json!({ "error": {
            "message": self.message, "type": self.kind, "param": self.param, "code": self.code,
        } })
    }
}

impl From<DeskError> for Failure {
    fn from(error: DeskError) -> Self {
        let words = error.to_string();
        let of = |status, kind, code| Self::new(status, kind, code, words.clone());
        match error {
            DeskError::Unauthenticated(_) => {
                of(StatusCode::UNAUTHORIZED, "invalid_request_error", "invalid_api_key")
            }
            DeskError::Denied(_) | DeskError::NotListed { .. } => {
                of(StatusCode::FORBIDDEN, "invalid_request_error", "not_allowed")
            }
            DeskError::NotFound { .. } => of(StatusCode::NOT_FOUND, "invalid_request_error", "not_found"),
            DeskError::Invalid { field, reason } => Self::invalid(&field, format!("{field}: {reason}")),
            DeskError::SpendCap(_) | DeskError::NotEntitled(_) => {
                of(StatusCode::TOO_MANY_REQUESTS, "insufficient_quota", "insufficient_quota")
            }
            DeskError::Conflict(_) | DeskError::KeyReused | DeskError::InFlight => {
                of(StatusCode::CONFLICT, "invalid_request_error", "conflict")
            }
            DeskError::Resting { retry_after_seconds, .. } => {
                of(StatusCode::SERVICE_UNAVAILABLE, "server_error", "skill_resting")
                    .again_after(retry_after_seconds)
            }
            DeskError::Busy | DeskError::LedgerBehind(_) | DeskError::DiskFull => {
                of(StatusCode::SERVICE_UNAVAILABLE, "server_error", "busy").again_after(5)
            }
            DeskError::Model(error) => Self::of_model(&error, words),
            DeskError::Store(_) | DeskError::Home(_) | DeskError::Internal(_) => {
                // These words may name files and queries: they are for the operator's log alone.
                tracing::error!(error = words, "a model could not be asked");
                let told =
                    "the platform could not do this: if it happens again ask the operator to read the log";
                Self::new(StatusCode::INTERNAL_SERVER_ERROR, "server_error", "internal", told)
            }
        }
    }
}

impl Failure {
    fn of_model(error: &ModelError, words: String) -> Self {
        let of = |status, kind, code, words| Self::new(status, kind, code, words);
        match error {
            // Which model was asked for is told where its name is read.
            ModelError::Missing { .. } | ModelError::NoEngine => {
                of(StatusCode::SERVICE_UNAVAILABLE, "server_error", "no_model", words)
            }
            ModelError::Invalid { what, .. } => Self::invalid(what, words),
            ModelError::Busy { .. } => {
                of(StatusCode::TOO_MANY_REQUESTS, "rate_limit_error", "rate_limit_exceeded", words)
                    .again_after(2)
            }
            _ => {
                tracing::error!(error = words, "a model failed");
                let told = "the model failed, and nothing is charged: ask the operator to read the log";
                of(StatusCode::INTERNAL_SERVER_ERROR, "server_error", "model_failed", told.to_owned())
            }
        }
    }
}

impl From<BytesRejection> for Failure {
    fn from(rejection: BytesRejection) -> Self {
        let status = rejection.status();
        if status == StatusCode::PAYLOAD_TOO_LARGE {
            let words = format!("a request has at most {} bytes: send less", crate::MAX_BODY);
            return Self::new(status, "invalid_request_error", "too_large", words);
        }
        Self::unreadable("the request ended before it was complete")
    }
}

impl IntoResponse for Failure {
    fn into_response(self) -> Response {
        let mut response = (self.status, Json(self.body())).into_response();
        let headers = response.headers_mut();
        // The official clients read this; they would try 429 and 5xx again by themselves.
        let again = if self.retry.is_some() { "true" } else { "false" };
        headers.insert("x-should-retry", HeaderValue::from_static(again));
        if let Some(seconds) = self.retry {
            headers.insert(header::RETRY_AFTER, seconds.into());
        }
        if self.status == StatusCode::UNAUTHORIZED {
            headers.insert(header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer realm=\"echo\""));
        }
        response
    }
}

/// There is no such route.
pub(crate) async fn unknown() -> Failure {
    let words = "there is no such route: there are models, chat/completions, completions and embeddings";
    Failure::new(StatusCode::NOT_FOUND, "invalid_request_error", "unknown_url", words)
}

/// The route is there, and does not take this method.
pub(crate) async fn wrong_method() -> Failure {
    let words = "this route does not take this method: models are read with GET, everything else is POST";
    Failure::new(StatusCode::METHOD_NOT_ALLOWED, "invalid_request_error", "method_not_allowed", words)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_only_the_operator_should_read_stays_out_of_the_answer() {
        for error in [
            DeskError::Home("/srv/echo/echo.keystore.json is gone".to_owned()),
            DeskError::Model(ModelError::Failed { model: "m".to_owned(), reason: "/srv/x".to_owned() }),
        ] {
            let told = Failure::from(error).body().to_string();
            assert!(!told.contains("/srv"), "{told}");
        }
    }

    #[test]
    fn a_cap_that_is_reached_is_not_tried_again() {
        let response = Failure::from(DeskError::SpendCap("the cap".to_owned())).into_response();
        assert_eq!(response.status(), 429);
        assert_eq!(response.headers()["x-should-retry"], "false");
        let busy = Failure::from(DeskError::Model(ModelError::Busy { waiting: 9 })).into_response();
        assert_eq!((busy.status().as_u16(), &busy.headers()["retry-after"]), (429, &HeaderValue::from(2)));
    }
}
