//! Who calls: the bearer token in the `Authorization` header (RFC 6750), or the cookie of the dashboard.

use access::Principal;
use axum::{
    extract::{FromRequestParts, Request, State},
    http::{HeaderMap, Method, header, request::Parts},
    middleware::Next,
    response::{IntoResponse as _, Response},
};

use crate::{problem::Problem, state::Shared};

/// The cookie that carries a browser's access token.
pub const ACCESS_COOKIE: &str = "echo_access";

/// A caller whose token is good, within its limit.
#[derive(Debug, Clone)]
pub(crate) struct Caller {
    /// Who it is.
    pub(crate) principal: Principal,
    /// The token in hand, for streams that must end when it does.
    pub(crate) token: String,
}

impl FromRequestParts<Shared> for Caller {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, shared: &Shared) -> Result<Self, Problem> {
        let token = token(&parts.method, &parts.headers)?;
        let principal = shared.desk.authenticate(&token).await?;
        shared.limits.caller(&principal.subject, &parts.extensions)?;
        Ok(Self { principal, token })
    }
}

/// Layer: lets callers with a good token through to routes that know no more of the API than who calls.
pub(crate) async fn admit(State(shared): State<Shared>, request: Request, next: Next) -> Response {
    let (mut parts, body) = request.into_parts();
    match Caller::from_request_parts(&mut parts, &shared).await {
        Ok(caller) => {
            parts.extensions.insert(caller.principal);
            next.run(Request::from_parts(parts, body)).await
        }
        Err(problem) => problem.into_response(),
    }
}

/// The token that the request carries.
fn token(method: &Method, headers: &HeaderMap) -> Result<String, Problem> {
    let mut authorizations = headers.get_all(header::AUTHORIZATION).iter();
    if let Some(authorization) = authorizations.next() {
        if authorizations.next().is_some() {
            return Err(Problem::unauthenticated("send one Authorization header, not several"));
        }
        return authorization
            .to_str()
            .ok()
            .and_then(|value| value.split_once(' '))
            .filter(|(scheme, _)| scheme.eq_ignore_ascii_case("bearer"))
            .map(|(_, token)| token.trim().to_owned())
            .ok_or_else(|| Problem::unauthenticated("write the header as `Authorization: Bearer TOKEN`"));
    }
    let Some(cookie) = cookie(headers) else {
        return Err(Problem::unauthenticated(
            "this needs an access token: send `Authorization: Bearer TOKEN`, which POST /v1/sign-in hands out",
        ));
    };
    if from_our_pages(method, headers) {
        Ok(cookie)
    } else {
        Err(Problem::unauthenticated(
            "the cookie is taken from the dashboard's own pages alone: send `Authorization: Bearer TOKEN`",
        ))
    }
}

fn cookie(headers: &HeaderMap) -> Option<String> {
    let pairs = headers.get_all(header::COOKIE).iter().filter_map(|value| value.to_str().ok());
    let (_, token) = pairs
        .flat_map(|value| value.split(';'))
        .filter_map(|pair| pair.trim().split_once('='))
        .find(|(name, _)| *name == ACCESS_COOKIE)?;
    Some(token.to_owned())
}

/// Whether a browser sent this from a page of ours (Fetch Metadata). Browsers leave that header out on plain HTTP
/// to another machine; a changing request must then name our own host as its origin (RFC 6454).
fn from_our_pages(method: &Method, headers: &HeaderMap) -> bool {
    let safe = matches!(*method, Method::GET | Method::HEAD);
    match headers.get("sec-fetch-site").map(axum::http::HeaderValue::as_bytes) {
        Some(b"same-origin") => true,
        Some(b"none") => safe,
        Some(_) => false,
        None => safe || same_host(headers),
    }
}

/// Whether a connection that stays, and that no same-origin policy holds back, comes with a token in its own hands or from
/// a page of ours.
pub(crate) fn may_listen(headers: &HeaderMap) -> bool {
    headers.contains_key(header::AUTHORIZATION) || from_our_pages(&Method::POST, headers)
}

