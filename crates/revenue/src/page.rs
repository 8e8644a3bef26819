//! The invoice as a page for people: one HTML file without scripts or anything to load.

use askama::Template;
use echo_core::{Money, Timestamp};
use jiff::tz::TimeZone;
use rust_decimal::Decimal;

use crate::{
    invoice::{Invoice, Line, MAX_LINES},
    settlement::InvoiceState,
};

/// The page's style sheet, byte for byte as it stands in its `<style>` element, so that a server can allow it by
/// its hash (Content Security Policy Level 3, section 2.3.1).
pub const INVOICE_CSS: &str = include_str!("../templates/invoice.css");

/// Why a page could not be made.
#[derive(Debug, thiserror::Error)]
pub enum RenderError {
    /// More lines than an invoice may have.
    #[error("the invoice has {0} lines: {MAX_LINES} at most can be printed")]
    TooManyLines(usize),
    /// The template failed.
    #[error("the invoice could not be turned into a page: {0}")]
    Template(#[from] askama::Error),
}

#[derive(Template)]
#[template(path = "invoice.html")]
struct Page<'a> {
    css: &'static str,
    invoice: &'a Invoice,
    lines: Vec<LineView<'a>>,
    paid: bool,
    issued: String,
    due: String,
    total: String,
    proofs: usize,
    ledger_note: &'a str,
}

struct LineView<'a> {
    line: &'a Line,
    quantity: String,
    included: Option<String>,
    unit_price: String,
    amount: String,
}

/// The page of `invoice`. `ledger_note` says where the invoice stands in the ledger; left out when empty.
///
/// Every text is escaped; the page loads nothing and runs nothing.
pub fn html(invoice: &Invoice, state: InvoiceState, ledger_note: &str) -> Result<String, RenderError> {
    if invoice.lines.len() > MAX_LINES {
        return Err(RenderError::TooManyLines(invoice.lines.len()));
    }
    let page = Page {
        css: INVOICE_CSS,
        invoice,
        lines: invoice.lines.iter().map(LineView::of).collect(),
        paid: state == InvoiceState::Paid,
        issued: day(invoice.issued),
        due: day(invoice.due),
        total: figure(invoice.total),
        proofs: invoice.lines.iter().filter(|line| line.proof.is_some()).count(),
        ledger_note,
    };
    Ok(page.render()?)
}

impl<'a> LineView<'a> {
    fn of(line: &'a Line) -> Self {
        let places = line.amount.currency.exponent();
        let mut unit_price = line.unit_price.normalize();
        if unit_price.scale() < places {
            unit_price.rescale(places);
        }
        Self {
            line,
            quantity: line.quantity.normalize().to_string(),
            included: (line.included > Decimal::ZERO).then(|| line.included.normalize().to_string()),
            unit_price: unit_price.to_string(),
            amount: figure(line.amount),
        }
    }
}

/// The amount without its currency, which stands in the column's head.
fn figure(money: Money) -> String {
    let places = money.currency.exponent() as usize;
    format!("{:.places$}", money.major())
}

