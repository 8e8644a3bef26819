//! Access tokens: a principal in a JWT (RFC 7519, typed as in RFC 9068), signed with `EdDSA` (RFC 8037).

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use echo_core::{CustomerId, DeviceId, Timestamp, TokenId};
use jiff::SignedDuration;
use jsonwebtoken::{Algorithm, DecodingKey, EncodingKey, Header, Validation, errors::ErrorKind};
use serde::{Deserialize, Serialize};
use trust::{KeyId, KeyPair, PublicKey};

use crate::{
    principal::{Principal, Role, Unscoped},
    provider,
};

/// How long an access token should live.
pub const ACCESS_LIFETIME: SignedDuration = SignedDuration::from_mins(10);
/// The longest that an access token may live.
pub const MAX_LIFETIME: SignedDuration = SignedDuration::from_hours(24);
/// How far two clocks may be apart.
pub const LEEWAY: SignedDuration = SignedDuration::from_secs(5);
/// The most bytes a token may have.
pub const MAX_TOKEN: usize = 4096;
const TYPE: &str = "at+jwt";

/// Makes and checks access tokens with one key. Checking needs no memory of what was made.
pub struct Issuer {
    public: PublicKey,
    id: KeyId,
    encoding: EncodingKey,
    decoding: DecodingKey,
    name: String,
    audience: String,
    validation: Validation,
}

impl std::fmt::Debug for Issuer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Issuer({} for {}, key {})", self.name, self.audience, self.id)
    }
}

/// Why a token is refused, or cannot be made.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum TokenError {
    /// It has more bytes than a token may.
    #[error("the access token is longer than {MAX_TOKEN} bytes: sign in again")]
    TooLong,
    /// It is no token of ours in shape.
    #[error("the access token is malformed ({0}): sign in again")]
    Malformed(String),
    /// It names another algorithm than `EdDSA`.
    #[error("the access token is signed with `{0}`; only EdDSA is taken")]
    Algorithm(String),
    /// It was signed with another key.
    #[error("the access token is signed with another key than this platform's: sign in again, here")]
    OtherKey,
    /// Its signature does not match.
    #[error("the access token's signature does not match: it was changed or made up; sign in again")]
    Signature,
    /// Somebody else made it.
    #[error("the access token comes from another issuer: sign in again, here")]
    Issuer,
    /// It is meant for somebody else.
    #[error("the access token is meant for another audience: ask for one for this platform")]
    Audience,
    /// It is too old.
    #[error("the access token expired on {0}: refresh it")]
    Expired(Timestamp),
    /// Its time has not come.
    #[error("the access token is not valid before {0}: check the clocks of both machines")]
    NotYetValid(Timestamp),
    /// Its parts do not fit its role.
    #[error("the access token is for {0}")]
    Scope(Unscoped),
    /// A lifetime that a token may not have.
    #[error("an access token cannot live for {0:#}: choose more than nothing and at most {MAX_LIFETIME:#}")]
    Lifetime(SignedDuration),
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Claims {
    iss: String,
    aud: String,
    sub: String,
    jti: TokenId,
    iat: i64,
    nbf: i64,
    exp: i64,
    name: String,
    role: Role,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    customer: Option<CustomerId>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    device: Option<DeviceId>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    family: Option<TokenId>,
}

