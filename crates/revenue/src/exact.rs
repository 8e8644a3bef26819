//! Exact decimals: how they are written, and the bounds within which no product of them is rounded.
//!
//! A quantity has at most 13 digits and a price at most 11, so their product has at most 24, and 28 once turned
//! into the minor units of any currency: all of it fits the 28 digits that a [`Decimal`] always holds.

use rust_decimal::Decimal;
use serde::{Deserialize, Deserializer, Serialize, Serializer, de::Error as _};

/// The largest quantity of one meter event or receipt.
pub const MAX_QUANTITY: u32 = 10_000_000;
/// The largest price of one unit, in major units.
pub const MAX_UNIT_PRICE: u32 = 10_000_000;
/// The most decimal places of a quantity.
pub const QUANTITY_PLACES: u32 = 6;
/// The most decimal places of a unit price, in major units.
pub const PRICE_PLACES: u32 = 4;

/// The most characters a decimal is written with: 29 digits and a point.
const MAX_DECIMAL_TEXT: usize = 30;

/// Whether `value` is within 0 and [`MAX_QUANTITY`], with [`QUANTITY_PLACES`] at most.
///
/// A zero with a minus is refused: it would be written `-0`, which does not read back.
pub(crate) fn is_quantity(value: Decimal) -> bool {
    is_usage(value) && !value.is_sign_negative() && value <= Decimal::from(MAX_QUANTITY)
}

/// Whether `value` can be a sum of quantities: not negative, with [`QUANTITY_PLACES`] at most.
pub(crate) fn is_usage(value: Decimal) -> bool {
    value >= Decimal::ZERO && value.normalize().scale() <= QUANTITY_PLACES
}

/// Whether `value` is within 0 and [`MAX_UNIT_PRICE`], with [`PRICE_PLACES`] at most.
pub(crate) fn is_price(value: Decimal) -> bool {
    !value.is_sign_negative()
        && value <= Decimal::from(MAX_UNIT_PRICE)
        && value.normalize().scale() <= PRICE_PLACES
}

/// What `quantity`, less what is `included`, costs at `unit_price`: exact, or nothing when a value is out of bounds.
pub(crate) fn amount(quantity: Decimal, included: Decimal, unit_price: Decimal) -> Option<Decimal> {
    let in_bounds = is_quantity(quantity) && is_quantity(included) && is_price(unit_price);
    if !in_bounds || included > quantity {
        return None;
    }
    // A value may carry more trailing zeros than its bound; without them the product is short enough.
    quantity.checked_sub(included)?.normalize().checked_mul(unit_price.normalize())
}

/// Reads digits with at most one point between them: no sign, no exponent, nothing rounded away.
pub(crate) fn parse(text: &str) -> Option<Decimal> {
    let (whole, places) = text.split_once('.').unwrap_or((text, "0"));
    let digits = |part: &str| !part.is_empty() && part.bytes().all(|b| b.is_ascii_digit());
    let fits = text.len() <= MAX_DECIMAL_TEXT && digits(whole) && digits(places);
    fits.then(|| Decimal::from_str_exact(text).ok()).flatten()
}

/// A decimal that is written and read as text only, for `serde`.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Exact(pub(crate) Decimal);

impl<'de> Deserialize<'de> for Exact {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        let text = String::deserialize(from)?;
        parse(&text).map(Self).ok_or_else(|| {
            let shown: String = text.chars().take(MAX_DECIMAL_TEXT).collect();
            D::Error::custom(format!(
                "`{shown}` is not an exact amount: write digits with at most one point, such as \"0.25\""
            ))
        })
    }
}

/// For `#[serde(with = "exact")]`.
pub(crate) fn serialize<S: Serializer>(value: &Decimal, to: S) -> Result<S::Ok, S::Error> {
    value.to_string().serialize(to)
}

/// For `#[serde(with = "exact")]`.
pub(crate) fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<Decimal, D::Error> {
    Exact::deserialize(from).map(|exact| exact.0)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn only_plain_digits_are_a_decimal() {
        assert_eq!(parse("0.10"), Some(Decimal::new(1, 1)));
        assert_eq!(parse("12"), Some(Decimal::from(12)));
        let long = "9".repeat(40);
        let fine = format!("0.{}", "1".repeat(29));
        for bad in ["", ".", "1.", ".5", "-1", "+1", "1e3", "1_0", "1,0", "1.0.0", " 1", "NaN", &long, &fine]
        {
            assert_eq!(parse(bad), None, "{bad}");
        }
    }

    #[test]
    fn a_json_number_is_refused_because_it_may_be_inexact() {
        assert!(serde_json::from_str::<Exact>("0.1").is_err());
        assert!(serde_json::from_str::<Exact>("\"0.1\"").is_ok());
    }

    #[test]
    fn a_zero_with_a_minus_is_no_quantity_and_no_price() {
        let minus_zero = -Decimal::ZERO;
        assert!(minus_zero.is_sign_negative());
        assert!(!is_quantity(minus_zero) && !is_price(minus_zero));
        assert!(is_quantity(Decimal::ZERO) && is_price(Decimal::ZERO));
    }

    proptest! {
        #[test]
        fn amounts_within_bounds_are_never_rounded(
            quantity in 0_i64..=10_000_000_000_000,
            price in 0_i64..=100_000_000_000,
            zeros in 0_u32..8,
        ) {
            let mut long = Decimal::new(price, PRICE_PLACES);
            long.rescale(PRICE_PLACES + zeros);
            let due = amount(Decimal::new(quantity, QUANTITY_PLACES), Decimal::ZERO, long).unwrap();
            let exact = i128::from(quantity) * i128::from(price);
            prop_assert_eq!(due, Decimal::from_i128_with_scale(exact, QUANTITY_PLACES + PRICE_PLACES));
            prop_assert!(due.checked_mul(Decimal::from(10_000)).unwrap().scale() <= due.scale());
        }

        #[test]
        fn no_text_makes_the_reader_panic(text in ".{0,40}") {
            let _ = parse(&text);
        }
    }
}
