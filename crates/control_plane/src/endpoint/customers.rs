//! `GET` and `POST /v1/customers`: the accounts that buy plans.

use axum::{extract::State, http::StatusCode, response::Response};
use desk::NewCustomer;
use utoipa::ToSchema;

use crate::{
    body::{JsonBody, json},
    caller::Caller,
    idempotency::{self, Command},
    problem::Problem,
    query::{Asked, PageQuery},
    schema::{Id, Page, Time},
    state::Shared,
};

/// An account that buys plans.
#[derive(ToSchema)]
pub struct Customer {
    /// Its id.
    pub id: Id,
    /// Its name.
    pub name: String,
    /// Since when.
    pub created: Time,
    /// The id of the plan it is on.
    #[schema(example = "pay-as-you-go")]
    pub plan: String,
}

/// A new customer.
#[derive(ToSchema)]
#[schema(as = NewCustomer, example = json!({"name": "Bakery Weber", "plan": "pay-as-you-go"}))]
pub struct NewCustomerBody {
    /// Its name, on one line.
    #[schema(min_length = 1, max_length = 120)]
    pub name: String,
    /// The id of a plan: see `GET /v1/plans`.
    pub plan: String,
}

/// List the customers that you may see.
#[utoipa::path(
    get, path = "/v1/customers", tag = "house", security(("bearer" = [])), params(PageQuery),
    responses((status = 200, description = "A page of them.", body = Page<Customer>))
)]
pub(crate) async fn list_customers(
    State(shared): State<Shared>,
    caller: Caller,
    Asked(query): Asked<PageQuery>,
) -> Result<Response, Problem> {
    let page = shared.desk.customers(&caller.principal, &query.page()?).await?;
    Ok(json(StatusCode::OK, &page))
}

/// Add a customer with a plan.
#[utoipa::path(
    post, path = "/v1/customers", tag = "house", security(("bearer" = [])), request_body = NewCustomerBody,
    responses((status = 201, description = "Added.", body = Customer))
)]
pub(crate) async fn add_customer(
    State(shared): State<Shared>,
    Command { call, body: JsonBody(new) }: Command<JsonBody<NewCustomer>>,
) -> Response {
    let added = shared.desk.add_customer(&call, new).await;
    idempotency::answer(&shared.desk, &call, StatusCode::CREATED, added).await
}
