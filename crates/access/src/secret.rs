//! Secrets that carry their record's id in front, so that the caller can look the record up.

use echo_core::TokenId;

/// The most bytes a refresh or one-time secret may have.
pub const MAX_SECRET: usize = 256;

/// The id of the record that `secret` belongs to; nothing when it is not one of ours. Proves nothing yet.
pub fn id_of(secret: &str) -> Option<TokenId> {
    if secret.len() > MAX_SECRET {
        return None;
    }
    secret.split('.').next()?.parse().ok()
}
