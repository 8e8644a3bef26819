//! A fault: one place where a paper does not say what it should.

use std::fmt;

use serde::Serialize;

/// One thing that is wrong with a receipt or an invoice.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Fault {
    /// Where: which invoice, line or receipt.
    pub place: String,
    /// Which field, as it is called in the JSON.
    pub what: &'static str,
    /// What the paper says.
    pub stated: String,
    /// What it should say.
    pub expected: String,
}

impl Fault {
    /// A fault from its four parts.
    pub(crate) fn new(
        place: &str,
        what: &'static str,
        stated: impl fmt::Display,
        expected: impl fmt::Display,
    ) -> Self {
        Self { place: place.to_owned(), what, stated: stated.to_string(), expected: expected.to_string() }
    }

    /// A fault if the two differ.
    pub(crate) fn unless_equal<T: PartialEq + fmt::Display>(
        place: &str,
        what: &'static str,
        stated: &T,
        expected: &T,
    ) -> Option<Self> {
        (stated != expected).then(|| Self::new(place, what, stated, expected))
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { place, what, stated, expected } = self;
        write!(f, "{place}: {what} is {stated}, expected {expected}")
    }
}

impl std::error::Error for Fault {}
