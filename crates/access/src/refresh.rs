//! Refresh families: a sign-in that lasts, one secret at a time (RFC 9700, section 4.14.2).
//!
//! A secret is `<family id>.<family part>.<turn part>`. Each refresh gives a new turn part and ends the one
//! before. Who shows the family part with any other turn part holds a copy of an old secret: somebody stole
//! it, or was stolen from, so the whole family ends. A lost reply is the caller's `Idempotency-Key`'s matter.

use echo_core::{Digest, Mint, Timestamp, TokenId};
use jiff::SignedDuration;
use serde::{Deserialize, Serialize};

use crate::{
    principal::Principal,
    secret::{MAX_SECRET, id_of},
};

/// How long a family lives, however often it is refreshed.
pub const REFRESH_LIFETIME: SignedDuration = SignedDuration::from_hours(30 * 24);

/// One sign-in, as it is kept. It holds digests of secrets, never a secret.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RefreshFamily {
    /// The family's id; access tokens made from it carry it.
    pub id: TokenId,
    /// Who signed in. Its `token` is that of the first access token.
    pub principal: Principal,
    /// The digest of the part that all secrets of the family share.
    pub shared: Digest,
    /// The digest of the secret in force.
    pub current: Digest,
    /// The digest of the one before, to tell a lost reply from a theft when looking into one.
    pub previous: Option<Digest>,
    /// How often it was refreshed.
    pub generation: u32,
    /// When the sign-in was.
    pub issued: Timestamp,
    /// When it ends, whatever happens.
    pub expires: Timestamp,
    /// Why it ended early.
    pub revoked: Option<RevokeReason>,
}

/// Why a family ended early.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RevokeReason {
    /// An old secret was shown again.
    Reused,
    /// Its owner signed out.
    SignedOut,
    /// An operator ended it.
    ByOperator,
}

/// Why a refresh is refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum RefreshError {
    /// It was never a secret of this family.
    #[error("the refresh token is not known: sign in again")]
    Unknown,
    /// An old secret was shown; the family is revoked by this. Keep the family.
    #[error(
        "the refresh token was used before, so the whole session is ended: sign in again, and tell the operator if you did not use it twice"
    )]
    Reused,
    /// The family ended early.
    #[error("the session was ended ({0:?}): sign in again")]
    Revoked(RevokeReason),
    /// The family has ended.
    #[error("the session ended on {0}: sign in again")]
    Expired(Timestamp),
}

/// Starts a family for `principal`. The secret goes to its owner and is kept nowhere. The principal's
/// `family` is set to the new family's id.
pub fn start(mut principal: Principal, mint: &Mint) -> (RefreshFamily, String) {
    let id: TokenId = mint.id();
    let shared = mint.secret();
    let secret = format!("{id}.{shared}.{}", mint.secret());
    principal.family = Some(id.clone());
    let issued = mint.now();
    let family = RefreshFamily {
        id,
        principal,
        shared: Digest::of(shared.as_bytes()),
        current: Digest::of(secret.as_bytes()),
        previous: None,
        generation: 0,
        issued,
        expires: issued.saturating_add(REFRESH_LIFETIME).unwrap_or(Timestamp::MAX),
        revoked: None,
    };
    (family, secret)
}

impl RefreshFamily {
    /// The next secret for the holder of the current one. After [`RefreshError::Reused`] the family has
    /// changed too: keep it in both cases.
    pub fn rotate(&mut self, presented: &str, mint: &Mint) -> Result<String, RefreshError> {
        let shared = self.shared_part(presented).ok_or(RefreshError::Unknown)?;
        if let Some(reason) = self.revoked {
            return Err(RefreshError::Revoked(reason));
        }
        if mint.now() >= self.expires {
            return Err(RefreshError::Expired(self.expires));
        }
        if !Digest::of(presented.as_bytes()).same_secret(&self.current) {
            self.revoked = Some(RevokeReason::Reused);
            return Err(RefreshError::Reused);
        }
        let secret = format!("{}.{shared}.{}", self.id, mint.secret());
        self.previous = Some(self.current);
        self.current = Digest::of(secret.as_bytes());
        self.generation = self.generation.saturating_add(1);
        Ok(secret)
    }

    /// Ends the family; the first reason stays.
    pub fn revoke(&mut self, reason: RevokeReason) {
        self.revoked.get_or_insert(reason);
    }

