//! Checking an invoice against its receipts: everything it says is computed again.

use std::collections::{BTreeMap, BTreeSet};

use echo_core::{Digest, Money, ReceiptId};

use crate::{
    fault::Fault,
    invoice::{Invoice, Line, MAX_LINES},
    receipt::{ProofRef, Receipt},
    text::{MAX_DESCRIPTION, MAX_TEXT, is_line},
};

impl Invoice {
    /// Checks the invoice against the receipts it bills, each with the digest of its bytes: all faults, if any.
    ///
    /// Compares every number, reference and owner, and both ways: each line has its receipt and each receipt its
    /// line. The words (names, descriptions, units) cannot be recomputed; the invoice's signature guards them.
    pub fn check(&self, receipts: &[(Receipt, Digest)]) -> Result<(), Vec<Fault>> {
        let place = self.place();
        for (what, count) in [("lines", self.lines.len()), ("receipts", receipts.len())] {
            if count == 0 || count > MAX_LINES {
                let expected = format!("1 to {MAX_LINES}");
                return Err(vec![Fault::new(&place, what, count, expected)]);
            }
        }
        let mut faults = self.heading_faults();
        faults.extend(self.receipt_faults(receipts));
        let given: BTreeMap<&ReceiptId, &(Receipt, Digest)> =
            receipts.iter().map(|pair| (&pair.0.id, pair)).collect();
        let mut billed = BTreeSet::new();
        let mut sum = Some(Money::zero(self.currency));
        for (index, line) in self.lines.iter().enumerate() {
            let place = format!("line {} ({})", index + 1, line.receipt);
            if !billed.insert(&line.receipt) {
                faults.push(Fault::new(&place, "receipt", "on another line too", "billed once"));
            }
            match given.get(&line.receipt) {
                Some((receipt, digest)) => faults.extend(line.faults(&place, receipt, *digest)),
                None => faults.push(Fault::new(&place, "receipt", "not given", "one of the receipts")),
            }
            sum = sum.and_then(|so_far| so_far.plus(line.amount).ok());
        }
        for id in given.keys().filter(|id| !billed.contains(*id)) {
            let place = format!("receipt {id}");
            faults.push(Fault::new(&place, "line", "missing", "a line of the invoice"));
        }
        let expected = sum.map_or_else(|| "amounts that can be added".to_owned(), |sum| sum.to_string());
        if sum != Some(self.total) {
            faults.push(Fault::new(&place, "total", self.total, expected));
        }
        if faults.is_empty() { Ok(()) } else { Err(faults) }
    }
}

impl Line {
    fn faults(&self, place: &str, receipt: &Receipt, digest: Digest) -> Vec<Fault> {
        let proof = |proof: &Option<ProofRef>| {
            let text = |proof: &ProofRef| format!("{} {}", proof.id, proof.digest);
            proof.as_ref().map_or_else(|| "none".to_owned(), text)
        };
        let equal = [
            Fault::unless_equal(place, "receipt_digest", &self.receipt_digest, &digest),
            Fault::unless_equal(place, "skill", &self.skill, &receipt.skill),
            Fault::unless_equal(place, "quantity", &self.quantity, &receipt.quantity),
            Fault::unless_equal(place, "included", &self.included, &receipt.included),
            Fault::unless_equal(place, "unit_price", &self.unit_price, &receipt.unit_price),
            Fault::unless_equal(place, "proof", &proof(&self.proof), &proof(&receipt.proof)),
        ];
        let mut faults: Vec<Fault> = equal.into_iter().flatten().collect();
        match Money::round(receipt.amount, receipt.currency) {
            Ok(due) => faults.extend(Fault::unless_equal(place, "amount", &self.amount, &due)),
            Err(error) => faults.push(Fault::new(place, "amount", self.amount, error)),
        }
        if !is_line(&self.description, MAX_DESCRIPTION) || !is_line(&self.unit, MAX_TEXT) {
            faults.push(Fault::new(place, "description", "not printable", "a short text"));
        }
        faults
    }
}

#[cfg(test)]
mod tests {
    use echo_core::Currency;
    use jiff::SignedDuration;
    use proptest::prelude::*;
    use rust_decimal::Decimal;

    use super::*;
    use crate::{
        catalogue::tests::small,
        invoice::tests::{draft, receipts},
        rating::tests::{mint, stranger},
    };

    fn drawn(uses: &[(i64, i64)]) -> (Invoice, Vec<(Receipt, Digest)>) {
        let pairs = receipts(&mint(), uses);
        let invoice = Invoice::draw(draft(&mint(), &pairs, &small().skus)).unwrap();
        (invoice, pairs)
    }

