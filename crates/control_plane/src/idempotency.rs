//! Requests that change something: the caller, the `Idempotency-Key`
//! (draft-ietf-httpapi-idempotency-key-header), the body. A request that was answered before gets the same answer.

use axum::{
    body::Body,
    extract::{FromRequest, FromRequestParts as _, Request},
    http::{HeaderMap, StatusCode, header},
    response::{IntoResponse, Response},
};
use desk::{Call, Desk, DeskError, Idempotency, StoredReply};
use serde::Serialize;

use crate::{
    body::{self, FromBody},
    caller::Caller,
    problem::Problem,
    state::Shared,
};

const KEY: &str = "idempotency-key";
const REPLAYED: &str = "idempotency-replayed";

/// A request that changes something.
#[derive(Debug)]
pub(crate) struct Command<B> {
    /// Who asks, under which key.
    pub(crate) call: Call,
    /// What for.
    pub(crate) body: B,
}

impl<B: FromBody> FromRequest<Shared> for Command<B> {
    type Rejection = Response;

    async fn from_request(request: Request, shared: &Shared) -> Result<Self, Response> {
        let (mut parts, body) = request.into_parts();
        let caller =
            Caller::from_request_parts(&mut parts, shared).await.map_err(IntoResponse::into_response)?;
        let (headers, method) = (parts.headers.clone(), parts.method.clone());
        let path = parts.uri.path().to_owned();
        let bytes = body::read(Request::from_parts(parts, body), shared)
            .await
            .map_err(IntoResponse::into_response)?;
        let refused = |error: DeskError| Problem::from(error).into_response();
        let key = key(&headers).map_err(IntoResponse::into_response)?;
        let idempotency = key
            .map(|key| Idempotency::new(key, method.as_str(), &path, &bytes))
            .transpose()
            .map_err(refused)?;
        let call = Call { principal: caller.principal, idempotency };
        if let Some(reply) = shared.desk.replay(&call).await.map_err(refused)? {
            return Err(again(reply));
        }
        let body = B::from_body(&headers, &bytes).map_err(IntoResponse::into_response)?;
        Ok(Self { call, body })
    }
}

fn key(headers: &HeaderMap) -> Result<Option<&str>, Problem> {
    let mut keys = headers.get_all(KEY).iter();
    let Some(key) = keys.next() else { return Ok(None) };
    let bad = || {
        Problem::bad_request("idempotency-key", "send one Idempotency-Key of printable ASCII, such as a UUID")
    };
    if keys.next().is_some() {
        return Err(bad());
    }
    key.to_str().map(Some).map_err(|_| bad())
}

/// Answers a request that changes something. When the same request was done by another connection in the
/// meantime, its answer is this one's too.
pub(crate) async fn answer<T: Serialize>(
    desk: &Desk,
    call: &Call,
    status: StatusCode,
    result: Result<T, DeskError>,
) -> Response {
    match result {
        Ok(value) => body::json(status, &value),
        Err(DeskError::InFlight) => match desk.replay(call).await {
            Ok(Some(reply)) => again(reply),
            Ok(None) => Problem::from(DeskError::InFlight).into_response(),
            Err(error) => Problem::from(error).into_response(),
        },
        Err(error) => Problem::from(error).into_response(),
    }
}

/// The answer that was given before.
fn again(reply: StoredReply) -> Response {
    let status = StatusCode::from_u16(reply.status).unwrap_or(StatusCode::OK);
    let headers = [(header::CONTENT_TYPE.as_str(), "application/json"), (REPLAYED, "true")];
    (status, headers, Body::from(reply.body)).into_response()
}
