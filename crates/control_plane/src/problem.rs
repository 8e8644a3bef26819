//! Problems: every answer that is not a success (RFC 9457, "Problem Details for HTTP APIs").

use axum::{
    extract::Request,
    http::{HeaderValue, StatusCode, header},
    middleware::Next,
    response::{IntoResponse, Response},
};
use desk::DeskError;
use serde::Serialize;
use utoipa::ToSchema;

/// The media type of a problem (RFC 9457, section 3).
pub const PROBLEM_JSON: &str = "application/problem+json";
/// What stands before a problem's code in its type.
const TYPE_PREFIX: &str = "urn:echo:problem:";
/// The longest detail, in characters: reasons may quote what the caller wrote.
const MAX_DETAIL: usize = 2_000;

/// Why a request was not done, for people and programs (RFC 9457, section 3.1).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub struct Problem {
    /// What kind of problem: `urn:echo:problem:` and a code that never changes.
    #[serde(rename = "type")]
    #[schema(example = "urn:echo:problem:not-found")]
    pub kind: String,
    /// The kind in a few words.
    #[schema(value_type = String, example = "Not found")]
    pub title: &'static str,
    /// The HTTP status.
    #[schema(minimum = 400, maximum = 599, example = 404)]
    pub status: u16,
    /// What happened this time, and what to do.
    #[schema(
        example = "there is no case case_00000000000000000000000000000000: check the id, or list what there is"
    )]
    pub detail: String,
    /// The path that was asked for.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>, example = "/v1/cases/case_00000000000000000000000000000000")]
    pub instance: Option<Box<str>>,
    /// The field of the request that is not acceptable, when it is one.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>, example = "answers.what")]
    pub field: Option<Box<str>>,
    /// After how many seconds to try again; the `Retry-After` header says the same.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub retry_after: Option<u64>,
}

impl Problem {
    /// A problem of the kind `code`.
    pub(crate) fn new(
        status: StatusCode,
        code: &str,
        title: &'static str,
        detail: impl Into<String>,
    ) -> Self {
        let mut detail = detail.into();
        if let Some((end, _)) = detail.char_indices().nth(MAX_DETAIL) {
            detail.truncate(end);
        }
        Self {
            kind: format!("{TYPE_PREFIX}{code}"),
            title,
            status: status.as_u16(),
            detail,
            instance: None,
            field: None,
            retry_after: None,
        }
    }

    /// The same problem with the time after which to try again.
    pub(crate) fn retry_after(mut self, seconds: u64) -> Self {
        self.retry_after = Some(seconds);
        self
    }

    /// The request cannot be read.
    pub(crate) fn bad_request(code: &str, detail: impl Into<String>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, code, "The request cannot be read", detail)
    }

    /// There is no such thing.
    pub(crate) fn not_found(detail: impl Into<String>) -> Self {
        Self::new(StatusCode::NOT_FOUND, "not-found", "Not found", detail)
    }

    /// The caller is not known.
    pub(crate) fn unauthenticated(detail: impl Into<String>) -> Self {
        Self::new(StatusCode::UNAUTHORIZED, "unauthenticated", "Not signed in", detail)
    }

    /// Something broke here. What it was stands in the platform's log and not in the answer.
    pub(crate) fn internal() -> Self {
        Self::new(
            StatusCode::INTERNAL_SERVER_ERROR,
            "internal",
            "Something broke",
            "the platform could not do this: try again, and if it happens again ask the operator to read the log",
        )
    }

    /// The change is durable, its entry is not.
    fn ledger_behind() -> Self {
        let detail = "accepted, but the ledger could not be written: try again with the same Idempotency-Key";
        Self::new(StatusCode::SERVICE_UNAVAILABLE, "ledger-behind", "Accepted, not yet proven", detail)
            .retry_after(5)
    }

    /// Too much is going on.
    pub(crate) fn busy(detail: impl Into<String>) -> Self {
        Self::new(StatusCode::SERVICE_UNAVAILABLE, "busy", "Busy", detail).retry_after(1)
    }
}

