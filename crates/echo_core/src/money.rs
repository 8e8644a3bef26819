//! Money: an integer of minor units with its ISO 4217 currency. Usage is an exact decimal; rounding happens once.

use std::{fmt, str::FromStr};

use rust_decimal::{Decimal, RoundingStrategy, prelude::ToPrimitive as _};
use serde::{Deserialize, Serialize};

/// An ISO 4217 currency, written by its three letters.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Currency(iso_currency::Currency);

impl Currency {
    /// The euro.
    pub const EUR: Self = Self(iso_currency::Currency::EUR);

    /// How many decimal places the minor unit has (ISO 4217, exponent). Currencies without one count as 0.
    pub fn exponent(self) -> u32 {
        self.0.exponent().map_or(0, u32::from)
    }

    /// The three letters.
    pub fn code(self) -> &'static str {
        self.0.code()
    }
}

impl FromStr for Currency {
    type Err = MoneyError;

    fn from_str(code: &str) -> Result<Self, MoneyError> {
        iso_currency::Currency::from_code(code)
            .map(Self)
            .ok_or_else(|| MoneyError::UnknownCurrency(code.chars().take(8).collect()))
    }
}

impl TryFrom<String> for Currency {
    type Error = MoneyError;

    fn try_from(code: String) -> Result<Self, MoneyError> {
        code.parse()
    }
}

impl From<Currency> for String {
    fn from(currency: Currency) -> String {
        currency.code().to_owned()
    }
}

impl fmt::Display for Currency {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.code())
    }
}

/// Why an amount could not be made.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum MoneyError {
    /// The code is not in ISO 4217.
    #[error("`{0}` is not an ISO 4217 currency code: write three capital letters, such as EUR")]
    UnknownCurrency(String),
    /// Two currencies met in one sum.
    #[error("cannot combine {0} with {1}: convert one of them first")]
    CurrencyMismatch(Currency, Currency),
    /// The amount does not fit 64 bits of minor units.
    #[error("the amount is too large to be held in minor units")]
    Overflow,
}

/// An amount of money in minor units (cents for EUR).
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Money {
    /// How many minor units; negative for a credit.
    pub minor: i64,
    /// Of which currency.
    pub currency: Currency,
}

impl Money {
    /// `minor` units of `currency`.
    pub fn new(minor: i64, currency: Currency) -> Self {
        Self { minor, currency }
    }

    /// Nothing, in `currency`.
    pub fn zero(currency: Currency) -> Self {
        Self::new(0, currency)
    }

    /// Rounds an exact amount of major units to minor units, half to even: the one rounding of an invoice line.
    pub fn round(major: Decimal, currency: Currency) -> Result<Self, MoneyError> {
        let scale = Decimal::from(10_u64.pow(currency.exponent()));
        let minor = major
            .checked_mul(scale)
            .ok_or(MoneyError::Overflow)?
            .round_dp_with_strategy(0, RoundingStrategy::MidpointNearestEven)
            .to_i64()
            .ok_or(MoneyError::Overflow)?;
        Ok(Self::new(minor, currency))
    }

    /// The sum of two amounts of one currency.
    pub fn plus(self, other: Self) -> Result<Self, MoneyError> {
        if self.currency != other.currency {
            return Err(MoneyError::CurrencyMismatch(self.currency, other.currency));
        }
        let minor = self.minor.checked_add(other.minor).ok_or(MoneyError::Overflow)?;
        Ok(Self::new(minor, self.currency))
    }

    /// The sum of many amounts; `zero` in `currency` when there are none.
    pub fn sum(currency: Currency, amounts: impl IntoIterator<Item = Self>) -> Result<Self, MoneyError> {
        amounts.into_iter().try_fold(Self::zero(currency), Self::plus)
    }

    /// The exact amount in major units.
    pub fn major(self) -> Decimal {
        Decimal::from(self.minor) / Decimal::from(10_u64.pow(self.currency.exponent()))
    }
}

impl fmt::Display for Money {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let places = self.currency.exponent() as usize;
        write!(f, "{:.places$} {}", self.major(), self.currency)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn amounts_print_with_their_currency_s_places() {
        assert_eq!(Money::new(1_205, Currency::EUR).to_string(), "12.05 EUR");
        assert_eq!(Money::new(1_205, "JPY".parse().unwrap()).to_string(), "1205 JPY");
        assert_eq!(Money::new(-5, Currency::EUR).to_string(), "-0.05 EUR");
    }

    #[test]
    fn halves_round_to_even() {
        let round = |text: &str| Money::round(text.parse().unwrap(), Currency::EUR).unwrap().minor;
        assert_eq!((round("0.005"), round("0.015"), round("-0.005"), round("0.0051")), (0, 2, 0, 1));
    }

    #[test]
    fn currencies_do_not_mix() {
        let error = Money::zero(Currency::EUR).plus(Money::zero("USD".parse().unwrap())).unwrap_err();
        assert!(matches!(error, MoneyError::CurrencyMismatch(..)));
        assert!("EURO".parse::<Currency>().is_err());
    }

    proptest! {
        #[test]
        fn minor_units_survive_the_trip_through_major_units(minor in -1_000_000_000_000_i64..1_000_000_000_000) {
            let money = Money::new(minor, Currency::EUR);
            prop_assert_eq!(Money::round(money.major(), Currency::EUR).unwrap(), money);
        }

        #[test]
        fn adding_never_wraps(a: i64, b: i64) {
            let sum = Money::new(a, Currency::EUR).plus(Money::new(b, Currency::EUR));
            prop_assert_eq!(sum.ok().map(|m| m.minor), a.checked_add(b));
        }
    }
}
