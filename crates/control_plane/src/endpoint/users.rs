//! `GET` and `POST /v1/users`: people who sign in.

use axum::{extract::State, http::StatusCode, response::Response};
use desk::NewUser;
use utoipa::ToSchema;

use crate::{
    body::{JsonBody, json},
    caller::Caller,
    idempotency::{self, Command},
    problem::Problem,
    query::{Asked, PageQuery},
    schema::{Id, Page, Role, Time},
    state::Shared,
};

/// A person.
#[derive(ToSchema)]
pub struct User {
    /// Their id.
    pub id: Id,
    /// Their name.
    pub name: String,
    /// What they may do.
    pub role: Role,
    /// Whose person they are; null for the operator's own.
    pub customer: Option<Id>,
    /// Since when.
    pub created: Time,
}

/// A new person.
#[derive(ToSchema)]
#[schema(
    as = NewUser,
    example = json!({"name": "Ada", "role": "customer", "customer": "cus_0197c3f0a1b27c3d8e4f5a6b7c8d9e0f"})
)]
pub struct NewUserBody {
    /// Their name, on one line.
    #[schema(min_length = 1, max_length = 120)]
    pub name: String,
    /// What they may do; `device` is not for people.
    pub role: Role,
    /// Whose person they are: demanded for the role `customer`, and for it alone.
    pub customer: Option<Id>,
}

/// List the people.
#[utoipa::path(
    get, path = "/v1/users", tag = "house", security(("bearer" = [])), params(PageQuery),
    responses((status = 200, description = "A page of them.", body = Page<User>))
)]
pub(crate) async fn list_users(
    State(shared): State<Shared>,
    caller: Caller,
    Asked(query): Asked<PageQuery>,
) -> Result<Response, Problem> {
    let page = shared.desk.users(&caller.principal, &query.page()?).await?;
    Ok(json(StatusCode::OK, &page))
}

/// Add a person; they sign in with a link made for them.
#[utoipa::path(
    post, path = "/v1/users", tag = "house", security(("bearer" = [])), request_body = NewUserBody,
    responses(
        (status = 201, description = "Added.", body = User),
        (status = 404, description = "There is no such customer.", body = Problem, content_type = "application/problem+json")
    )
)]
pub(crate) async fn add_user(
    State(shared): State<Shared>,
    Command { call, body: JsonBody(new) }: Command<JsonBody<NewUser>>,
) -> Response {
    let added = shared.desk.add_user(&call, new).await;
    idempotency::answer(&shared.desk, &call, StatusCode::CREATED, added).await
}
