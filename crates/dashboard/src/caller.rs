//! Who looks at a page.

use access::Principal;
use axum::{
    extract::{FromRef, FromRequestParts, OptionalFromRequestParts},
    http::request::Parts,
    response::{IntoResponse, Redirect, Response},
};
use desk::{Desk, DeskError};

use crate::{cookie, failure::Failure, next};

/// The cookie that holds the access token; the JSON API takes it as well.
pub const ACCESS_COOKIE: &str = "echo_access";
/// The cookie that holds the refresh token; only paths under `/session` get it.
pub const REFRESH_COOKIE: &str = "echo_refresh";

/// A person who is signed in. Anybody else is sent to where a session is resumed or begun.
#[derive(Debug, Clone)]
pub(crate) struct Visitor(pub(crate) Principal);

/// The person behind the access cookie, if it is good.
async fn visitor(parts: &Parts, desk: &Desk) -> Result<Option<Principal>, DeskError> {
    let Some(token) = cookie::read(&parts.headers, ACCESS_COOKIE) else { return Ok(None) };
    match desk.authenticate(token).await {
        Ok(principal) if principal.device.is_none() => Ok(Some(principal)),
        Ok(_) | Err(DeskError::Unauthenticated(_)) => Ok(None),
        Err(error) => Err(error),
    }
}

impl<S: Send + Sync> FromRequestParts<S> for Visitor
where
    Desk: FromRef<S>,
{
    type Rejection = Response;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Response> {
        match visitor(parts, &Desk::from_ref(state)).await {
            Ok(Some(principal)) => Ok(Self(principal)),
            Ok(None) => {
                let here = parts.uri.path_and_query().map_or("/", |p| p.as_str());
                Err(Redirect::to(&next::with_next("/session/resume", here)).into_response())
            }
            Err(error) => Err(Failure::from(error).into_response()),
        }
    }
}

impl<S: Send + Sync> OptionalFromRequestParts<S> for Visitor
where
    Desk: FromRef<S>,
{
    type Rejection = Response;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Option<Self>, Response> {
        match visitor(parts, &Desk::from_ref(state)).await {
            Ok(principal) => Ok(principal.map(Self)),
            Err(error) => Err(Failure::from(error).into_response()),
        }
    }
}