impl Issuer {
    /// An issuer that signs with `key` (of the role `Session`), names itself `issuer` and makes tokens for
    /// `audience`.
    #[expect(
        clippy::needless_pass_by_value,
        reason = "the issuer takes the key over: the caller keeps no copy for other uses"
    )]
    pub fn new(key: KeyPair, issuer: String, audience: String) -> Self {
        provider::install();
        let mut validation = Validation::new(Algorithm::EdDSA);
        validation.set_required_spec_claims(&["exp", "nbf", "iss", "aud", "sub"]);
        validation.set_issuer(&[&issuer]);
        validation.set_audience(&[&audience]);
        // The library would ask the wall clock; we compare with the time we are given.
        validation.validate_exp = false;
        validation.validate_nbf = false;
        let public = key.public();
        Self {
            public,
            id: public.id(),
            encoding: provider::encoding_key(&key),
            decoding: provider::decoding_key(&public),
            name: issuer,
            audience,
            validation,
        }
    }

    /// A token for `principal`, good from `now` for `lifetime` (whole seconds).
    pub fn issue(
        &self,
        principal: &Principal,
        now: Timestamp,
        lifetime: SignedDuration,
    ) -> Result<String, TokenError> {
        principal.check_scope().map_err(TokenError::Scope)?;
        if lifetime < SignedDuration::from_secs(1) || lifetime > MAX_LIFETIME {
            return Err(TokenError::Lifetime(lifetime));
        }
        let from = now.as_second();
        let claims = Claims {
            iss: self.name.clone(),
            aud: self.audience.clone(),
            sub: principal.subject.clone(),
            jti: principal.token.clone(),
            iat: from,
            nbf: from,
            exp: from.saturating_add(lifetime.as_secs()),
            name: principal.name.clone(),
            role: principal.role,
            customer: principal.customer.clone(),
            device: principal.device.clone(),
            family: principal.family.clone(),
        };
        let mut header = Header::new(Algorithm::EdDSA);
        header.typ = Some(TYPE.to_owned());
        header.kid = Some(self.id.to_string());
        let token = jsonwebtoken::encode(&header, &claims, &self.encoding)
            .map_err(|e| TokenError::Malformed(e.to_string()))?;
        if token.len() > MAX_TOKEN {
            return Err(TokenError::TooLong);
        }
        Ok(token)
    }

    /// Who holds the token `jwt`, once it is ours, for us, and good at `now`.
    pub fn check(&self, jwt: &str, now: Timestamp) -> Result<Principal, TokenError> {
        if jwt.len() > MAX_TOKEN {
            return Err(TokenError::TooLong);
        }
        self.check_header(jwt)?;
        let claims = jsonwebtoken::decode::<Claims>(jwt, &self.decoding, &self.validation)
            .map_err(|e| refusal(e.kind()))?
            .claims;
        within(&claims, now)?;
        let principal = Principal {
            subject: claims.sub,
            name: claims.name,
            role: claims.role,
            customer: claims.customer,
            device: claims.device,
            token: claims.jti,
            family: claims.family,
        };
        principal.check_scope().map_err(TokenError::Scope)?;
        Ok(principal)
    }

    fn check_header(&self, jwt: &str) -> Result<(), TokenError> {
        // The library knows no `none` and calls it malformed; a reader of logs should see what was tried.
        if let Some(named) = named_algorithm(jwt).filter(|a| a != "EdDSA") {
            return Err(TokenError::Algorithm(named));
        }
        let header = jsonwebtoken::decode_header(jwt).map_err(|e| refusal(e.kind()))?;
        if header.crit.is_some() {
            let why = "it has critical extensions (RFC 7515, section 4.1.11)";
            return Err(TokenError::Malformed(why.to_owned()));
        }
        if header.typ.as_deref() != Some(TYPE) {
            return Err(TokenError::Malformed(format!("its type is not `{TYPE}`")));
        }
        if header.kid.as_deref() != Some(self.id.as_str()) {
            return Err(TokenError::OtherKey);
        }
        Ok(())
    }

    /// The key that checks the tokens, as a JSON Web Key Set (RFC 7517, RFC 8037 section 2).
    pub fn jwks(&self) -> serde_json::Value {
        serde_json::json!({
            "keys": [{
                "kty": "OKP",
                "crv": "Ed25519",
                "use": "sig",
                "alg": "EdDSA",
                "kid": self.id,
                "x": URL_SAFE_NO_PAD.encode(self.public.bytes()),
            }]
        })
    }
}

fn within(claims: &Claims, now: Timestamp) -> Result<(), TokenError> {
    let at = |seconds: i64, what: &str| {
        Timestamp::from_second(seconds).map_err(|_| TokenError::Malformed(format!("its `{what}` is no time")))
    };
    let (from, until) = (at(claims.nbf, "nbf")?, at(claims.exp, "exp")?);
    if now.duration_since(until) >= LEEWAY {
        return Err(TokenError::Expired(until));
    }
    if from.duration_since(now) > LEEWAY {
        return Err(TokenError::NotYetValid(from));
    }
    Ok(())
}

fn refusal(kind: &ErrorKind) -> TokenError {
    match kind {
        ErrorKind::InvalidSignature => TokenError::Signature,
        ErrorKind::InvalidIssuer => TokenError::Issuer,
        ErrorKind::InvalidAudience => TokenError::Audience,
        ErrorKind::Json(e) => TokenError::Malformed(e.to_string()),
        other => TokenError::Malformed(format!("{other:?}")),
    }
}

/// The algorithm that the header names, when it can be read at all.
fn named_algorithm(jwt: &str) -> Option<String> {
    #[derive(Deserialize)]
    struct Named {
        alg: String,
    }
    let header = URL_SAFE_NO_PAD.decode(jwt.split('.').next()?).ok()?;
    let named: Named = serde_json::from_slice(&header).ok()?;
    Some(named.alg.chars().take(20).collect())
}

#[cfg(test)]
mod tests;
