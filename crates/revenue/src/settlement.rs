//! Settlements: payments that make an open invoice a paid one.

use echo_core::{Currency, InvoiceId, Money, SettlementId, Timestamp};
use serde::{Deserialize, Serialize};

use crate::{
    invoice::Invoice,
    text::{MAX_TEXT, is_line},
};

/// The DSSE payload type of a signed [`Settlement`].
pub const SETTLEMENT_TYPE: &str = "application/vnd.echo.settlement.v1+json";

/// A payment towards an invoice.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Settlement {
    /// Its id.
    pub id: SettlementId,
    /// Which invoice it pays.
    pub invoice: InvoiceId,
    /// How much.
    pub amount: Money,
    /// How it was paid.
    pub method: Method,
    /// What finds the payment again: a bank statement's line, a till's number.
    pub reference: String,
    /// When.
    pub at: Timestamp,
}

/// How a payment was made.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Method {
    /// Outside of Echo, entered by the operator: bank transfer, cash.
    Manual,
}

/// Whether an invoice is paid.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum InvoiceState {
    /// Something is due.
    Open,
    /// Nothing is due.
    Paid,
}

/// Why a payment is refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SettleError {
    /// It is for another invoice.
    #[error("the payment is for {found}, not for {wanted}: enter it there")]
    OtherInvoice {
        /// The invoice that was to be settled.
        wanted: InvoiceId,
        /// The one that the payment names.
        found: InvoiceId,
    },
    /// It is in another currency.
    #[error("the payment is in {found}, the invoice in {wanted}: enter what arrived in {wanted}")]
    OtherCurrency {
        /// The invoice's currency.
        wanted: Currency,
        /// The payment's.
        found: Currency,
    },
    /// Nothing is due any more.
    #[error("invoice {0} is paid already: nothing is due")]
    AlreadyPaid(String),
    /// It is nothing, or less.
    #[error("a payment of {0} is none: enter an amount above zero")]
    NotPositive(Money),
    /// It is more than is due.
    #[error("{paid} is more than the {due} that is due: enter {due}, and return the rest to the customer")]
    OverPayment {
        /// What was paid.
        paid: Money,
        /// What is due.
        due: Money,
    },
    /// It is less than is due.
    #[error(
        "{paid} is less than the {due} that is due: payments in parts are not taken yet, so enter one payment once \
         all of it has arrived"
    )]
    Partial {
        /// What was paid.
        paid: Money,
        /// What is due.
        due: Money,
    },
    /// What was paid earlier makes no sense for this invoice.
    #[error("{0} cannot have been paid so far on this invoice: read its settlements again")]
    PaidSoFar(Money),
    /// There is no usable reference.
    #[error("the payment needs a reference of 1 to {MAX_TEXT} printable characters that finds it again")]
    Reference,
}

impl Invoice {
    /// The state after `paid` was paid in all. An invoice over nothing is paid from the start.
    pub fn state(&self, paid: Money) -> InvoiceState {
        if paid.currency == self.currency && paid.minor >= self.total.minor {
            InvoiceState::Paid
        } else {
            InvoiceState::Open
        }
    }
}

