//! What is taken out of texts.

use serde::{Deserialize, Serialize};

/// A kind of secret or of personal data.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    /// A private key in PEM (RFC 7468), or an age identity.
    PrivateKey,
    /// A key or token of a known service, such as `ghp_…` or `AKIA…`.
    ServiceToken,
    /// A signed token (JWT, RFC 7519), or what stands behind `Bearer`.
    BearerToken,
    /// What stands behind `password:` and its like, or in a URL before the `@`.
    Password,
    /// A secret of Echo's own: an agent key, a sign-in secret, an enrolment token.
    EchoSecret,
    /// An address for electronic mail.
    Email,
    /// A telephone number.
    Phone,
    /// An international bank account number (ISO 13616) whose check digits hold.
    Iban,
    /// A payment card's number whose check digit holds (ISO/IEC 7812-1).
    Card,
    /// A national identity number whose check digits hold, or that is named as one.
    NationalId,
}

impl Kind {
    /// What stands in its place.
    pub fn mark(self) -> &'static str {
        match self {
            Self::PrivateKey => "[private key]",
            Self::ServiceToken => "[service token]",
            Self::BearerToken => "[bearer token]",
            Self::Password => "[password]",
            Self::EchoSecret => "[echo secret]",
            Self::Email => "[email]",
            Self::Phone => "[phone]",
            Self::Iban => "[iban]",
            Self::Card => "[card]",
            Self::NationalId => "[national id]",
        }
    }
}
