//! `GET /v1/intakes`: list the intake forms that open a case.

use axum::{extract::State, http::StatusCode, response::Response};
use echo_core::Page as DeskPage;
use utoipa::ToSchema;

use crate::{body::json, caller::Caller, problem::Problem, schema::Page, state::Shared};

/// An intake form.
#[derive(ToSchema)]
pub struct Form {
    /// Its id.
    #[schema(example = "slow-computer")]
    pub id: String,
    /// Counts up from 1.
    pub version: u32,
    /// For people.
    pub title: String,
    /// When to use it.
    pub description: String,
    /// What it asks, in this order.
    pub fields: Vec<Field>,
}

/// One question of a form.
#[derive(ToSchema)]
pub struct Field {
    /// Its id within the form.
    pub id: String,
    /// The question.
    pub label: String,
    /// How it is answered.
    pub kind: FieldKind,
    /// Whether it must be answered.
    pub required: bool,
    /// The most characters of a text.
    pub max_length: u32,
    /// What a choice is made from.
    pub choices: Option<Vec<String>>,
}

/// How a field is answered.
#[derive(ToSchema)]
#[schema(rename_all = "snake_case")]
pub enum FieldKind {
    /// In the customer's own words.
    Text,
    /// With one of the field's choices.
    Choice,
    /// With `yes` or `no`.
    YesNo,
}

/// List the intake forms that open a case.
#[utoipa::path(
    get, path = "/v1/intakes", tag = "house", security(("bearer" = [])),
    responses((status = 200, description = "All of them, on one page.", body = Page<Form>))
)]
pub(crate) async fn list_intakes(State(shared): State<Shared>, caller: Caller) -> Result<Response, Problem> {
    let items = shared.desk.intakes(&caller.principal)?;
    Ok(json(StatusCode::OK, &DeskPage { items, next: None }))
}
