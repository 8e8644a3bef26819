//! `POST /v1/invoices/{id}/payments`: a payment that somebody saw arrive.

use axum::{extract::State, http::StatusCode, response::Response};
use desk::NewPayment;
use echo_core::InvoiceId;
use utoipa::ToSchema;

use crate::{
    body::JsonBody,
    endpoint::invoices::InvoiceRecord,
    idempotency::{self, Command},
    path::Named,
    schema::{Id, Money},
    state::Shared,
};

/// A payment that somebody saw arrive.
#[derive(ToSchema)]
#[schema(
    as = NewPayment,
    example = json!({"amount": {"minor": 1250, "currency": "EUR"}, "reference": "Bank statement 14, line 3"})
)]
pub struct NewPaymentBody {
    /// How much: all that is due.
    pub amount: Money,
    /// What finds the payment again.
    #[schema(min_length = 1)]
    pub reference: String,
}

/// Enter a payment that arrived outside of Echo.
#[utoipa::path(
    post, path = "/v1/invoices/{id}/payments", tag = "money", security(("bearer" = [])),
    params(("id" = Id, Path, description = "Of which invoice.")), request_body = NewPaymentBody,
    responses((status = 201, description = "Entered; the invoice is paid.", body = InvoiceRecord))
)]
pub(crate) async fn enter_payment(
    State(shared): State<Shared>,
    Named(id): Named<InvoiceId>,
    Command { call, body: JsonBody(payment) }: Command<JsonBody<NewPayment>>,
) -> Response {
    let paid = shared.desk.pay(&call, &id, payment).await;
    idempotency::answer(&shared.desk, &call, StatusCode::CREATED, paid).await
}
