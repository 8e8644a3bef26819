//! The shapes of personal data.
//!
//! Addresses of machines stay: a support desk that cannot read `10.0.0.7` cannot help. Names of people stay too; no shape
//! tells them.

use std::sync::LazyLock;

use crate::{Kind, checksum, rule::Rule};

/// What finds personal data.
pub(crate) static RULES: LazyLock<Vec<Rule>> = LazyLock::new(|| {
    vec![
        Rule::plain(
            Kind::Email,
            r"[\p{L}\p{N}._%+'-]+(?:@|\s?\[at\]\s?|\s?\(at\)\s?)[\p{L}\p{N}-]+(?:\.[\p{L}\p{N}-]+)*\.\p{L}\p{L}+",
        ),
        Rule::measured(Kind::Iban, r"\b[A-Z]{2}[0-9]{2}(?: ?[A-Z0-9]){11,33}", checksum::iban),
        Rule::checked(Kind::Card, r"\b[2-6][0-9](?:[ -]?[0-9]){11,17}\b", checksum::luhn),
        Rule::checked(Kind::NationalId, r"\b[0-9XYZ][0-9]{7}-?[A-Z]\b", checksum::spanish),
        Rule::checked(
            Kind::NationalId,
            r"\b[12] ?[0-9]{2} ?[0-9]{2} ?[0-9]{2} ?[0-9]{3} ?[0-9]{3} ?[0-9]{2}\b",
            checksum::french,
        ),
        Rule::plain(
            Kind::NationalId,
            r"(?i)\b(?:ssn|social security(?: number| no\.?)?)\s*(?:is|:|#)?\s*(?P<it>[0-9]{3}[- ][0-9]{2}[- ][0-9]{4})\b",
        ),
        // With the sign for abroad; by an area code in brackets; by a leading zero; in the American way.
        Rule::checked(Kind::Phone, r"\+[1-9][0-9]{0,2}(?:[ .\-/()]{0,2}[0-9]){6,13}\b", is_phone),
        Rule::plain(Kind::Phone, r"\([0-9]{2,5}\) ?[0-9]{3,5}[ -]?[0-9]{2,5}\b"),
        Rule::plain(Kind::Phone, r"\b0[0-9]{2,4}[ /-][0-9]{3,4}(?:[ -]?[0-9]{2,4}){1,3}\b"),
        Rule::plain(Kind::Phone, r"\b[2-9][0-9]{2}[-.][2-9][0-9]{2}[-.][0-9]{4}\b"),
    ]
});

/// A number has 7 to 15 digits (ITU-T E.164).
fn is_phone(it: &str) -> bool {
    (7..=15).contains(&it.bytes().filter(u8::is_ascii_digit).count())
}
