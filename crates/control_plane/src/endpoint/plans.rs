//! `GET /v1/plans`: list the plans that can be bought.

use axum::{extract::State, http::StatusCode, response::Response};
use echo_core::Page as DeskPage;
use utoipa::ToSchema;

use crate::{
    body::json,
    caller::Caller,
    problem::Problem,
    schema::{Currency, Exact, Money, Page},
    state::Shared,
};

/// A plan: what a customer may use, what is included and what the rest costs.
#[derive(ToSchema)]
pub struct Plan {
    /// Its id.
    #[schema(example = "pay-as-you-go")]
    pub id: String,
    /// Its name for people.
    pub name: String,
    /// What it is good for, in a sentence.
    pub description: String,
    /// Whether customers may choose it.
    pub offered: bool,
    /// The currency of all its prices.
    pub currency: Currency,
    /// What it costs each month whatever is used.
    pub monthly_fee: Option<Money>,
    /// What it covers, by the id of the SKU.
    #[schema(value_type = std::collections::HashMap<String, Price>)]
    pub prices: std::collections::BTreeMap<String, Price>,
}

/// What one SKU costs on one plan.
#[derive(ToSchema)]
pub struct Price {
    /// The price of one unit in major units.
    pub unit_price: Exact,
    /// How many units each month are free of charge.
    pub included: u32,
    /// After how many units in a month no more may be used.
    pub limit: Option<u32>,
}

/// List the plans that can be bought.
#[utoipa::path(
    get, path = "/v1/plans", tag = "house", security(("bearer" = [])),
    responses((status = 200, description = "All of them, on one page.", body = Page<Plan>))
)]
pub(crate) async fn list_plans(State(shared): State<Shared>, caller: Caller) -> Result<Response, Problem> {
    let items = shared.desk.plans(&caller.principal)?;
    Ok(json(StatusCode::OK, &DeskPage { items, next: None }))
}