    /// The family part of `presented`, when it is this family's.
    fn shared_part<'a>(&self, presented: &'a str) -> Option<&'a str> {
        if presented.len() > MAX_SECRET || id_of(presented)? != self.id {
            return None;
        }
        let shared = presented.split('.').nth(1)?;
        Digest::of(shared.as_bytes()).same_secret(&self.shared).then_some(shared)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::principal::{
        Role,
        tests::{mint, principal},
    };

    fn fresh() -> (RefreshFamily, String, Mint) {
        let (mint, _) = mint();
        let (family, secret) = start(principal(&mint, Role::Customer), &mint);
        (family, secret, mint)
    }

    #[test]
    fn each_refresh_gives_a_new_secret() {
        let (mut family, first, mint) = fresh();
        assert_eq!(family.principal.family.as_ref(), Some(&family.id));
        assert_eq!(id_of(&first).as_ref(), Some(&family.id));
        let second = family.rotate(&first, &mint).unwrap();
        let third = family.rotate(&second, &mint).unwrap();
        assert!(first != second && second != third);
        assert_eq!(family.generation, 2);
        assert_eq!(family.previous, Some(Digest::of(second.as_bytes())));
    }

    #[test]
    fn any_old_secret_ends_the_family() {
        for age in 1..4 {
            let (mut family, first, mint) = fresh();
            let mut newest = first.clone();
            for _ in 0..age {
                newest = family.rotate(&newest, &mint).unwrap();
            }
            assert_eq!(family.rotate(&first, &mint), Err(RefreshError::Reused), "{age}");
            assert_eq!(
                family.rotate(&newest, &mint),
                Err(RefreshError::Revoked(RevokeReason::Reused)),
                "the thief's and the owner's copies both end"
            );
        }
    }

    #[test]
    fn a_stranger_cannot_end_a_family() {
        let (mut family, secret, mint) = fresh();
        let id = family.id.clone();
        let (_, other, _) = fresh();
        let (_, foreign) = start(principal(&mint, Role::Customer), &mint);
        for guess in [
            "",
            "nonsense",
            id.to_string().as_str(),
            &format!("{id}."),
            &format!("{id}.{}.{}", mint.secret(), mint.secret()),
            &foreign,
            &"x".repeat(100_000),
        ] {
            assert_eq!(family.rotate(guess, &mint), Err(RefreshError::Unknown), "{guess}");
        }
        assert_eq!(other, secret, "the same seed gives the same secret");
        assert!(family.rotate(&secret, &mint).is_ok());
    }

    #[test]
    fn a_family_ends_when_it_must() {
        let (mint, clock) = mint();
        let (mut family, secret) = start(principal(&mint, Role::Technician), &mint);
        let lifetime = i64::try_from(REFRESH_LIFETIME.as_millis()).unwrap();
        clock.advance_millis(lifetime - 1);
        let secret = family.rotate(&secret, &mint).unwrap();
        clock.advance_millis(1);
        assert_eq!(family.rotate(&secret, &mint), Err(RefreshError::Expired(family.expires)));
    }

    #[test]
    fn the_first_reason_stays() {
        let (mut family, secret, mint) = fresh();
        family.revoke(RevokeReason::SignedOut);
        family.revoke(RevokeReason::ByOperator);
        assert_eq!(family.rotate(&secret, &mint), Err(RefreshError::Revoked(RevokeReason::SignedOut)));
    }

    #[test]
    fn the_record_holds_no_secret() {
        let (mut family, secret, mint) = fresh();
        let secret = family.rotate(&secret, &mint).unwrap();
        let kept = serde_json::to_string(&family).unwrap();
        for part in secret.split('.').skip(1) {
            assert!(!kept.contains(part));
        }
        assert_eq!(serde_json::from_str::<RefreshFamily>(&kept).unwrap(), family);
    }

    proptest! {
        #[test]
        fn a_changed_secret_never_refreshes(at in 0_usize..170, with in 1_u8..128) {
            let (mut family, secret, mint) = fresh();
            let mut bytes = secret.into_bytes();
            let at = at % bytes.len();
            bytes[at] = (bytes[at] ^ with) & 0x7f;
            let changed = String::from_utf8(bytes).unwrap();
            prop_assert!(family.rotate(&changed, &mint).is_err());
        }
    }
}