impl From<DeskError> for Problem {
    fn from(error: DeskError) -> Self {
        let words = error.to_string();
        match error {
            DeskError::Unauthenticated(_) => Self::unauthenticated(words),
            DeskError::Denied(_) => {
                let detail = format!("{words}; sign in as somebody who may, or ask the operator");
                Self::new(StatusCode::FORBIDDEN, "forbidden", "Not allowed", detail)
            }
            DeskError::NotFound { .. } => Self::not_found(words),
            DeskError::Invalid { field, .. } => {
                let unprocessable = StatusCode::UNPROCESSABLE_ENTITY;
                Self {
                    field: Some(field.into()),
                    ..Self::new(unprocessable, "invalid", "Not acceptable", words)
                }
            }
            DeskError::Conflict(_) => Self::new(StatusCode::CONFLICT, "conflict", "Not possible now", words),
            DeskError::KeyReused => {
                let title = "Key used for another request";
                Self::new(StatusCode::UNPROCESSABLE_ENTITY, "idempotency-key-reused", title, words)
            }
            DeskError::InFlight => {
                let title = "The same request is being handled";
                Self::new(StatusCode::CONFLICT, "in-flight", title, words).retry_after(1)
            }
            DeskError::NotEntitled(_) => {
                Self::new(StatusCode::PAYMENT_REQUIRED, "not-entitled", "Not in the plan", words)
            }
            DeskError::NotListed { .. } => {
                Self::new(StatusCode::FORBIDDEN, "forbidden", "Not allowed", words)
            }
            DeskError::SpendCap(_) => {
                Self::new(StatusCode::PAYMENT_REQUIRED, "spend-cap", "The key's cap is reached", words)
            }
            DeskError::Resting { retry_after_seconds, .. } => {
                Self::new(StatusCode::SERVICE_UNAVAILABLE, "skill-resting", "The skill rests", words)
                    .retry_after(retry_after_seconds)
            }
            DeskError::LedgerBehind(reason) => {
                tracing::error!(reason, "a change is durable, but the ledger could not be written");
                Self::ledger_behind()
            }
            DeskError::DiskFull => {
                tracing::error!("{words}");
                let full = StatusCode::INSUFFICIENT_STORAGE;
                Self::new(full, "disk-full", "The disk is full", words).retry_after(60)
            }
            DeskError::Busy => Self::busy(words),
            DeskError::Model(_) => {
                Self::new(StatusCode::SERVICE_UNAVAILABLE, "model", "The model did not answer", words)
            }
            DeskError::Store(_) | DeskError::Home(_) | DeskError::Internal(_) => {
                // These words may name files and queries: they are for the operator's log alone.
                tracing::error!(error = words, "a request could not be done");
                Self::internal()
            }
        }
    }
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let status = StatusCode::from_u16(self.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        let body = serde_json::to_vec(&self).expect("texts and numbers are always JSON");
        let mut response = (status, [(header::CONTENT_TYPE, PROBLEM_JSON)], body).into_response();
        let headers = response.headers_mut();
        if let Some(seconds) = self.retry_after {
            headers.insert(header::RETRY_AFTER, seconds.into());
        }
        if status == StatusCode::UNAUTHORIZED {
            headers.insert(header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer realm=\"echo\""));
        }
        // Kept beside the body, so that the outer layers can add the path.
        response.extensions_mut().insert(self);
        response
    }
}

/// Layer: says in every problem which path was asked for. The query stays out: it may hold what nobody else should
/// read.
pub(crate) async fn name_instance(request: Request, next: Next) -> Response {
    let path = request.uri().path().to_owned();
    let mut response = next.run(request).await;
    let Some(mut problem) = response.extensions_mut().remove::<Problem>() else { return response };
    problem.instance = Some(path.into());
    let mut named = problem.into_response();
    for (name, value) in response.headers() {
        if name != header::CONTENT_LENGTH && !named.headers().contains_key(name) {
            named.headers_mut().append(name.clone(), value.clone());
        }
    }
    named
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_only_the_operator_should_read_stays_out_of_the_answer() {
        for error in [
            DeskError::Home("/srv/echo/echo.keystore.json is gone".to_owned()),
            DeskError::Internal("SELECT secret".to_owned()),
            DeskError::LedgerBehind("/srv/echo/genesis_ledger".to_owned()),
        ] {
            let problem = Problem::from(error);
            assert!(problem.status >= 500);
            assert!(!problem.detail.contains("/srv") && !problem.detail.contains("SELECT"), "{problem:?}");
        }
    }

    #[test]
    fn a_refused_field_is_named() {
        let error = DeskError::Invalid { field: "plan".to_owned(), reason: "there is none".to_owned() };
        let problem = Problem::from(error);
        assert_eq!((problem.status, problem.field.as_deref()), (422, Some("plan")));
    }

    #[test]
    fn a_rest_is_told_in_the_header_too() {
        let problem = Problem::from(DeskError::Resting { skill: "x".to_owned(), retry_after_seconds: 7 });
        assert_eq!(problem.into_response().headers()[header::RETRY_AFTER], "7");
    }

    #[test]
    fn an_endless_detail_is_cut() {
        let problem = Problem::not_found("é".repeat(5_000));
        assert_eq!(problem.detail.chars().count(), MAX_DETAIL);
    }
}
