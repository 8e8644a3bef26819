//! `GET /v1/receipts`: list the receipts that you may see, newest first.

use axum::{extract::State, http::StatusCode, response::Response};
use utoipa::ToSchema;

use crate::{
    body::json,
    caller::Caller,
    problem::Problem,
    query::{Asked, PageQuery},
    schema::{Currency, Digest, Exact, Id, Page, Time},
    state::Shared,
};

/// A receipt with the use that it charges.
#[derive(ToSchema)]
pub struct ReceiptRecord {
    /// The receipt.
    pub receipt: Receipt,
    /// Digest of the signed receipt, by which the ledger and the invoice name it.
    pub digest: Digest,
    /// The metered use.
    pub meter_event: MeterEvent,
}

/// A receipt for one call of a skill.
#[derive(ToSchema)]
pub struct Receipt {
    /// Its id.
    pub id: Id,
    /// Its running number.
    pub number: Option<u64>,
    /// Which call.
    pub call: Id,
    /// Which metered use is rated here.
    pub meter_event: Id,
    /// Who is charged.
    pub customer: Id,
    /// For which case.
    pub case: Id,
    /// On which device, if on one.
    pub device: Option<Id>,
    /// Which agent did it.
    pub agent: String,
    /// By which skill.
    pub skill: String,
    /// What was sold.
    pub sku: String,
    /// On which plan.
    pub plan: String,
    /// How much was used, in the SKU's unit.
    pub quantity: Exact,
    /// How much of it the plan includes.
    pub included: Exact,
    /// What each unit of the rest costs, in major units.
    pub unit_price: Exact,
    /// (quantity - included) * unit price, in major units.
    pub amount: Exact,
    /// Of which currency.
    pub currency: Currency,
    /// The digest of what the skill was given.
    pub input: Digest,
    /// The digest of what it gave back.
    pub output: Digest,
    /// What proves the fulfilment.
    pub proof: Option<ProofRef>,
    /// When.
    pub at: Time,
}

/// A fulfilment proof by its id and digest.
#[derive(ToSchema)]
pub struct ProofRef {
    /// Which proof.
    pub id: Id,
    /// The digest under which the ledger holds it.
    pub digest: Digest,
}

/// One metered use.
#[derive(ToSchema)]
pub struct MeterEvent {
    /// Its id; a use is counted once an id.
    pub id: Id,
    /// Who used it.
    pub customer: Id,
    /// For which case.
    pub case: Id,
    /// On which device, if on one.
    pub device: Option<Id>,
    /// In which call.
    pub call: Id,
    /// What was used.
    pub sku: String,
    /// How much of it, in the SKU's unit.
    pub quantity: Exact,
    /// When.
    pub at: Time,
}

/// List the receipts that you may see, newest first.
#[utoipa::path(
    get, path = "/v1/receipts", tag = "money", security(("bearer" = [])), params(PageQuery),
    responses((status = 200, description = "A page of them.", body = Page<ReceiptRecord>))
)]
pub(crate) async fn list_receipts(
    State(shared): State<Shared>,
    caller: Caller,
    Asked(query): Asked<PageQuery>,
) -> Result<Response, Problem> {
    let page = shared.desk.receipts(&caller.principal, &query.page()?).await?;
    Ok(json(StatusCode::OK, &page))
}
