//! Pages for what went wrong, in the same look as the others.

use askama::Template;
use axum::{
    http::StatusCode,
    response::{IntoResponse, Response},
};
use desk::DeskError;

use crate::{frame::Frame, page::html};

/// Why a page cannot be shown.
#[derive(Debug)]
pub(crate) struct Failure {
    status: StatusCode,
    title: &'static str,
    detail: String,
}

#[derive(Template)]
#[template(path = "failure.html")]
struct FailurePage<'f> {
    frame: Frame,
    status: u16,
    title: &'f str,
    detail: &'f str,
}

impl Failure {
    /// There is no such page.
    pub(crate) fn nowhere() -> Self {
        Self {
            status: StatusCode::NOT_FOUND,
            title: "Page not found",
            detail: "There is nothing at this address, or nothing that you may see. Check the address."
                .to_owned(),
        }
    }

    /// The request cannot be understood.
    pub(crate) fn unclear(detail: impl Into<String>) -> Self {
        Self { status: StatusCode::BAD_REQUEST, title: "Not understood", detail: detail.into() }
    }

    /// The program is at fault.
    pub(crate) fn internal(detail: impl std::fmt::Display) -> Self {
        tracing::error!(%detail, "a page could not be shown");
        Self {
            status: StatusCode::INTERNAL_SERVER_ERROR,
            title: "Something is broken here",
            detail: "The page could not be made. Try again; if it stays, the platform's log says why."
                .to_owned(),
        }
    }
}

impl From<DeskError> for Failure {
    fn from(error: DeskError) -> Self {
        let (status, title) = match &error {
            DeskError::Unauthenticated(_) => (StatusCode::UNAUTHORIZED, "Not signed in"),
            DeskError::Denied(_) | DeskError::NotListed { .. } => (StatusCode::FORBIDDEN, "Not allowed"),
            DeskError::NotFound { .. } => (StatusCode::NOT_FOUND, "Not found"),
            DeskError::Invalid { .. } => (StatusCode::BAD_REQUEST, "Not understood"),
            DeskError::Conflict(_) | DeskError::KeyReused | DeskError::InFlight => {
                (StatusCode::CONFLICT, "Not possible now")
            }
            DeskError::SpendCap(_) => (StatusCode::PAYMENT_REQUIRED, "The key's cap is reached"),
            DeskError::NotEntitled(_) => (StatusCode::FORBIDDEN, "Not in the plan"),
            DeskError::Resting { .. } | DeskError::LedgerBehind(_) => {
                (StatusCode::SERVICE_UNAVAILABLE, "Not available now")
            }
            other => return Self::internal(other),
        };
        Self { status, title, detail: error.to_string() }
    }
}

impl IntoResponse for Failure {
    fn into_response(self) -> Response {
        let page = FailurePage {
            frame: Frame::of_nobody(self.title),
            status: self.status.as_u16(),
            title: self.title,
            detail: &self.detail,
        };
        // A page that fails to render fails as text, not as a page again.
        match html(&page) {
            Ok(page) => (self.status, page).into_response(),
            Err(_) => (self.status, self.detail.clone()).into_response(),
        }
    }
}

/// The page for an address that leads nowhere, with the same headers as every page: for the program's fallback.
pub async fn not_found() -> Response {
    crate::headers::guard(Failure::nowhere().into_response()).await
}
