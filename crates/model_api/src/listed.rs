//! `GET /openai/v1/models`: the models that may be asked. Free.

use access::{Action, Principal};
use axum::{
    Extension, Json,
    extract::{Path, State},
};
use desk::Desk;
use models::{Card, ModelRef};
use serde_json::{Value, json};

use crate::failure::Failure;

/// All of them.
pub(crate) async fn all(
    State(desk): State<Desk>,
    principal: Option<Extension<Principal>>,
) -> Result<Json<Value>, Failure> {
    Ok(Json(json!({ "object": "list", "data": models(&desk, principal)? })))
}

/// One of them.
pub(crate) async fn one(
    State(desk): State<Desk>,
    principal: Option<Extension<Principal>>,
    Path(name): Path<String>,
) -> Result<Json<Value>, Failure> {
    let found = models(&desk, principal)?.into_iter().find(|model| model["id"] == *name);
    found.map(Json).ok_or_else(|| Failure::no_model(&name))
}

fn models(desk: &Desk, principal: Option<Extension<Principal>>) -> Result<Vec<Value>, Failure> {
    let Extension(principal) = principal.ok_or_else(Failure::unknown_caller)?;
    principal.require(Action::ReadAgents).map_err(desk::DeskError::from)?;
    let cards = desk.models().cards();
    let mut listed: Vec<Value> = cards.iter().map(of_card).collect();
    // Models behind an endpoint have no card.
    for (model, kind) in [(desk.models().text(), "text"), (desk.models().embedder(), "embedding")] {
        if let Some(model) = model.filter(|model| cards.iter().all(|card| card.name != model.name)) {
            listed.push(of_endpoint(&model, kind));
        }
    }
    Ok(listed)
}

fn of_card(card: &Card) -> Value {
    json!({
        "id": card.name, "object": "model", "created": card.added.as_second(), "owned_by": "echo",
        "echo": {"kind": card.kind, "sha256": card.sha256, "licence": card.licence, "context": card.context},
    })
}

fn of_endpoint(model: &ModelRef, kind: &str) -> Value {
    json!({
        "id": model.name, "object": "model", "created": 0, "owned_by": "endpoint", "echo": {"kind": kind},
    })
}
