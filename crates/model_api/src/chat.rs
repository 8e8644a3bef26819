//! `POST /openai/v1/chat/completions` and `POST /openai/v1/completions`.

use access::Principal;
use axum::{
    Extension, Json,
    body::Bytes,
    extract::{State, rejection::BytesRejection},
    http::{HeaderMap, HeaderValue},
    response::{IntoResponse, Response},
};
use desk::{Call, Desk};
use echo_core::Id as _;

use crate::{
    asked::{self, Asked},
    failure::Failure,
    receipt,
    shape::{Frame, Shape},
    stream,
};

/// The header that names the call.
pub(crate) const CALL: &str = "echo-call";

/// Goes on with a conversation.
pub(crate) async fn chat(
    State(desk): State<Desk>,
    principal: Option<Extension<Principal>>,
    headers: HeaderMap,
    body: Result<Bytes, BytesRejection>,
) -> Result<Response, Failure> {
    let asked = asked::chat(&body?)?;
    answered(desk, principal, &headers, asked, Shape::Chat).await
}

/// Goes on with a text.
pub(crate) async fn completion(
    State(desk): State<Desk>,
    principal: Option<Extension<Principal>>,
    headers: HeaderMap,
    body: Result<Bytes, BytesRejection>,
) -> Result<Response, Failure> {
    let asked = asked::completion(&body?)?;
    answered(desk, principal, &headers, asked, Shape::Text).await
}

async fn answered(
    desk: Desk,
    principal: Option<Extension<Principal>>,
    headers: &HeaderMap,
    asked: Asked,
    shape: Shape,
) -> Result<Response, Failure> {
    let Extension(principal) = principal.ok_or_else(Failure::unknown_caller)?;
    let customer = asked::customer(headers)?;
    let name = asked.input.model.clone();
    if let Some(name) = &name {
        known(&desk, name)?;
    }
    let call = Call::by(principal.clone());
    let chat = desk.chat(&call, customer, asked.input).await?;
    let model = name.or_else(|| desk.models().text().map(|model| model.name)).unwrap_or_default();
    let id = chat.call.id.as_str().to_owned();
    let frame = Frame { shape, call: id.clone(), created: chat.call.started, model };
    let mut response = if asked.stream {
        stream::tell(desk, principal, frame, chat, asked.include_usage).await?
    } else {
        let ended = chat.ended().await?;
        let echo = receipt::of(&desk, &principal, &ended.call).await;
        Json(frame.whole(&ended.completion, echo)).into_response()
    };
    name_call(&mut response, &id);
    Ok(response)
}

/// Names the call in a header.
pub(crate) fn name_call(response: &mut Response, id: &str) {
    if let Ok(id) = HeaderValue::from_str(id) {
        response.headers_mut().insert(CALL, id);
    }
}

/// Whether there is a text model of that name.
fn known(desk: &Desk, name: &str) -> Result<(), Failure> {
    let models = desk.models();
    let Some(default) = models.text() else { return Ok(()) };
    let listed = models.cards().iter().any(|card| card.kind == models::Kind::Text && card.name == name);
    if default.name == name || listed { Ok(()) } else { Err(Failure::no_model(name)) }
}
