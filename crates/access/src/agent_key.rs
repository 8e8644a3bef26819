//! Agent keys: the standing secret of a program, such as an agent framework or a script.
//!
//! A secret reads `echo_key_<32 hexadecimal digits>_<64 hexadecimal digits>`: the first part is the key's id, the second
//! 256 random bits. The beginning is always the same, so that scanners of repositories and logs find a lost one. What the
//! key is good for, and what it may cost, is its owner's matter; here is only whether a secret is the one that was given.

use echo_core::{Digest, Id as _, Mint, Timestamp, TokenId};
use jiff::SignedDuration;

use crate::secret::MAX_SECRET;

/// What every agent key's secret begins with.
pub const KEY_PREFIX: &str = "echo_key_";
/// How long a key should live when nobody says otherwise.
pub const KEY_LIFETIME: SignedDuration = SignedDuration::from_hours(90 * 24);
/// The longest that a key may live.
pub const MAX_KEY_LIFETIME: SignedDuration = SignedDuration::from_hours(366 * 24);

/// A fresh secret with what is kept of it.
#[derive(Clone, PartialEq, Eq)]
pub struct MintedKey {
    /// The key's id.
    pub id: TokenId,
    /// The digest of the secret, which is kept.
    pub digest: Digest,
    /// The secret. It goes to its owner and is kept nowhere.
    pub secret: String,
}

impl std::fmt::Debug for MintedKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("MintedKey").field("id", &self.id).finish_non_exhaustive()
    }
}

/// Why an agent key is refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum AgentKeyError {
    /// It is not the key's secret, or there is no such key.
    #[error("the agent key is not known: ask its owner for a new one")]
    Unknown,
    /// It was revoked.
    #[error("the agent key was revoked on {0}: ask its owner for a new one")]
    Revoked(Timestamp),
    /// It is too old.
    #[error("the agent key expired on {0}: ask its owner for a new one")]
    Expired(Timestamp),
}

/// Makes a key's id and secret.
pub fn mint(mint: &Mint) -> MintedKey {
    let id: TokenId = mint.id();
    let bare = id.as_str().strip_prefix(TokenId::PREFIX).map_or("", |rest| rest.trim_start_matches('_'));
    let secret = format!("{KEY_PREFIX}{bare}_{}", mint.secret());
    MintedKey { digest: Digest::of(secret.as_bytes()), id, secret }
}

/// Whether `token` is meant to be an agent key. Proves nothing.
pub fn is_agent_key(token: &str) -> bool {
    token.starts_with(KEY_PREFIX)
}

/// The id of the key that `secret` claims to belong to; nothing when it has not the shape of one. Proves nothing yet.
pub fn id_of(secret: &str) -> Option<TokenId> {
    if secret.len() > MAX_SECRET {
        return None;
    }
    let (bare, _) = secret.strip_prefix(KEY_PREFIX)?.split_once('_')?;
    format!("{}_{bare}", TokenId::PREFIX).parse().ok()
}

/// Whether `presented` is the secret whose digest was `kept`, and good at `now`. That a key was revoked or is too old is
/// told to nobody but its holder.
pub fn check(
    presented: &str,
    kept: &Digest,
    expires: Timestamp,
    revoked: Option<Timestamp>,
    now: Timestamp,
) -> Result<(), AgentKeyError> {
    if presented.len() > MAX_SECRET || !Digest::of(presented.as_bytes()).same_secret(kept) {
        return Err(AgentKeyError::Unknown);
    }
    in_force(expires, revoked, now)
}

/// Whether a key whose secret was checked before is still good at `now`.
pub fn in_force(expires: Timestamp, revoked: Option<Timestamp>, now: Timestamp) -> Result<(), AgentKeyError> {
    if let Some(at) = revoked {
        return Err(AgentKeyError::Revoked(at));
    }
    if now >= expires {
        return Err(AgentKeyError::Expired(expires));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::principal::tests::mint as test_mint;

    fn fresh() -> (MintedKey, Timestamp) {
        let (source, _) = test_mint();
        (mint(&source), source.now().saturating_add(KEY_LIFETIME).unwrap())
    }

    #[test]
    fn a_secret_names_its_key_and_is_recognised() {
        let (key, expires) = fresh();
        assert!(is_agent_key(&key.secret));
        assert_eq!(id_of(&key.secret).as_ref(), Some(&key.id));
        let shape = key.secret.strip_prefix("echo_key_").unwrap().split_once('_').unwrap();
        for (part, length) in [(shape.0, 32), (shape.1, 64)] {
            assert!(part.len() == length && part.bytes().all(|b| b.is_ascii_hexdigit()), "{part}");
        }
        assert_eq!(check(&key.secret, &key.digest, expires, None, Timestamp::UNIX_EPOCH), Ok(()));
    }

    #[test]
    fn a_key_ends_when_it_must() {
        let (key, expires) = fresh();
        let at = |now, revoked| check(&key.secret, &key.digest, expires, revoked, now);
        assert_eq!(at(expires - SignedDuration::from_millis(1), None), Ok(()));
        assert_eq!(at(expires, None), Err(AgentKeyError::Expired(expires)));
        let revoked = Timestamp::UNIX_EPOCH;
        assert_eq!(at(revoked, Some(revoked)), Err(AgentKeyError::Revoked(revoked)));
    }

    #[test]
    fn a_stranger_is_not_told_whether_a_key_is_revoked() {
        let (key, expires) = fresh();
        let revoked = Some(Timestamp::UNIX_EPOCH);
        let guess = format!("{}x", &key.secret[..key.secret.len() - 1]);
        assert_eq!(check(&guess, &key.digest, expires, revoked, expires), Err(AgentKeyError::Unknown));
    }

    #[test]
    fn what_is_no_key_has_no_id() {
        let (key, _) = fresh();
        let upper = key.secret.to_uppercase();
        let long = format!("{}{}", key.secret, "0".repeat(MAX_SECRET));
        for other in ["", "echo_key_", "echo_key_x_y", "eyJhbGciOiJFZERTQSJ9.e30.x", &upper, &long] {
            assert_eq!(id_of(other), None, "{other}");
        }
    }

    #[test]
    fn the_secret_is_not_printed() {
        let (key, _) = fresh();
        assert!(!format!("{key:?}").contains(&key.secret[44..]));
    }

    proptest! {
        #[test]
        fn a_changed_secret_is_never_taken(at in 0_usize..106, with in 1_u8..128) {
            let (key, expires) = fresh();
            let mut bytes = key.secret.into_bytes();
            let at = at % bytes.len();
            bytes[at] = (bytes[at] ^ with) & 0x7f;
            let changed = String::from_utf8(bytes).unwrap();
            let refused = check(&changed, &key.digest, expires, None, Timestamp::UNIX_EPOCH);
            prop_assert_eq!(refused, Err(AgentKeyError::Unknown));
        }
    }
}