/// The invoice's state once `settlement` is added to what was `paid_so_far`.
pub fn settle(
    invoice: &Invoice,
    paid_so_far: Money,
    settlement: &Settlement,
) -> Result<InvoiceState, SettleError> {
    if settlement.invoice != invoice.id {
        return Err(SettleError::OtherInvoice {
            wanted: invoice.id.clone(),
            found: settlement.invoice.clone(),
        });
    }
    if settlement.amount.currency != invoice.currency {
        return Err(SettleError::OtherCurrency {
            wanted: invoice.currency,
            found: settlement.amount.currency,
        });
    }
    if paid_so_far.currency != invoice.currency || paid_so_far.minor < 0 {
        return Err(SettleError::PaidSoFar(paid_so_far));
    }
    if !is_line(&settlement.reference, MAX_TEXT) {
        return Err(SettleError::Reference);
    }
    if invoice.state(paid_so_far) == InvoiceState::Paid {
        return Err(SettleError::AlreadyPaid(invoice.number.clone()));
    }
    let paid = settlement.amount;
    if paid.minor <= 0 {
        return Err(SettleError::NotPositive(paid));
    }
    // Both are at least zero here and the total is the larger, so the difference cannot overflow.
    let due = Money::new(invoice.total.minor - paid_so_far.minor, invoice.currency);
    match paid.minor.cmp(&due.minor) {
        std::cmp::Ordering::Less => Err(SettleError::Partial { paid, due }),
        std::cmp::Ordering::Greater => Err(SettleError::OverPayment { paid, due }),
        std::cmp::Ordering::Equal => Ok(InvoiceState::Paid),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        invoice::tests::{draft, receipts},
        rating::tests::{mint, stranger},
    };

    const EUR: Currency = Currency::EUR;

    fn invoice(price: i64) -> Invoice {
        let pairs = receipts(&mint(), &[(1_000_000, price)]);
        Invoice::draw(draft(&mint(), &pairs, &[])).unwrap()
    }

    fn payment(invoice: &Invoice, minor: i64) -> Settlement {
        Settlement {
            id: mint().id(),
            invoice: invoice.id.clone(),
            amount: Money::new(minor, EUR),
            method: Method::Manual,
            reference: "Statement 12, line 3".to_owned(),
            at: mint().now(),
        }
    }

    #[test]
    fn the_whole_amount_settles() {
        let invoice = invoice(40_000);
        assert_eq!(invoice.state(Money::zero(EUR)), InvoiceState::Open);
        assert_eq!(settle(&invoice, Money::zero(EUR), &payment(&invoice, 400)), Ok(InvoiceState::Paid));
        assert_eq!(settle(&invoice, Money::new(100, EUR), &payment(&invoice, 300)), Ok(InvoiceState::Paid));
    }

    #[test]
    fn any_other_amount_is_refused_with_what_to_do() {
        let invoice = invoice(40_000);
        let refusal = |so_far: i64, minor: i64| {
            let so_far = Money::new(so_far, EUR);
            settle(&invoice, so_far, &payment(&invoice, minor)).unwrap_err().to_string()
        };
        assert!(refusal(0, 401).starts_with("4.01 EUR is more than the 4.00 EUR that is due"));
        assert!(refusal(0, 399).contains("payments in parts are not taken yet"));
        assert!(refusal(0, 0).contains("above zero"));
        assert!(refusal(0, i64::MIN).contains("above zero"));
        assert!(refusal(0, i64::MAX).contains("more than"));
        assert!(refusal(400, 1).contains("paid already"));
        assert!(refusal(i64::MIN, 1).contains("cannot have been paid"));
    }

    #[test]
    fn other_invoices_currencies_and_empty_references_are_refused() {
        let invoice = invoice(40_000);
        let none = Money::zero(EUR);
        let usd: Currency = "USD".parse().unwrap();
        let good = payment(&invoice, 400);
        let mut wrong = good.clone();
        wrong.invoice = stranger().id();
        assert!(matches!(settle(&invoice, none, &wrong), Err(SettleError::OtherInvoice { .. })));
        wrong = good.clone();
        wrong.amount.currency = usd;
        assert!(matches!(settle(&invoice, none, &wrong), Err(SettleError::OtherCurrency { .. })));
        wrong = good.clone();
        wrong.reference = " ".to_owned();
        assert_eq!(settle(&invoice, none, &wrong), Err(SettleError::Reference));
        assert!(settle(&invoice, Money::zero(usd), &good).is_err());
    }

    #[test]
    fn an_invoice_over_nothing_is_paid_from_the_start() {
        let invoice = invoice(0);
        assert_eq!(invoice.state(Money::zero(EUR)), InvoiceState::Paid);
        assert!(matches!(
            settle(&invoice, Money::zero(EUR), &payment(&invoice, 1)),
            Err(SettleError::AlreadyPaid(_))
        ));
    }

    #[test]
    fn a_settlement_reads_back_what_it_wrote() {
        let settlement = payment(&invoice(40_000), 400);
        let json = serde_json::to_string(&settlement).unwrap();
        assert!(json.contains("\"method\":\"manual\""));
        assert_eq!(serde_json::from_str::<Settlement>(&json).unwrap(), settlement);
    }
}
