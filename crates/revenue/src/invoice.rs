//! The invoice: receipts of one case, each rounded once to a line, and their sum.

use std::collections::BTreeSet;

use echo_core::{CaseId, Currency, CustomerId, Digest, InvoiceId, Money, MoneyError, ReceiptId, Timestamp};
use jiff::{SignedDuration, tz::TimeZone};
use rust_decimal::Decimal;
use serde::{Deserialize, Serialize};

use crate::{
    catalogue::{Seller, Sku},
    exact,
    fault::Fault,
    name::PlanId,
    receipt::{ProofRef, Receipt},
    text::{MAX_TEXT, is_line},
};

/// The DSSE payload type of a signed [`Invoice`].
pub const INVOICE_TYPE: &str = "application/vnd.echo.invoice.v1+json";
/// The most lines of an invoice.
pub const MAX_LINES: usize = 1_000;
/// The most days a customer may be given to pay.
pub const MAX_DAYS_TO_PAY: u32 = 365;

/// A bill for one case.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Invoice {
    /// Its id.
    pub id: InvoiceId,
    /// Its number for people and tax offices: `2026-000001`.
    pub number: String,
    /// Who pays.
    pub customer: CustomerId,
    /// Their name, as printed.
    pub customer_name: String,
    /// Who is paid.
    pub seller: Seller,
    /// For which case.
    pub case: CaseId,
    /// On which plan.
    pub plan: PlanId,
    /// Of which currency every amount is.
    pub currency: Currency,
    /// One line a receipt, oldest first.
    pub lines: Vec<Line>,
    /// The sum of the lines.
    pub total: Money,
    /// When it was drawn.
    pub issued: Timestamp,
    /// By when it is to be paid.
    pub due: Timestamp,
}

/// One line of an invoice.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Line {
    /// The receipt that is billed.
    pub receipt: ReceiptId,
    /// The digest under which the ledger holds the receipt.
    pub receipt_digest: Digest,
    /// What the customer got.
    pub description: String,
    /// By which skill.
    pub skill: String,
    /// How much of it.
    #[serde(with = "exact")]
    pub quantity: Decimal,
    /// What one of it is called.
    pub unit: String,
    /// How much the plan includes.
    #[serde(with = "exact")]
    pub included: Decimal,
    /// What each unit of the rest costs, in major units.
    #[serde(with = "exact")]
    pub unit_price: Decimal,
    /// The receipt's amount, rounded half to even: the one rounding there is.
    pub amount: Money,
    /// What proves the fulfilment.
    pub proof: Option<ProofRef>,
}

/// All that an invoice is drawn from.
#[derive(Debug, Clone)]
pub struct InvoiceDraft<'a> {
    /// The invoice's id.
    pub id: InvoiceId,
    /// Its number, from [`invoice_number`].
    pub number: String,
    /// Who pays.
    pub customer: CustomerId,
    /// Their name, as printed.
    pub customer_name: String,
    /// Who is paid.
    pub seller: Seller,
    /// For which case.
    pub case: CaseId,
    /// On which plan.
    pub plan: PlanId,
    /// Of which currency.
    pub currency: Currency,
    /// The catalogue's SKUs, for words; a receipt whose SKU is gone is described by its skill.
    pub skus: &'a [Sku],
    /// What is billed, each with the digest under which the ledger holds it.
    pub receipts: &'a [(Receipt, Digest)],
    /// The time of drawing.
    pub issued: Timestamp,
    /// How many days are given to pay, [`MAX_DAYS_TO_PAY`] at most.
    pub days_to_pay: u32,
}

/// Why an invoice cannot be drawn.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum InvoiceError {
    /// There is nothing to bill.
    #[error("the case has no receipts: an invoice needs one at least")]
    Empty,
    /// There is too much for one invoice.
    #[error("the case has {0} receipts: an invoice holds {MAX_LINES} at most")]
    TooManyLines(usize),
    /// A receipt, or what the invoice says of itself, is wrong.
    #[error("the invoice cannot be drawn: {0}")]
    Fault(Fault),
    /// More time to pay than is possible.
    #[error("{0} days to pay are too many: {MAX_DAYS_TO_PAY} at most")]
    DaysToPay(u32),
    /// The amounts cannot be held.
    #[error("the invoice cannot be drawn: {0}")]
    Money(#[from] MoneyError),
}

/// The number of the invoice that is the `sequence`th of the year of `issued` (UTC): `2026-000001`.
pub fn invoice_number(issued: Timestamp, sequence: u64) -> String {
    let year = issued.to_zoned(TimeZone::UTC).year();
    format!("{year:04}-{sequence:06}")
}

