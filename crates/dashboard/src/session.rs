//! Signing in, staying signed in, signing out.
//!
//! The tokens live in two cookies that no script can read. A one-time secret comes in the fragment of a link, which
//! browsers keep to themselves; the sign-in page's script posts it here.

use askama::Template;
use axum::{
    Json, Router,
    extract::{Query, State},
    http::{HeaderMap, StatusCode, header},
    response::{IntoResponse, Redirect, Response},
    routing::{get, post},
};
use desk::{Desk, DeskError, Tokens};
use serde::{Deserialize, Serialize};

use crate::{
    App,
    caller::{ACCESS_COOKIE, REFRESH_COOKIE},
    cookie,
    failure::Failure,
    frame::Frame,
    next,
    page::html,
};

/// How long a refresh token lives, in seconds: 30 days.
const REFRESH_SECONDS: i64 = 30 * 24 * 3600;
/// The longest secret that is looked at, in bytes.
const MAX_SECRET: usize = 1024;
/// What to do about a link that does not work.
const ANOTHER_LINK: &str = "A sign-in link works once and not for long. Restart the platform: it prints a new link. Or ask \
                            your operator for one.";

pub(crate) fn routes() -> Router<App> {
    Router::new()
        .route("/sign-in", get(page))
        .route("/session", post(begin))
        .route("/session/resume", get(resume))
        .route("/session/refresh", post(refresh))
        .route("/session/end", post(end))
}

#[derive(Debug, Deserialize)]
struct Onward {
    next: Option<String>,
}

#[derive(Template)]
#[template(path = "sign_in.html")]
struct SignInPage<'n> {
    frame: Frame,
    next: &'n str,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Secret {
    secret: String,
}

/// What the script is told.
#[derive(Debug, Serialize)]
struct Told {
    /// Whether there is a session now.
    signed_in: bool,
    /// If not, why, and what to do.
    #[serde(skip_serializing_if = "Option::is_none")]
    detail: Option<String>,
}

async fn page(Query(onward): Query<Onward>) -> Result<Response, Failure> {
    let page = SignInPage { frame: Frame::of_stranger("Sign in"), next: next::local(onward.next.as_deref()) };
    Ok(html(&page)?.into_response())
}

/// Trades a one-time secret for a session.
async fn begin(State(desk): State<Desk>, headers: HeaderMap, body: Option<Json<Secret>>) -> Response {
    if !is_ours(&headers) {
        return foreign();
    }
    let Some(Json(Secret { secret })) = body.filter(|b| b.secret.len() <= MAX_SECRET) else {
        return told(StatusCode::BAD_REQUEST, "Send {\"secret\": \"...\"} as JSON.");
    };
    match desk.sign_in(secret.trim()).await {
        Ok(tokens) => {
            with_tokens(Json(Told { signed_in: true, detail: None }).into_response(), &tokens, &headers)
        }
        Err(error @ (DeskError::Unauthenticated(_) | DeskError::Invalid { .. })) => {
            told(StatusCode::UNAUTHORIZED, &format!("{}. {ANOTHER_LINK}", reason(&error)))
        }
        Err(error) => Failure::from(error).into_response(),
    }
}

/// The part of an error that says what happened, as a sentence.
fn reason(error: &DeskError) -> String {
    let text = match error {
        DeskError::Unauthenticated(why) => why.clone(),
        other => other.to_string(),
    };
    let mut letters = text.trim_end_matches('.').chars();
    letters.next().map(|first| first.to_uppercase().chain(letters).collect()).unwrap_or_default()
}

/// Continues a session whose access token has run out, on the way to a page.
async fn resume(State(app): State<App>, Query(onward): Query<Onward>, headers: HeaderMap) -> Response {
    let next = next::local(onward.next.as_deref());
    let Some(token) = cookie::read(&headers, REFRESH_COOKIE) else {
        return Redirect::to(&next::with_next("/sign-in", next)).into_response();
    };
    match app.turns.refresh(&app.desk, token).await {
        Ok(tokens) => with_tokens(Redirect::to(next).into_response(), &tokens, &headers),
        Err(DeskError::Unauthenticated(_)) => {
            without_tokens(Redirect::to(&next::with_next("/sign-in", next)).into_response(), &headers)
        }
        Err(error) => Failure::from(error).into_response(),
    }
}

