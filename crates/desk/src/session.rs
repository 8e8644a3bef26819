//! Signing in and out: one-time links, short-lived access tokens, rotating refresh tokens.
//!
//! Answers here hold secrets, so none is kept under an idempotency key: a caller that lost the answer asks for a
//! new link.

use access::{
    Action, Principal,
    one_time::{self, OneTime, Purpose, SIGN_IN_LIFETIME},
    refresh::{self, RefreshFamily, RevokeReason},
    token::ACCESS_LIFETIME,
};
use device_link::{ASSERTION_TYPE, Assertion};
use echo_core::{CustomerId, Digest, Id as _, Timestamp, TokenId, UserId};
use serde::{Deserialize, Serialize};
use store::{Record, Scope, StoredReply};
use trust::dsse::Envelope;

use crate::{Call, Desk, DeskError, Device, DeviceState, User, Work};

/// How far a device's clock may be off, in seconds.
const ASSERTION_SECONDS: i64 = 60;

/// What a caller signs its requests with.
#[derive(Clone, PartialEq, Eq, Serialize)]
pub struct Tokens {
    /// The access token (JWT, RFC 9068 in spirit), for the `Authorization: Bearer` header.
    pub access_token: String,
    /// Always `Bearer`.
    pub token_type: &'static str,
    /// How long the access token lives, in seconds.
    pub expires_in: i64,
    /// The refresh token; a device has none, it signs an assertion instead.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub refresh_token: Option<String>,
}

impl std::fmt::Debug for Tokens {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Tokens").field("expires_in", &self.expires_in).finish_non_exhaustive()
    }
}

/// A one-time link for a person.
#[derive(Clone, PartialEq, Eq, Serialize)]
pub struct SignInLink {
    /// For whom.
    pub user: UserId,
    /// The one-time secret. It belongs into a URL's fragment, which browsers do not send.
    pub secret: String,
    /// Until when it is good.
    pub expires: Timestamp,
}

impl std::fmt::Debug for SignInLink {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("SignInLink").field("user", &self.user).finish_non_exhaustive()
    }
}

/// A one-time secret as it is kept: by its digest.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(transparent)]
pub(crate) struct OneTimeRecord(pub(crate) OneTime);

impl Record for OneTimeRecord {
    const KIND: &'static str = "one-time token";

    fn id(&self) -> &str {
        self.0.id.as_str()
    }

    fn customer(&self) -> Option<&CustomerId> {
        None
    }

    fn unique(&self) -> Option<String> {
        Some(self.0.digest.hex())
    }
}

/// A session as it is kept.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(transparent)]
struct FamilyRecord(RefreshFamily);

impl Record for FamilyRecord {
    const KIND: &'static str = "session";

    fn id(&self) -> &str {
        self.0.id.as_str()
    }

    fn customer(&self) -> Option<&CustomerId> {
        None
    }
}

/// The kinds of records here that are somebody's but belong to nobody.
pub(crate) const UNOWNED: [&str; 2] = [OneTimeRecord::KIND, FamilyRecord::KIND];

impl Desk {
    /// Who holds this access token or agent key, if it is good and was not revoked.
    pub async fn authenticate(&self, token: &str) -> Result<Principal, DeskError> {
        if access::is_agent_key(token) {
            return self.authenticate_key(token).await;
        }
        let principal = self
            .issuer()
            .check(token, self.mint().now())
            .map_err(|e| DeskError::Unauthenticated(e.to_string()))?;
        let mut tx = self.store().read().await?;
        let alive = match (&principal.family, &principal.device) {
            (Some(family), _) => tx
                .get::<FamilyRecord>(&Scope::All, family.as_str())
                .await?
                .is_some_and(|f| f.0.revoked.is_none()),
            (None, Some(device)) => tx
                .get::<Device>(&Scope::All, device.as_str())
                .await?
                .is_some_and(|d| d.state == DeviceState::Active),
            (None, None) => false,
        };
        if alive {
            Ok(principal)
        } else {
            Err(DeskError::Unauthenticated("the session was ended: sign in again".to_owned()))
        }
    }

    /// Makes a one-time sign-in link for a person.
    pub async fn make_sign_in_link(&self, call: &Call, user: &UserId) -> Result<SignInLink, DeskError> {
        call.principal.require(Action::ManageUsers)?;
        let mut work = self.work(&call.principal.name).await?;
        let user: User = work
            .tx
            .get(&call.scope(), user.as_str())
            .await?
            .ok_or_else(|| DeskError::not_found("user", user.as_str()))?;
        let link = work.sign_in_link(&user).await?;
        work.commit().await?;
        Ok(link)
    }

    /// Trades a one-time secret for tokens.
    pub async fn sign_in(&self, secret: &str) -> Result<Tokens, DeskError> {
        let mut work = self.work("sign-in").await?;
        let purpose = work.redeem(secret).await?;
        let Purpose::SignIn { user } = purpose else {
            return Err(DeskError::invalid(
                "token",
                "this token enrols a device: run `echo_probe enroll` with it",
            ));
        };
        let user: User = work.tx.get(&Scope::All, user.as_str()).await?.ok_or_else(|| {
            DeskError::Unauthenticated("the person is not known any more: ask the operator".to_owned())
        })?;
        let mut principal = Principal {
            subject: user.id.to_string(),
            name: user.name,
            role: user.role,
            customer: user.customer,
            device: None,
            token: work.id(),
            family: None,
        };
        let (family, refresh) = refresh::start(principal.clone(), self.mint());
        principal.family = Some(family.id.clone());
        let tokens = work.tokens(&principal, Some(refresh))?;
        work.tx.insert(&FamilyRecord(family)).await?;
        work.commit().await?;
        Ok(tokens)
    }

