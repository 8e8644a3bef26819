//! One-time secrets: a sign-in link for a person, an enrolment token for a device.

use echo_core::{CustomerId, Digest, Mint, Timestamp, TokenId, UserId};
use jiff::SignedDuration;
use serde::{Deserialize, Serialize};

use crate::secret::MAX_SECRET;

/// How long a sign-in link should live.
pub const SIGN_IN_LIFETIME: SignedDuration = SignedDuration::from_mins(15);
/// How long an enrolment token should live.
pub const ENROL_LIFETIME: SignedDuration = SignedDuration::from_hours(24);

/// What a one-time secret is good for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case", deny_unknown_fields)]
pub enum Purpose {
    /// To sign a person in.
    SignIn {
        /// Whom.
        user: UserId,
    },
    /// To enrol a device.
    Enrol {
        /// For whom.
        customer: CustomerId,
        /// What the device will be called, when that is settled.
        #[serde(default)]
        name: Option<String>,
    },
}

/// A one-time secret, as it is kept: its digest, never itself.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct OneTime {
    /// Its id, which stands in front of the secret.
    pub id: TokenId,
    /// What it is good for.
    pub purpose: Purpose,
    /// The digest of the secret.
    pub digest: Digest,
    /// From when on it is good for nothing.
    pub expires: Timestamp,
    /// When it was used.
    pub used: Option<Timestamp>,
}

/// Why a one-time secret is refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum OneTimeError {
    /// It is not this record's secret.
    #[error("the one-time token is not known: ask for a new one")]
    Unknown,
    /// It was used.
    #[error("the one-time token was used on {0}: ask for a new one, and tell the operator if it was not you")]
    Used(Timestamp),
    /// It is too old.
    #[error("the one-time token expired on {0}: ask for a new one")]
    Expired(Timestamp),
}

/// Makes a secret for `purpose` that is good for `lifetime` from now. It goes to its owner and is kept nowhere.
/// It reads `<id>.<64 hexadecimal digits>`.
pub fn mint(purpose: Purpose, lifetime: SignedDuration, mint: &Mint) -> (OneTime, String) {
    let id: TokenId = mint.id();
    let secret = format!("{id}.{}", mint.secret());
    let one_time = OneTime {
        id,
        purpose,
        digest: Digest::of(secret.as_bytes()),
        expires: mint.now().saturating_add(lifetime).unwrap_or(Timestamp::MAX),
        used: None,
    };
    (one_time, secret)
}

impl OneTime {
    /// What the secret is good for; from now on it is used. Keep the record in the same transaction as what
    /// it was good for.
    pub fn redeem(&mut self, secret: &str, now: Timestamp) -> Result<Purpose, OneTimeError> {
        if secret.len() > MAX_SECRET || !Digest::of(secret.as_bytes()).same_secret(&self.digest) {
            return Err(OneTimeError::Unknown);
        }
        if let Some(at) = self.used {
            return Err(OneTimeError::Used(at));
        }
        if now >= self.expires {
            return Err(OneTimeError::Expired(self.expires));
        }
        self.used = Some(now);
        Ok(self.purpose.clone())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{id_of, principal::tests::mint as test_mint};

    fn fresh() -> (OneTime, String, Mint) {
        let (source, _) = test_mint();
        let purpose = Purpose::Enrol { customer: source.id(), name: Some("front desk".to_owned()) };
        let (made, secret) = mint(purpose, ENROL_LIFETIME, &source);
        (made, secret, source)
    }

    #[test]
    fn a_secret_is_good_once() {
        let (mut made, secret, source) = fresh();
        assert_eq!(id_of(&secret).as_ref(), Some(&made.id));
        assert_eq!(made.redeem(&secret, source.now()), Ok(made.purpose.clone()));
        assert_eq!(made.redeem(&secret, source.now()), Err(OneTimeError::Used(source.now())));
    }

    #[test]
    fn a_wrong_secret_uses_nothing_up() {
        let (mut made, secret, source) = fresh();
        let longer = format!("{secret}0");
        for wrong in ["", &secret[1..], &longer, &"a".repeat(100_000)] {
            assert_eq!(made.redeem(wrong, source.now()), Err(OneTimeError::Unknown));
        }
        assert!(made.redeem(&secret, source.now()).is_ok());
    }

    #[test]
    fn an_old_secret_is_good_for_nothing() {
        let (mut made, secret, _) = fresh();
        let end = made.expires;
        assert_eq!(made.redeem(&secret, end), Err(OneTimeError::Expired(end)));
        assert_eq!(made.used, None);
        let just_before = end - SignedDuration::from_millis(1);
        assert!(made.redeem(&secret, just_before).is_ok());
    }

    #[test]
    fn the_record_reads_back_and_holds_no_secret() {
        let (made, secret, source) = fresh();
        let kept = serde_json::to_string(&made).unwrap();
        assert!(!kept.contains(secret.split('.').nth(1).unwrap()));
        assert_eq!(serde_json::from_str::<OneTime>(&kept).unwrap(), made);
        let sign_in = Purpose::SignIn { user: source.id() };
        let text = serde_json::to_string(&sign_in).unwrap();
        assert!(text.contains("\"kind\":\"sign_in\""), "{text}");
        assert_eq!(serde_json::from_str::<Purpose>(&text).unwrap(), sign_in);
    }
}
