//! What stands around every handler: its time, its panics, a line in the log, a place in the metrics.

use std::{
    any::Any,
    time::{Duration, Instant},
};

use axum::{
    extract::{MatchedPath, Request, State},
    http::{Method, StatusCode},
    middleware::Next,
    response::{IntoResponse, Response},
};

use crate::{problem::Problem, state::Shared};

/// How long a handler may take.
const PATIENCE: Duration = Duration::from_secs(30);
/// The routes that wait on purpose.
const WAITING: [&str; 5] = [
    "/v1/device/commands",
    "/v1/events",
    // Models take as long as they take; the desk bounds that.
    "/openai/v1/chat/completions",
    "/openai/v1/completions",
    "/openai/v1/embeddings",
];

fn route(request: &Request) -> String {
    // The route's pattern, never the path: ids would make endless series, and queries may hold secrets.
    let matched = request.extensions().get::<MatchedPath>();
    matched.map_or_else(|| "unknown".to_owned(), |path| path.as_str().to_owned())
}

/// Layer: ends what takes too long.
pub(crate) async fn in_time(request: Request, next: Next) -> Response {
    if WAITING.contains(&route(&request).as_str()) {
        return next.run(request).await;
    }
    tokio::time::timeout(PATIENCE, next.run(request)).await.unwrap_or_else(|_| {
        let detail = "this took longer than 30 s: try again with the same Idempotency-Key";
        Problem::new(StatusCode::SERVICE_UNAVAILABLE, "timeout", "Took too long", detail)
            .retry_after(5)
            .into_response()
    })
}

/// What a handler that panicked answers. The panic's words are in the log, by the panic hook.
pub(crate) fn panicked(_: Box<dyn Any + Send + 'static>) -> Response {
    tracing::error!("a handler panicked");
    Problem::internal().into_response()
}

/// Layer: counts and logs every request.
pub(crate) async fn watch(State(shared): State<Shared>, request: Request, next: Next) -> Response {
    let (route, method) = (route(&request), known(request.method()));
    let began = Instant::now();
    let response = next.run(request).await;
    let (status, took) = (response.status().as_u16(), began.elapsed());
    shared.metrics.served(method, &route, status, took);
    tracing::debug!(method, route, status, took_ms = took.as_millis(), "served");
    response
}

/// The method, if it is one of HTTP's: others would make endless series.
fn known(method: &Method) -> &'static str {
    match *method {
        Method::GET => "GET",
        Method::HEAD => "HEAD",
        Method::POST => "POST",
        Method::PUT => "PUT",
        Method::PATCH => "PATCH",
        Method::DELETE => "DELETE",
        Method::OPTIONS => "OPTIONS",
        _ => "_OTHER",
    }
}

#[cfg(test)]
mod tests {
    use axum::{Router, body::Body, routing::get};
    use tower::ServiceExt as _;
    use tower_http::catch_panic::CatchPanicLayer;

    use super::*;

    #[tokio::test]
    async fn a_panic_is_a_problem_that_tells_nothing() {
        async fn broken() -> &'static str {
            panic!("the secret is 42")
        }
        let app: Router = Router::new().route("/", get(broken)).layer(CatchPanicLayer::custom(panicked));
        let response = app.oneshot(Request::new(Body::empty())).await.unwrap();
        assert_eq!(response.status(), 500);
        let body = axum::body::to_bytes(response.into_body(), 10_000).await.unwrap();
        let body = String::from_utf8(body.to_vec()).unwrap();
        assert!(body.contains("urn:echo:problem:internal") && !body.contains("42"), "{body}");
    }

    #[test]
    fn a_method_of_ones_own_makes_no_series() {
        assert_eq!(known(&Method::from_bytes(b"BREW").unwrap()), "_OTHER");
    }
}