fn same_host(headers: &HeaderMap) -> bool {
    let text = |name| headers.get(name).and_then(|value: &axum::http::HeaderValue| value.to_str().ok());
    let (Some(origin), Some(host)) = (text(header::ORIGIN), text(header::HOST)) else { return false };
    let authority = origin.strip_prefix("https://").or_else(|| origin.strip_prefix("http://"));
    !host.is_empty() && authority.is_some_and(|authority| authority.eq_ignore_ascii_case(host))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(pairs: &[(&'static str, &str)]) -> HeaderMap {
        let mut headers = HeaderMap::new();
        for (name, value) in pairs {
            headers.append(*name, value.parse().unwrap());
        }
        headers
    }

    fn found(method: &Method, pairs: &[(&'static str, &str)]) -> Option<String> {
        token(method, &headers(pairs)).ok()
    }

    #[test]
    fn the_bearer_token_is_taken_and_wins_over_the_cookie() {
        let both = [("authorization", "bearer abc"), ("cookie", "echo_access=xyz")];
        assert_eq!(found(&Method::GET, &both).as_deref(), Some("abc"));
    }

    #[test]
    fn other_schemes_and_two_headers_are_refused() {
        assert_eq!(found(&Method::GET, &[("authorization", "Basic abc"), ("cookie", "echo_access=x")]), None);
        assert_eq!(
            found(&Method::GET, &[("authorization", "Bearer a"), ("authorization", "Bearer b")]),
            None
        );
        assert_eq!(found(&Method::GET, &[]), None);
    }

    #[test]
    fn the_cookie_reads_from_our_pages_only() {
        let cookie = ("cookie", "theme=dark; echo_access=xyz");
        for site in [None, Some("same-origin"), Some("none")] {
            let mut pairs = vec![cookie];
            pairs.extend(site.map(|s| ("sec-fetch-site", s)));
            assert_eq!(found(&Method::GET, &pairs).as_deref(), Some("xyz"), "{site:?}");
        }
        for site in ["cross-site", "same-site", "weird"] {
            assert_eq!(found(&Method::GET, &[cookie, ("sec-fetch-site", site)]), None, "{site}");
        }
    }

    #[test]
    fn another_sites_page_does_not_listen_with_the_cookie() {
        let (cookie, host) = (("cookie", "echo_access=xyz"), ("host", "echo.example:8080"));
        let ours = ("origin", "http://echo.example:8080");
        let evil = ("origin", "http://evil.example");
        assert!(may_listen(&headers(&[cookie, host, ours])));
        assert!(may_listen(&headers(&[cookie, ("sec-fetch-site", "same-origin")])));
        assert!(may_listen(&headers(&[("authorization", "Bearer abc"), host, evil])));
        for refused in
            [vec![cookie, host], vec![cookie, host, evil], vec![cookie, ("sec-fetch-site", "cross-site")]]
        {
            assert!(!may_listen(&headers(&refused)), "{refused:?}");
        }
    }

    #[test]
    fn the_cookie_changes_nothing_for_other_sites() {
        let cookie = ("cookie", "echo_access=xyz");
        let host = ("host", "echo.example:8080");
        assert!(found(&Method::POST, &[cookie, ("sec-fetch-site", "same-origin")]).is_some());
        assert!(found(&Method::POST, &[cookie, host, ("origin", "http://echo.example:8080")]).is_some());
        for refused in [
            vec![cookie],
            vec![cookie, ("sec-fetch-site", "none")],
            vec![cookie, host, ("origin", "http://evil.example")],
            vec![cookie, host, ("origin", "null")],
            vec![cookie, host, ("sec-fetch-site", "cross-site"), ("origin", "http://echo.example:8080")],
        ] {
            assert_eq!(found(&Method::POST, &refused), None, "{refused:?}");
        }
    }
}
