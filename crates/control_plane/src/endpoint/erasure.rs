//! `GET` and `POST /v1/customers/{id}/erasure`: forget a customer. A `DELETE` would be the word, but the request has to say
//! which name it means and why, and what a `DELETE` carries has no meaning (RFC 9110, section 9.3.5).

use std::collections::BTreeMap;

use axum::{extract::State, http::StatusCode, response::Response};
use desk::EraseCustomer;
use echo_core::CustomerId;
use serde::Deserialize;
use utoipa::{IntoParams, ToSchema};

use crate::{
    body::{JsonBody, json},
    caller::Caller,
    idempotency::{self, Command},
    path::Named,
    problem::Problem,
    query::Asked,
    schema::{Digest, Id, Time},
    state::Shared,
};

/// Where an erasure stands.
#[derive(ToSchema)]
#[schema(rename_all = "snake_case")]
pub enum ErasureState {
    /// Nothing was done: this is what would be.
    Planned,
    /// The records are gone; files or free pages of the database are left to do.
    Erasing,
    /// It is done.
    Erased,
}

/// Why a customer is erased. A closed set, for it is kept for good.
#[derive(ToSchema)]
#[schema(rename_all = "snake_case")]
pub enum ErasureReason {
    /// They asked for it.
    CustomerAsked,
    /// The contract with them is over.
    ContractEnded,
    /// What was kept for a while need not be kept any longer.
    RetentionOver,
    /// It never was a customer.
    TestData,
}

/// Something that stays.
#[derive(ToSchema)]
pub struct Stays {
    /// What.
    pub what: String,
    /// Why.
    pub why: String,
}

/// What was erased, by digests and numbers; the predicate of the attestation.
#[derive(ToSchema)]
pub struct Erased {
    /// SHA-256 of `echo erasure v1`, the salt and the customer's id, each followed by a line feed.
    pub customer: Digest,
    /// The fingerprint of the platform's trust root.
    pub salt: Digest,
    /// When.
    pub at: Time,
    /// The id of the person who did it.
    pub by: Id,
    /// Why.
    pub reason: ErasureReason,
    /// How many records went, by kind.
    #[schema(value_type = std::collections::HashMap<String, u64>)]
    pub records: BTreeMap<String, u64>,
    /// How many invoices stay.
    pub kept_invoices: u64,
}

/// An erasure, planned or done.
#[derive(ToSchema)]
pub struct Erasure {
    /// Where it stands.
    pub state: ErasureState,
    /// How many records go or went, by kind.
    #[schema(value_type = std::collections::HashMap<String, u64>)]
    pub goes: BTreeMap<String, u64>,
    /// What stays.
    pub stays: Vec<Stays>,
    /// Why it cannot be done now; empty when it can.
    pub obstacles: Vec<String>,
    /// What is worth knowing before.
    pub notes: Vec<String>,
    /// What was done.
    pub erased: Option<Erased>,
    /// The id of the attestation in the genesis ledger.
    #[schema(example = "erasure-0f4c2b0a9d3e4f51a6b7c8d9e0f1a2b3")]
    pub attestation: Option<String>,
}

/// What erases a customer.
#[derive(ToSchema)]
#[schema(as = EraseCustomer, example = json!({"confirm": "Bakery Weber", "reason": "customer_asked"}))]
pub struct EraseCustomerBody {
    /// The customer's name, written out.
    pub confirm: String,
    /// Why.
    pub reason: ErasureReason,
    /// Whether invoices and payments stay; not when it is not said. Erase again when no law wants them any more.
    #[schema(default = false, required = false)]
    pub keep_invoices: bool,
}

/// What the plan is to count with.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct ErasureQuery {
    /// Whether invoices and payments would stay.
    #[serde(default)]
    #[param(default = false)]
    pub keep_invoices: bool,
}

/// Read what erasing a customer would do, or what it did.
#[utoipa::path(
    get, path = "/v1/customers/{id}/erasure", tag = "house", security(("bearer" = [])),
    params(("id" = Id, Path, description = "Which one."), ErasureQuery),
    responses((status = 200, description = "The plan, or what was done.", body = Erasure))
)]
pub(crate) async fn read_erasure(
    State(shared): State<Shared>,
    caller: Caller,
    Named(id): Named<CustomerId>,
    Asked(query): Asked<ErasureQuery>,
) -> Result<Response, Problem> {
    let erasure = shared.desk.erasure(&caller.principal, &id, query.keep_invoices).await?;
    Ok(json(StatusCode::OK, &erasure))
}

/// Erase a customer with everything that is theirs.
///
/// There is no way back. What stays, and why, says the plan. Done a second time it changes nothing, and answers the same.
/// Refused while an invoice is unpaid, unless invoices stay.
#[utoipa::path(
    post, path = "/v1/customers/{id}/erasure", tag = "house", security(("bearer" = [])),
    params(("id" = Id, Path, description = "Which one.")), request_body = EraseCustomerBody,
    responses((status = 200, description = "Erased, now or before.", body = Erasure))
)]
pub(crate) async fn erase_customer(
    State(shared): State<Shared>,
    Named(id): Named<CustomerId>,
    Command { call, body: JsonBody(ask) }: Command<JsonBody<EraseCustomer>>,
) -> Response {
    let erased = shared.desk.erase_customer(&call, &id, &ask).await;
    idempotency::answer(&shared.desk, &call, StatusCode::OK, erased).await
}