/// Renews the access token while a page stays open. Having no session is an answer, not an error: the sign-in page
/// asks as well.
async fn refresh(State(app): State<App>, headers: HeaderMap) -> Response {
    if !is_ours(&headers) {
        return foreign();
    }
    let nobody = || Json(Told { signed_in: false, detail: None }).into_response();
    let Some(token) = cookie::read(&headers, REFRESH_COOKIE) else { return nobody() };
    match app.turns.refresh(&app.desk, token).await {
        Ok(tokens) => {
            with_tokens(Json(Told { signed_in: true, detail: None }).into_response(), &tokens, &headers)
        }
        Err(DeskError::Unauthenticated(_)) => without_tokens(nobody(), &headers),
        Err(error) => Failure::from(error).into_response(),
    }
}

/// Signs out.
async fn end(State(app): State<App>, headers: HeaderMap) -> Response {
    if !is_ours(&headers) {
        return foreign();
    }
    let ended = end_session(&app, &headers).await;
    match ended {
        Ok(()) => without_tokens(Redirect::to("/sign-in").into_response(), &headers),
        Err(error) => Failure::from(error).into_response(),
    }
}

/// Ends the session of whichever cookie is still good.
async fn end_session(app: &App, headers: &HeaderMap) -> Result<(), DeskError> {
    let mut access = cookie::read(headers, ACCESS_COOKIE).map(str::to_owned);
    if access.is_none()
        && let Some(token) = cookie::read(headers, REFRESH_COOKIE)
    {
        access = app.turns.refresh(&app.desk, token).await.ok().map(|t| t.access_token);
    }
    let Some(access) = access else { return Ok(()) };
    match app.desk.authenticate(&access).await {
        Ok(principal) => app.desk.sign_out(&principal).await,
        Err(DeskError::Unauthenticated(_)) => Ok(()),
        Err(error) => Err(error),
    }
}

/// Whether the request comes from one of our own pages: the browser says so (Fetch Metadata), or, where it does not,
/// its origin is this host.
fn is_ours(headers: &HeaderMap) -> bool {
    let text = |name| headers.get(name).and_then(|v: &axum::http::HeaderValue| v.to_str().ok());
    match text("sec-fetch-site") {
        Some(site) => site == "same-origin",
        None => match (text("origin"), text("host")) {
            (Some(origin), Some(host)) => origin.split_once("://").is_some_and(|(_, at)| at == host),
            _ => false,
        },
    }
}

fn foreign() -> Response {
    told(StatusCode::FORBIDDEN, "This came from another site. Open this platform's own sign-in page.")
}

fn told(status: StatusCode, detail: &str) -> Response {
    (status, Json(Told { signed_in: false, detail: Some(detail.to_owned()) })).into_response()
}

fn is_https(headers: &HeaderMap) -> bool {
    headers.get("x-forwarded-proto").is_some_and(|v| v.as_bytes() == b"https")
}

fn with_tokens(mut response: Response, tokens: &Tokens, headers: &HeaderMap) -> Response {
    let secure = is_https(headers);
    let access = cookie::set(ACCESS_COOKIE, &tokens.access_token, "/", tokens.expires_in, secure);
    let refresh = tokens
        .refresh_token
        .as_deref()
        .and_then(|token| cookie::set(REFRESH_COOKIE, token, "/session", REFRESH_SECONDS, secure));
    for line in [access, refresh].into_iter().flatten() {
        response.headers_mut().append(header::SET_COOKIE, line);
    }
    response
}

fn without_tokens(mut response: Response, headers: &HeaderMap) -> Response {
    let secure = is_https(headers);
    for (name, path) in [(ACCESS_COOKIE, "/"), (REFRESH_COOKIE, "/session")] {
        if let Some(line) = cookie::set(name, "", path, 0, secure) {
            response.headers_mut().append(header::SET_COOKIE, line);
        }
    }
    response
}

#[cfg(test)]
mod tests {
    use axum::http::HeaderValue;

    use super::*;

    fn headers(pairs: &[(&'static str, &'static str)]) -> HeaderMap {
        pairs.iter().map(|(k, v)| (k.parse().unwrap(), HeaderValue::from_static(v))).collect()
    }

    #[test]
    fn only_our_own_pages_may_post() {
        for ours in [
            headers(&[("sec-fetch-site", "same-origin")]),
            headers(&[("origin", "http://10.0.0.1:8080"), ("host", "10.0.0.1:8080")]),
        ] {
            assert!(is_ours(&ours), "{ours:?}");
        }
        for foreign in [
            headers(&[]),
            headers(&[("sec-fetch-site", "same-site")]),
            headers(&[("sec-fetch-site", "cross-site"), ("origin", "http://a"), ("host", "a")]),
            headers(&[("origin", "http://evil.example"), ("host", "10.0.0.1:8080")]),
            headers(&[("origin", "null"), ("host", "null")]),
        ] {
            assert!(!is_ours(&foreign), "{foreign:?}");
        }
    }
}