impl Invoice {
    /// Draws the invoice of a case from its receipts.
    pub fn draw(draft: InvoiceDraft<'_>) -> Result<Self, InvoiceError> {
        let InvoiceDraft { receipts, skus, .. } = draft;
        if receipts.is_empty() {
            return Err(InvoiceError::Empty);
        }
        if receipts.len() > MAX_LINES {
            return Err(InvoiceError::TooManyLines(receipts.len()));
        }
        let due = due_date(draft.issued, draft.days_to_pay)?;
        let mut ordered: Vec<_> = receipts.iter().collect();
        ordered.sort_by(|(a, _), (b, _)| (a.at, &a.id).cmp(&(b.at, &b.id)));
        // The amounts of faulty receipts mean nothing, so faults come before any arithmetic.
        let mut invoice = Self {
            id: draft.id,
            number: draft.number,
            customer: draft.customer,
            customer_name: draft.customer_name,
            seller: draft.seller,
            case: draft.case,
            plan: draft.plan,
            currency: draft.currency,
            lines: Vec::new(),
            total: Money::zero(draft.currency),
            issued: draft.issued,
            due,
        };
        let mut faults = invoice.heading_faults();
        faults.extend(invoice.receipt_faults(receipts));
        if let Some(fault) = faults.into_iter().next() {
            return Err(InvoiceError::Fault(fault));
        }
        invoice.lines = ordered
            .into_iter()
            .map(|(receipt, digest)| Line::of(receipt, *digest, skus))
            .collect::<Result<_, _>>()?;
        invoice.total = Money::sum(invoice.currency, invoice.lines.iter().map(|line| line.amount))?;
        Ok(invoice)
    }

    /// What is wrong with all but the lines and the total.
    pub(crate) fn heading_faults(&self) -> Vec<Fault> {
        let place = self.place();
        let mut faults = Vec::new();
        if !is_number(&self.number) {
            faults.push(Fault::new(
                &place,
                "number",
                "not a number",
                "a year, a hyphen and six to twelve digits",
            ));
        }
        if !is_line(&self.customer_name, MAX_TEXT) {
            faults.push(Fault::new(&place, "customer_name", "not printable", "a name"));
        }
        if !self.seller.is_printable() {
            faults.push(Fault::new(&place, "seller", "not printable", "a name and an address"));
        }
        let longest = SignedDuration::from_hours(24 * i64::from(MAX_DAYS_TO_PAY));
        let given = self.due.duration_since(self.issued);
        if given.is_negative() || given > longest {
            let expected = format!("0 to {MAX_DAYS_TO_PAY} days after {}", self.issued);
            faults.push(Fault::new(&place, "due", self.due, expected));
        }
        faults
    }

    /// What is wrong with the receipts: in themselves, as this invoice's, and beside each other.
    pub(crate) fn receipt_faults(&self, receipts: &[(Receipt, Digest)]) -> Vec<Fault> {
        let mut faults = Vec::new();
        let (mut ids, mut calls, mut uses) = (BTreeSet::new(), BTreeSet::new(), BTreeSet::new());
        let mut digests = BTreeSet::new();
        for (receipt, digest) in receipts {
            let place = receipt.place();
            faults.extend(receipt.check().err());
            faults.extend(
                [
                    Fault::unless_equal(&place, "customer", &receipt.customer, &self.customer),
                    Fault::unless_equal(&place, "case", &receipt.case, &self.case),
                    Fault::unless_equal(&place, "plan", &receipt.plan, &self.plan),
                    Fault::unless_equal(&place, "currency", &receipt.currency, &self.currency),
                ]
                .into_iter()
                .flatten(),
            );
            let again = [
                ("id", ids.insert(&receipt.id)),
                ("call", calls.insert(&receipt.call)),
                ("meter_event", uses.insert(&receipt.meter_event)),
                ("digest", digests.insert(*digest)),
            ];
            let repeated = again.into_iter().find(|(_, new)| !new);
            faults.extend(
                repeated
                    .map(|(what, _)| Fault::new(&place, what, "that of another receipt too", "billed once")),
            );
        }
        faults
    }

    pub(crate) fn place(&self) -> String {
        format!("invoice {}", self.id)
    }
}

