//! The bill: drawn when the case closes, settled by a payment.

use serde_json::json;

use super::{Tour, progress::Told};
use crate::{Failure, answer, invoice};

/// Closes the case, which draws the invoice.
pub fn close(tour: &mut Tour) -> Result<Told, Failure> {
    let view = tour.api()?.post(&format!("/v1/cases/{}/close", tour.case), &json!({}))?;
    tour.invoice = answer::owned(&view, "/invoice/invoice/id")?;
    let lines = answer::list(&view, "/invoice/invoice/lines")?;
    let line = format!(
        "invoice {}: {} lines, total {}",
        answer::shown(&view, "/invoice/invoice/number"),
        lines.len(),
        answer::shown(&view, "/invoice/invoice/total")
    );
    Ok(Told::new(line).with(lines.iter().map(|line| {
        format!("{:>10}  {}", answer::shown(line, "/amount"), answer::shown(line, "/description"))
    })))
}

/// Enters the payment.
pub fn settle(tour: &mut Tour) -> Result<Told, Failure> {
    let paid = invoice::pay(tour.api()?, &tour.invoice, "cash, on the tour")?;
    let state = answer::shown(&paid, "/state");
    if state != "paid" {
        return Err(Failure::failed(format!("the invoice is {state} after its payment")));
    }
    Ok(Told::new(format!(
        "{} {state}: {}",
        answer::shown(&paid, "/settlement/amount"),
        answer::shown(&paid, "/settlement/reference")
    )))
}
