//! One request and its answer: JSON-RPC 2.0 over HTTP (A2A 1.0, section 9).

use access::Principal;
use axum::{
    Extension, Json,
    body::Bytes,
    extract::{State, rejection::BytesRejection},
    http::{HeaderMap, StatusCode},
    response::{IntoResponse, Response},
};
use serde::{Deserialize, de::DeserializeOwned};
use serde_json::{Value, json};

use crate::{
    Shared,
    fault::Fault,
    follow,
    message::SendMessage,
    send, task,
    tasks::{self, Listing, Named},
};

/// The header that names the protocol's version (A2A 1.0, section 3.6).
const VERSION: &str = "a2a-version";

#[derive(Debug, Deserialize)]
struct Request {
    jsonrpc: String,
    method: String,
    #[serde(default)]
    params: Value,
}

/// Answers a request.
pub(crate) async fn answer(
    State(shared): State<Shared>,
    principal: Option<Extension<Principal>>,
    headers: HeaderMap,
    body: Result<Bytes, BytesRejection>,
) -> Response {
    let Some(Extension(principal)) = principal else {
        let words = "send an agent key: `Authorization: Bearer echo_key_...`";
        return (StatusCode::UNAUTHORIZED, words).into_response();
    };
    let body = match body {
        Ok(body) => body,
        Err(rejection) => return rejection.into_response(),
    };
    let value: Value = match serde_json::from_slice(&body) {
        Ok(value) => value,
        Err(error) => return Json(Fault::unreadable(error.to_string()).body(&Value::Null)).into_response(),
    };
    let id = match &value["id"] {
        id @ (Value::String(_) | Value::Number(_)) => id.clone(),
        _ => Value::Null,
    };
    match done(shared, principal, &headers, value, &id).await {
        Ok(response) => response,
        Err(fault) => Json(fault.body(&id)).into_response(),
    }
}

async fn done(
    shared: Shared,
    principal: Principal,
    headers: &HeaderMap,
    value: Value,
    id: &Value,
) -> Result<Response, Fault> {
    if value.is_array() || id.is_null() {
        return Err(Fault::no_request("send one request, with an id"));
    }
    let request: Request = serde_json::from_value(value).map_err(|e| Fault::no_request(e.to_string()))?;
    if request.jsonrpc != "2.0" {
        return Err(Fault::no_request("jsonrpc: write \"2.0\""));
    }
    spoken(headers)?;
    let (desk, params) = (&shared.desk, request.params);
    let result = match request.method.as_str() {
        "SendMessage" => {
            let asked: SendMessage = sent(params)?;
            let call = send::send(desk, &principal, &asked.message).await?;
            let call = if asked.configuration.return_immediately {
                desk.skill_call(&principal, &call).await?
            } else {
                follow::wait(desk, &principal, &call).await?
            };
            json!({ "task": task::whole(desk, &principal, &call).await })
        }
        "SendStreamingMessage" => {
            let asked: SendMessage = sent(params)?;
            let call = send::send(desk, &principal, &asked.message).await?;
            return follow::stream(shared, principal, id.clone(), call).await;
        }
        "SubscribeToTask" => {
            let call = read::<Named>(params)?.call()?;
            if desk.skill_call(&principal, &call).await?.state != desk::SkillCallState::Running {
                return Err(Fault::unsupported("the task has ended: read it with GetTask"));
            }
            return follow::stream(shared, principal, id.clone(), call).await;
        }
        "GetTask" => tasks::get(desk, &principal, &read(params)?).await?,
        "CancelTask" => tasks::cancel(desk, &principal, &read(params)?).await?,
        "ListTasks" => tasks::list(desk, &principal, listing(params)?).await?,
        "GetExtendedAgentCard" => return Err(Fault::unsupported("the card says all there is to say")),
        method
            if method.ends_with("PushNotificationConfig") || method.ends_with("PushNotificationConfigs") =>
        {
            return Err(Fault::no_push());
        }
        method => return Err(Fault::no_method(method)),
    };
    Ok(Json(json!({"jsonrpc": "2.0", "id": id, "result": result})).into_response())
}

/// Whether the caller speaks our version; one that says nothing is taken at its words.
fn spoken(headers: &HeaderMap) -> Result<(), Fault> {
    let Some(given) = headers.get(VERSION) else { return Ok(()) };
    let given = given.to_str().unwrap_or("?");
    if given == "1.0" || given.starts_with("1.0.") { Ok(()) } else { Err(Fault::version(given)) }
}

fn sent(params: Value) -> Result<SendMessage, Fault> {
    let asked: SendMessage = read(params)?;
    if asked.configuration.task_push_notification_config.is_some() {
        return Err(Fault::no_push());
    }
    Ok(asked)
}

fn listing(params: Value) -> Result<Listing, Fault> {
    if params.is_null() { Ok(Listing::default()) } else { read(params) }
}

fn read<T: DeserializeOwned>(params: Value) -> Result<T, Fault> {
    serde_json::from_value(params).map_err(|e| Fault::invalid(format!("params: {e}")))
}