impl Line {
    fn of(receipt: &Receipt, digest: Digest, skus: &[Sku]) -> Result<Self, MoneyError> {
        let sku = skus.iter().find(|sku| sku.id == receipt.sku);
        Ok(Self {
            receipt: receipt.id.clone(),
            receipt_digest: digest,
            description: sku.map_or_else(|| receipt.skill.clone(), |sku| sku.description.clone()),
            skill: receipt.skill.clone(),
            quantity: receipt.quantity,
            unit: sku.map_or_else(|| "use".to_owned(), |sku| sku.unit.clone()),
            included: receipt.included,
            unit_price: receipt.unit_price,
            amount: Money::round(receipt.amount, receipt.currency)?,
            proof: receipt.proof.clone(),
        })
    }
}

fn due_date(issued: Timestamp, days: u32) -> Result<Timestamp, InvoiceError> {
    if days > MAX_DAYS_TO_PAY {
        return Err(InvoiceError::DaysToPay(days));
    }
    issued
        .checked_add(SignedDuration::from_hours(24 * i64::from(days)))
        .map_err(|_| InvoiceError::DaysToPay(days))
}

fn is_number(text: &str) -> bool {
    let digits = |part: &str| part.bytes().all(|b| b.is_ascii_digit());
    text.split_once('-').is_some_and(|(year, sequence)| {
        year.len() == 4 && (6..=12).contains(&sequence.len()) && digits(year) && digits(sequence)
    })
}

#[cfg(test)]
pub(crate) mod tests {
    use echo_core::Mint;
    use proptest::prelude::*;

    use super::*;
    use crate::{
        catalogue::tests::small,
        rating::tests::{mint, stranger},
        receipt::tests::receipt,
    };

    /// Receipts of one case over (quantity in millionths, price in hundredths of a cent), each with its digest.
    pub(crate) fn receipts(mint: &Mint, uses: &[(i64, i64)]) -> Vec<(Receipt, Digest)> {
        let (case, customer) = (mint.id(), mint.id());
        uses.iter()
            .map(|(quantity, price)| receipt(mint, &case, &customer, *quantity, *price))
            .map(|receipt| (receipt.clone(), Digest::of(receipt.id.to_string().as_bytes())))
            .collect()
    }