fn day(at: Timestamp) -> String {
    at.to_zoned(TimeZone::UTC).strftime("%-d %B %Y").to_string()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        catalogue::tests::small,
        invoice::tests::{draft, receipts},
        rating::tests::mint,
    };

    fn invoice() -> Invoice {
        let mut pairs = receipts(&mint(), &[(1_000_000, 7_500), (3_000_000, 40_005)]);
        pairs[1].0.included = Decimal::ONE;
        pairs[1].0.amount = Decimal::TWO * pairs[1].0.unit_price;
        pairs[0].0.proof = None;
        Invoice::draw(draft(&mint(), &pairs, &small().skus)).unwrap()
    }

    /// The page's text, tags taken out and spaces drawn together.
    fn words(page: &str) -> String {
        let body = page.split("</style>").nth(1).unwrap();
        let mut text = String::new();
        for part in body.split('<') {
            text.push(' ');
            text.push_str(part.split_once('>').map_or("", |(_, after)| after));
        }
        text.split_whitespace().collect::<Vec<_>>().join(" ")
    }

    #[test]
    fn the_page_says_what_is_owed_for_what_and_what_proves_it() {
        let invoice = invoice();
        let text = words(&html(&invoice, InvoiceState::Open, "entry 7 of aeterna_ledger").unwrap());
        let proven = invoice.lines.iter().find_map(|line| line.proof.as_ref()).unwrap();
        let keys = [
            "Invoice 2026-000001",
            "Open, due 7 December 2026",
            "Hill Farm Computing Lane 1 Dale Tax number DE123456789",
            "For Ada&#39;s Bakery",
            "Issued 23 November 2026",
            "Plan basic",
            "To pay 8.75 EUR",
            "Work Quantity Price Amount",
            "Total 8.75 EUR",
            "Check it yourself",
            "echo_cli verify FILE --root FINGERPRINT",
            "In the ledger: entry 7 of aeterna_ledger",
        ];
        let mut rest = text.as_str();
        for key in keys {
            let at = rest.find(key);
            rest = &rest[at.unwrap_or_else(|| panic!("`{key}` is not next in: {rest}"))..];
        }
        assert!(text.contains("Posture scan 1 × 0.75 per scan 1 0.75 per scan 0.75"), "{text}");
        assert!(text.contains(
            "Posture scan 3 × 4.0005 per scan 3 4.0005 per scan 8.00 1 of 3 included in your plan."
        ));
        assert!(text.contains(&format!("Proven. Proof {} , {}", proven.id, proven.digest)));
        for line in &invoice.lines {
            assert!(text.contains(&format!("Receipt {} , {}", line.receipt, line.receipt_digest)));
        }
    }

    #[test]
    fn a_paid_invoice_thanks_and_asks_for_nothing() {
        let text = words(&html(&invoice(), InvoiceState::Paid, "").unwrap());
        assert!(text.contains("Paid, thank you") && text.contains("Total, paid 8.75 EUR"));
        for absent in ["To pay", "Open, due", "In the ledger"] {
            assert!(!text.contains(absent), "{absent}");
        }
    }

    #[test]
    fn hostile_texts_stay_texts() {
        let hostile = "<script>alert(1)</script>\"'><img src=x onerror=y>&amp;";
        let mut invoice = invoice();
        invoice.number = hostile.to_owned();
        invoice.customer_name = hostile.to_owned();
        invoice.seller.name = hostile.to_owned();
        invoice.seller.address = vec![hostile.to_owned()];
        invoice.seller.tax_id = Some(hostile.to_owned());
        invoice.lines[0].description = hostile.to_owned();
        invoice.lines[0].unit = hostile.to_owned();
        let page = html(&invoice, InvoiceState::Open, hostile).unwrap();
        for tag in ["<script", "<img", "\"'>"] {
            assert!(!page.contains(tag), "{tag}");
        }
        assert!(page.matches("&#60;script&#62;").count() >= 8, "{page}");
    }

    #[test]
    fn the_page_loads_and_runs_nothing_and_its_style_is_the_one_published() {
        let page = html(&invoice(), InvoiceState::Open, "").unwrap();
        assert!(page.contains(&format!("<style>{INVOICE_CSS}</style>")));
        for absent in ["<script", "<link", "<img", "src=", "url(", "@import", "http:", "https:", " style="] {
            assert!(!page.contains(absent), "{absent}");
        }
        for hook in [
            "<html lang=\"en\">",
            "<main id=\"main\">",
            "<caption>",
            "scope=\"row\"",
            "@page",
            "@media print",
        ] {
            assert!(page.contains(hook), "{hook}");
        }
        assert_eq!(page.matches("<h1>").count(), 1);
        assert!(page.contains("prefers-color-scheme: dark"));
    }

    #[test]
    fn currencies_without_minor_units_print_without_places() {
        assert_eq!(figure(Money::new(1_205, "JPY".parse().unwrap())), "1205");
        assert_eq!(figure(Money::new(5, echo_core::Currency::EUR)), "0.05");
    }

    #[test]
    fn more_lines_than_an_invoice_has_are_refused() {
        let mut invoice = invoice();
        invoice.lines = vec![invoice.lines[0].clone(); MAX_LINES + 1];
        assert!(matches!(html(&invoice, InvoiceState::Open, ""), Err(RenderError::TooManyLines(_))));
    }
}