    /// The fields that are found wrong once `change` was made to a good invoice and its receipts.
    fn found(change: impl FnOnce(&mut Invoice, &mut Vec<(Receipt, Digest)>)) -> Vec<&'static str> {
        let (mut invoice, mut pairs) = drawn(&[(1_000_000, 7_500), (2_000_000, 40_000)]);
        change(&mut invoice, &mut pairs);
        let faults = invoice.check(&pairs).unwrap_err();
        faults.into_iter().map(|fault| fault.what).collect()
    }

    #[test]
    fn changed_references_and_owners_are_caught() {
        assert_eq!(found(|i, _| i.customer = stranger().id()), ["customer"; 2]);
        assert_eq!(found(|i, _| i.case = stranger().id()), ["case"; 2]);
        assert_eq!(found(|i, _| i.plan = "care".parse().unwrap()), ["plan"; 2]);
        assert_eq!(found(|i, _| i.lines[0].proof = None), ["proof"]);
        assert_eq!(found(|i, _| i.lines[0].skill = "other".to_owned()), ["skill"]);
        assert_eq!(found(|i, _| i.lines[0].receipt_digest = Digest::of(b"x")), ["receipt_digest"]);
        assert_eq!(found(|_, r| r[1].1 = Digest::of(b"x")), ["receipt_digest"]);
        assert_eq!(found(|i, _| i.lines[0].description.clear()), ["description"]);
        assert_eq!(found(|i, _| i.number = "1".to_owned()), ["number"]);
        let earlier = SignedDuration::from_hours(-24 * 30);
        assert_eq!(found(|i, _| i.due = i.due.checked_add(earlier).unwrap()), ["due"]);
    }

    #[test]
    fn another_currency_is_caught_on_the_line_and_on_the_total() {
        let usd: Currency = "USD".parse().unwrap();
        assert_eq!(found(|i, _| i.lines[0].amount.currency = usd), ["amount", "total"]);
        assert_eq!(found(|i, _| i.total.currency = usd), ["total"]);
        assert!(found(|i, _| i.currency = usd).contains(&"currency"));
    }

    #[test]
    fn a_line_too_many_or_too_few_is_caught() {
        assert_eq!(found(|i, _| i.lines.push(i.lines[0].clone())), ["receipt", "total"]);
        assert_eq!(found(|i, _| drop(i.lines.pop())), ["line", "total"]);
        assert_eq!(found(|_, r| drop(r.pop())), ["receipt"]);
        assert!(found(|_, r| r.push(r[0].clone())).contains(&"id"));
        assert_eq!(found(|_, r| r.clear()), ["receipts"]);
        assert_eq!(found(|i, _| i.lines.clear()), ["lines"]);
    }

    #[test]
    fn receipts_may_come_in_any_order() {
        let (invoice, mut pairs) = drawn(&[(1_000_000, 7_500), (2_000_000, 40_000), (5, 5)]);
        pairs.reverse();
        assert_eq!(invoice.check(&pairs), Ok(()));
    }

    #[test]
    fn a_receipt_and_a_line_changed_alike_are_still_caught_by_the_arithmetic() {
        let faults = found(|i, r| {
            i.lines[0].quantity = Decimal::TEN;
            let same = r.iter_mut().find(|(receipt, _)| receipt.id == i.lines[0].receipt);
            same.unwrap().0.quantity = Decimal::TEN;
        });
        assert_eq!(faults, ["amount"]);
    }

    fn change_number(invoice: &mut Invoice, which: u8, line: usize, by: i64) {
        let by_exact = Decimal::new(by, 6);
        let line = &mut invoice.lines[line];
        match which {
            0 => invoice.total.minor = invoice.total.minor.wrapping_add(by),
            1 => line.amount.minor = line.amount.minor.wrapping_add(by),
            2 => line.quantity += by_exact,
            3 => line.included += by_exact,
            _ => line.unit_price += by_exact,
        }
    }

    proptest! {
        #[test]
        fn what_is_drawn_is_right_and_any_changed_number_is_caught(
            uses in prop::collection::vec((0_i64..=50_000_000, 0_i64..=1_000_000), 1..8),
            which in 0_u8..5,
            line: prop::sample::Index,
            by in prop_oneof![Just(1_i64), Just(-1), any::<i64>()].prop_filter("a change", |by| *by != 0),
        ) {
            let (good, pairs) = drawn(&uses);
            prop_assert_eq!(good.check(&pairs), Ok(()));
            let mut changed = good.clone();
            change_number(&mut changed, which, line.index(uses.len()), by);
            prop_assert!(changed.check(&pairs).is_err());
        }

        #[test]
        fn wild_numbers_in_a_receipt_are_faults_and_never_panics(
            mantissa in any::<i64>(), scale in 0_u32..28, which in 0_u8..4,
        ) {
            let (invoice, mut pairs) = drawn(&[(1_000_000, 7_500)]);
            let wild = Decimal::new(mantissa, scale);
            let receipt = &mut pairs[0].0;
            let field = match which {
                0 => &mut receipt.quantity,
                1 => &mut receipt.included,
                2 => &mut receipt.unit_price,
                _ => &mut receipt.amount,
            };
            let same = *field == wild;
            *field = wild;
            prop_assert_eq!(invoice.check(&pairs).is_ok(), same);
        }
    }
}