    /// The draft of an invoice over `receipts`, of which there must be one.
    pub(crate) fn draft<'a>(
        mint: &Mint,
        receipts: &'a [(Receipt, Digest)],
        skus: &'a [Sku],
    ) -> InvoiceDraft<'a> {
        InvoiceDraft {
            id: mint.id(),
            number: invoice_number(mint.now(), 1),
            customer: receipts[0].0.customer.clone(),
            customer_name: "Ada's Bakery".to_owned(),
            seller: small().seller,
            case: receipts[0].0.case.clone(),
            plan: receipts[0].0.plan.clone(),
            currency: Currency::EUR,
            skus,
            receipts,
            issued: mint.now(),
            days_to_pay: 14,
        }
    }

    fn draw(receipts: &[(Receipt, Digest)]) -> Result<Invoice, InvoiceError> {
        Invoice::draw(draft(&mint(), receipts, &small().skus))
    }

    fn refused_for(change: impl FnOnce(&mut Vec<(Receipt, Digest)>)) -> &'static str {
        let mut pairs = receipts(&mint(), &[(1_000_000, 7_500), (2_000_000, 7_500)]);
        let good = draft(&mint(), &pairs, &[]);
        let (customer, case) = (good.customer, good.case);
        change(&mut pairs);
        let mut draft = draft(&mint(), &pairs, &[]);
        (draft.customer, draft.case) = (customer, case);
        match Invoice::draw(draft) {
            Err(InvoiceError::Fault(fault)) => fault.what,
            other => panic!("expected a fault, got {other:?}"),
        }
    }

    #[test]
    fn an_invoice_bills_its_receipts_and_names_their_proofs() {
        let pairs = receipts(&mint(), &[(1_000_000, 7_500), (2_000_000, 40_000)]);
        let invoice = draw(&pairs).unwrap();
        assert_eq!(invoice.number, "2026-000001");
        assert_eq!(invoice.total, Money::new(875, Currency::EUR));
        assert_eq!(invoice.due.duration_since(invoice.issued), SignedDuration::from_hours(14 * 24));
        let first = &invoice.lines[0];
        assert_eq!((first.description.as_str(), first.unit.as_str()), ("Posture scan", "scan"));
        let billed = pairs.iter().find(|(receipt, _)| receipt.id == first.receipt);
        assert_eq!(first.proof, billed.unwrap().0.proof);
        let json = serde_json::to_string(&invoice).unwrap();
        assert_eq!(serde_json::from_str::<Invoice>(&json).unwrap(), invoice);
    }

    #[test]
    fn lines_stand_in_the_order_of_time_whatever_order_receipts_come_in() {
        let mut pairs = receipts(&mint(), &[(1_000_000, 7_500), (2_000_000, 7_500), (3_000_000, 7_500)]);
        let hour = SignedDuration::from_hours(1);
        pairs[0].0.at = pairs[0].0.at.checked_add(hour).unwrap();
        let drawn = draw(&pairs).unwrap();
        assert_eq!(drawn.lines[2].receipt, pairs[0].0.id);
        let digests = |invoice: &Invoice| invoice.lines.iter().map(|l| l.receipt_digest).collect::<Vec<_>>();
        pairs.reverse();
        assert_eq!(digests(&draw(&pairs).unwrap()), digests(&drawn));
    }

    #[test]
    fn a_line_rounds_halves_to_even_and_an_unknown_sku_is_described_by_its_skill() {
        let pairs = receipts(&mint(), &[(1_000_000, 50), (1_000_000, 150), (1_000_000, 49)]);
        let invoice = Invoice::draw(draft(&mint(), &pairs, &[])).unwrap();
        let mut minor: Vec<_> = invoice.lines.iter().map(|line| line.amount.minor).collect();
        minor.sort_unstable();
        assert_eq!(minor, [0, 0, 2]);
        assert_eq!(invoice.lines[0].description, "scanner.posture");
    }

    #[test]
    fn nothing_is_billed_twice() {
        assert_eq!(refused_for(|r| r[1] = r[0].clone()), "id");
        assert_eq!(refused_for(|r| r[1].0.call = r[0].0.call.clone()), "call");
        assert_eq!(refused_for(|r| r[1].0.meter_event = r[0].0.meter_event.clone()), "meter_event");
        assert_eq!(refused_for(|r| r[1].1 = r[0].1), "digest");
    }

    #[test]
    fn receipts_of_others_are_refused() {
        assert_eq!(refused_for(|r| r[1].0.customer = stranger().id()), "customer");
        assert_eq!(refused_for(|r| r[1].0.case = stranger().id()), "case");
        assert_eq!(refused_for(|r| r[1].0.plan = "care".parse().unwrap()), "plan");
        assert_eq!(refused_for(|r| r[1].0.currency = "USD".parse().unwrap()), "currency");
        assert_eq!(refused_for(|r| r[1].0.amount = Decimal::ZERO), "amount");
    }

    #[test]
    fn bounds_are_errors_and_never_panics() {
        let one = receipts(&mint(), &[(10_000_000_000_000, 100_000_000_000)]);
        assert_eq!(draw(&one).unwrap().total, Money::new(10_000_000_000_000_000, Currency::EUR));
        let huge = vec![(10_000_000_000_000, 100_000_000_000); 923];
        assert_eq!(draw(&receipts(&mint(), &huge)), Err(InvoiceError::Money(MoneyError::Overflow)));
        let many = receipts(&mint(), &vec![(1, 1); MAX_LINES + 1]);
        assert_eq!(draw(&many), Err(InvoiceError::TooManyLines(MAX_LINES + 1)));
        let refused = |change: fn(&mut InvoiceDraft<'_>)| {
            let pairs = &one;
            let mut draft = draft(&mint(), pairs, &[]);
            change(&mut draft);
            Invoice::draw(draft).unwrap_err().to_string()
        };
        assert!(refused(|d| d.receipts = &[]).contains("no receipts"));
        assert!(refused(|d| d.days_to_pay = 366).contains("365 at most"));
        assert!(refused(|d| d.issued = Timestamp::MAX).contains("days to pay"));
        assert!(refused(|d| d.number = "26-1".to_owned()).contains("number"));
        assert!(refused(|d| d.customer_name = "\u{202e}".to_owned()).contains("customer_name"));
        assert!(refused(|d| d.seller.address = vec!["x".to_owned(); 99]).contains("seller"));
    }

    proptest! {
        #[test]
        fn the_lines_sum_to_the_total_and_rounding_costs_at_most_half_a_cent_a_line(
            uses in prop::collection::vec((0_i64..=5_000_000, 0_i64..=100_000), 1..40),
        ) {
            let pairs = receipts(&mint(), &uses);
            let invoice = draw(&pairs).unwrap();
            let sum: i64 = invoice.lines.iter().map(|line| line.amount.minor).sum();
            prop_assert_eq!(invoice.total.minor, sum);
            let exact: Decimal = pairs.iter().map(|(receipt, _)| receipt.amount).sum();
            let rule = Decimal::new(5, 3) * Decimal::from(uses.len());
            prop_assert!((invoice.total.major() - exact).abs() <= rule);
        }
    }
}
