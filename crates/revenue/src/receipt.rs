//! The receipt: what one call of a skill cost, what went in, what came out and what proves it.

use echo_core::{
    CallId, CaseId, Currency, CustomerId, DeviceId, Digest, MeterEventId, ProofId, ReceiptId, Timestamp,
};
use rust_decimal::Decimal;
use serde::{Deserialize, Serialize};

use crate::{
    exact,
    fault::Fault,
    name::{PlanId, SkuId},
    text::{MAX_TEXT, is_line},
};

/// The DSSE payload type of a signed [`Receipt`].
pub const RECEIPT_TYPE: &str = "application/vnd.echo.receipt.v1+json";

/// A fulfilment proof by its id and the digest of its bytes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ProofRef {
    /// Which proof.
    pub id: ProofId,
    /// The digest under which the ledger holds it.
    pub digest: Digest,
}

/// A receipt for one call of a skill.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Receipt {
    /// Its id.
    pub id: ReceiptId,
    /// Its running number, where the operator numbers receipts.
    pub number: Option<u64>,
    /// Which call.
    pub call: CallId,
    /// Which metered use is rated here.
    pub meter_event: MeterEventId,
    /// Who is charged.
    pub customer: CustomerId,
    /// For which case.
    pub case: CaseId,
    /// On which device, if on one.
    pub device: Option<DeviceId>,
    /// Which agent did it.
    pub agent: String,
    /// By which skill.
    pub skill: String,
    /// What was sold.
    pub sku: SkuId,
    /// On which plan.
    pub plan: PlanId,
    /// How much was used, in the SKU's unit.
    #[serde(with = "exact")]
    pub quantity: Decimal,
    /// How much of it the plan includes.
    #[serde(with = "exact")]
    pub included: Decimal,
    /// What each unit of the rest costs, in major units.
    #[serde(with = "exact")]
    pub unit_price: Decimal,
    /// (quantity - included) * unit price, exact, in major units.
    #[serde(with = "exact")]
    pub amount: Decimal,
    /// Of which currency.
    pub currency: Currency,
    /// The digest of what the skill was given.
    pub input: Digest,
    /// The digest of what it gave back.
    pub output: Digest,
    /// What proves the fulfilment, where there is something to prove.
    pub proof: Option<ProofRef>,
    /// When.
    pub at: Timestamp,
}

impl Receipt {
    /// Recomputes the arithmetic and looks at the bounds; the first fault, if any.
    pub fn check(&self) -> Result<(), Fault> {
        let place = self.place();
        let fault = |what, stated: Decimal, expected: &str| Err(Fault::new(&place, what, stated, expected));
        if !exact::is_quantity(self.quantity) {
            return fault("quantity", self.quantity, "a quantity within bounds");
        }
        if !exact::is_quantity(self.included) || self.included > self.quantity {
            return fault("included", self.included, "0 up to the quantity");
        }
        if !exact::is_price(self.unit_price) {
            return fault("unit_price", self.unit_price, "a price within bounds");
        }
        match exact::amount(self.quantity, self.included, self.unit_price) {
            Some(due) if due == self.amount && !self.amount.is_sign_negative() => {}
            Some(due) => return fault("amount", self.amount, &due.normalize().to_string()),
            None => return fault("amount", self.amount, "an amount within bounds"),
        }
        for (what, text) in [("agent", &self.agent), ("skill", &self.skill)] {
            if !is_line(text, MAX_TEXT) {
                return Err(Fault::new(&place, what, "not printable", "a short name"));
            }
        }
        Ok(())
    }

    pub(crate) fn place(&self) -> String {
        format!("receipt {}", self.id)
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use echo_core::Mint;
    use trust::{dsse::Envelope, key::KeyPair};

    use super::*;
    use crate::rating::tests::mint;

    /// A receipt for `quantity` millionths of a unit at `price` hundredths of a cent.
    pub(crate) fn receipt(
        mint: &Mint,
        case: &CaseId,
        customer: &CustomerId,
        quantity: i64,
        price: i64,
    ) -> Receipt {
        let (quantity, unit_price) = (Decimal::new(quantity, 6), Decimal::new(price, 4));
        Receipt {
            id: mint.id(),
            number: None,
            call: mint.id(),
            meter_event: mint.id(),
            customer: customer.clone(),
            case: case.clone(),
            device: Some(mint.id()),
            agent: "scanner".to_owned(),
            skill: "scanner.posture".to_owned(),
            sku: "scanner.posture".parse().unwrap(),
            plan: "basic".parse().unwrap(),
            quantity,
            included: Decimal::ZERO,
            unit_price,
            amount: quantity * unit_price,
            currency: Currency::EUR,
            input: Digest::of(b"in"),
            output: Digest::of(b"out"),
            proof: Some(ProofRef { id: mint.id(), digest: Digest::of(b"proof") }),
            at: mint.now(),
        }
    }

    fn one() -> Receipt {
        let mint = mint();
        receipt(&mint, &mint.id(), &mint.id(), 3_000_000, 7_500)
    }

    #[test]
    fn a_receipt_survives_signing() {
        let key = KeyPair::from_secret(&[7; 32]);
        let envelope = Envelope::sign(RECEIPT_TYPE, &one(), &[&key]).unwrap();
        let read: Receipt = envelope.verify(RECEIPT_TYPE, &[key.public()], 1).unwrap();
        assert_eq!(read, one());
        assert_eq!(read.check(), Ok(()));
        assert!(envelope.verify::<Receipt>(crate::INVOICE_TYPE, &[key.public()], 1).is_err());
    }

    #[test]
    fn decimals_are_written_as_text_and_unknown_fields_are_refused() {
        let mut json = serde_json::to_value(one()).unwrap();
        assert_eq!(json["unit_price"], "0.7500");
        json["extra"] = true.into();
        assert!(serde_json::from_value::<Receipt>(json).is_err());
    }

    #[test]
    fn each_changed_number_is_named() {
        let fault = |change: fn(&mut Receipt)| {
            let mut receipt = one();
            change(&mut receipt);
            receipt.check().unwrap_err().what
        };
        assert_eq!(fault(|r| r.quantity = Decimal::TWO), "amount");
        assert_eq!(fault(|r| r.unit_price = Decimal::ONE), "amount");
        assert_eq!(fault(|r| r.included = Decimal::ONE), "amount");
        assert_eq!(fault(|r| r.amount = Decimal::NEGATIVE_ONE), "amount");
        assert_eq!(fault(|r| r.included = Decimal::TEN), "included");
        assert_eq!(fault(|r| r.included = Decimal::NEGATIVE_ONE), "included");
        assert_eq!(fault(|r| r.quantity = Decimal::MAX), "quantity");
        assert_eq!(fault(|r| r.unit_price = Decimal::MAX), "unit_price");
        assert_eq!(fault(|r| r.skill = "a\nb".to_owned()), "skill");
    }

    #[test]
    fn a_fault_says_what_should_stand_there() {
        let mut wrong = one();
        wrong.amount = Decimal::new(999, 2);
        let text = wrong.check().unwrap_err().to_string();
        assert!(text.ends_with("amount is 9.99, expected 2.25"), "{text}");
    }
}