    /// Trades a refresh token for new tokens. A refresh token that was used before ends the whole session.
    pub async fn refresh(&self, token: &str) -> Result<Tokens, DeskError> {
        let unknown =
            || DeskError::Unauthenticated("the refresh token is not known: sign in again".to_owned());
        let (family, _) = token.split_once('.').ok_or_else(unknown)?;
        let family: TokenId = family.parse().map_err(|_| unknown())?;
        let mut work = self.work("refresh").await?;
        let mut record: FamilyRecord =
            work.tx.get(&Scope::All, family.as_str()).await?.ok_or_else(unknown)?;
        let rotated = record.0.rotate(token, self.mint());
        // A refused token may have revoked the family: that is kept as well.
        work.tx.update(&record).await?;
        let answer = match rotated {
            Ok(next) => {
                let mut principal = record.0.principal.clone();
                principal.family = Some(family.clone());
                principal.token = work.id();
                work.tokens(&principal, Some(next))
            }
            Err(error) => Err(DeskError::Unauthenticated(error.to_string())),
        };
        work.commit().await?;
        answer
    }

    /// Ends the caller's session: its access and refresh tokens are refused from now on.
    pub async fn sign_out(&self, principal: &Principal) -> Result<(), DeskError> {
        let Some(family) = &principal.family else {
            return Ok(());
        };
        let mut work = self.work(&principal.name).await?;
        if let Some(mut record) = work.tx.get::<FamilyRecord>(&Scope::All, family.as_str()).await? {
            record.0.revoke(RevokeReason::SignedOut);
            work.tx.update(&record).await?;
        }
        work.commit().await
    }

    /// Gives a device an access token for an assertion that it signed.
    pub async fn device_token(&self, assertion: &Envelope) -> Result<Tokens, DeskError> {
        let refused = |reason: &str| DeskError::Unauthenticated(format!("assertion refused: {reason}"));
        let claimed: Assertion = assertion
            .payload_unchecked()
            .ok()
            .and_then(|payload| serde_json::from_slice(&payload).ok())
            .ok_or_else(|| refused("it is not well formed: update echo_probe"))?;
        let mut work = self.work(claimed.device.as_str()).await?;
        let device: Device = work
            .tx
            .get(&Scope::All, claimed.device.as_str())
            .await?
            .filter(|d: &Device| d.state == DeviceState::Active)
            .ok_or_else(|| refused("the device is not enrolled here, or was retired: enrol it anew"))?;
        let assertion: Assertion =
            assertion.verify(ASSERTION_TYPE, &[device.public_key], 1).map_err(|e| refused(&e.to_string()))?;
        if assertion.root != *self.root() {
            return Err(refused("it was made for another platform: enrol the device here"));
        }
        if (work.now.as_second() - assertion.at.as_second()).abs() > ASSERTION_SECONDS {
            return Err(refused("the device's clock is more than a minute off: set the time"));
        }
        if !(32..=128).contains(&assertion.nonce.len()) {
            return Err(refused("the nonce has the wrong length: update echo_probe"));
        }
        let used = StoredReply { fingerprint: String::new(), status: 0, body: String::new() };
        let nonce = Digest::of(assertion.nonce.as_bytes()).hex();
        work.tx
            .keep_reply(device.id.as_str(), &format!("assertion:{nonce}"), &used, work.now)
            .await
            .map_err(|_| refused("it was used before: sign a fresh one"))?;
        let principal = Principal {
            subject: device.id.to_string(),
            name: device.name.clone(),
            role: access::Role::Device,
            customer: Some(device.customer.clone()),
            device: Some(device.id.clone()),
            token: work.id(),
            family: None,
        };
        let tokens = work.tokens(&principal, None)?;
        work.commit().await?;
        Ok(tokens)
    }
}

impl Work<'_> {
    /// A fresh link for a person.
    pub(crate) async fn sign_in_link(&mut self, user: &User) -> Result<SignInLink, DeskError> {
        let purpose = Purpose::SignIn { user: user.id.clone() };
        let (record, secret) = one_time::mint(purpose, SIGN_IN_LIFETIME, self.desk.mint());
        let expires = record.expires;
        self.tx.insert(&OneTimeRecord(record)).await?;
        Ok(SignInLink { user: user.id.clone(), secret, expires })
    }

    /// Uses up a one-time secret.
    pub(crate) async fn redeem(&mut self, secret: &str) -> Result<Purpose, DeskError> {
        let mut record: OneTimeRecord = self
            .tx
            .get_unique(&Scope::All, &Digest::of(secret.as_bytes()).hex())
            .await?
            .ok_or_else(|| {
                DeskError::Unauthenticated("the one-time token is not known: ask for a new one".to_owned())
            })?;
        let purpose =
            record.0.redeem(secret, self.now).map_err(|e| DeskError::Unauthenticated(e.to_string()))?;
        self.tx.update(&record).await?;
        Ok(purpose)
    }

    /// `seconds` from now.
    pub(crate) fn after(&self, seconds: i64) -> Timestamp {
        echo_core::clock::from_millis(self.now.as_millisecond().saturating_add(seconds.saturating_mul(1000)))
    }

    fn tokens(&self, principal: &Principal, refresh_token: Option<String>) -> Result<Tokens, DeskError> {
        let access_token = self
            .desk
            .issuer()
            .issue(principal, self.now, ACCESS_LIFETIME)
            .map_err(|e| DeskError::Internal(e.to_string()))?;
        Ok(Tokens {
            access_token,
            token_type: "Bearer",
            expires_in: ACCESS_LIFETIME.as_secs(),
            refresh_token,
        })
    }
}
