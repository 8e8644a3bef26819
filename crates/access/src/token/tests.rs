use echo_core::Mint;
use proptest::prelude::*;
use serde_json::{Value, json};

use super::*;
use crate::principal::tests::{mint, principal};

const ISSUER: &str = "https://echo.example.org";
const AUDIENCE: &str = "echo";

fn key(seed: u8) -> KeyPair {
    KeyPair::from_secret(&[seed; 32])
}

fn issuer() -> Issuer {
    Issuer::new(key(1), ISSUER.to_owned(), AUDIENCE.to_owned())
}

fn now() -> Timestamp {
    "2027-03-01T12:00:00Z".parse().unwrap()
}

fn somebody() -> (Principal, Mint) {
    let (mint, _) = mint();
    (principal(&mint, Role::Customer), mint)
}

fn token() -> String {
    issuer().issue(&somebody().0, now(), ACCESS_LIFETIME).unwrap()
}

fn part(value: &Value) -> String {
    URL_SAFE_NO_PAD.encode(value.to_string())
}

fn good_header() -> Value {
    json!({ "typ": TYPE, "alg": "EdDSA", "kid": key(1).id() })
}

fn good_claims() -> Value {
    let token = token();
    let payload = token.split('.').nth(1).unwrap();
    serde_json::from_slice(&URL_SAFE_NO_PAD.decode(payload).unwrap()).unwrap()
}

/// A token with any header and claims, rightly signed with `key`.
fn forge(header: &Value, claims: &Value, key: &KeyPair) -> String {
    let message = format!("{}.{}", part(header), part(claims));
    let signature = URL_SAFE_NO_PAD.encode(key.sign(message.as_bytes()));
    format!("{message}.{signature}")
}

fn with(mut value: Value, field: &str, to: Value) -> Value {
    value[field] = to;
    value
}

fn without(mut value: Value, field: &str) -> Value {
    value.as_object_mut().unwrap().remove(field).unwrap();
    value
}

fn refused(jwt: &str) -> TokenError {
    issuer().check(jwt, now()).unwrap_err()
}

fn refused_claims(claims: &Value) -> TokenError {
    refused(&forge(&good_header(), claims, &key(1)))
}

#[test]
fn every_role_comes_back_whole() {
    let (mint, _) = mint();
    for role in Role::ALL {
        let mut asks = principal(&mint, role);
        asks.family = (role != Role::Device).then(|| mint.id());
        let jwt = issuer().issue(&asks, now(), ACCESS_LIFETIME).unwrap();
        assert_eq!(issuer().check(&jwt, now()), Ok(asks));
    }
}

#[test]
fn the_forging_of_these_tests_makes_good_tokens() {
    let jwt = forge(&good_header(), &good_claims(), &key(1));
    assert!(issuer().check(&jwt, now()).is_ok());
}

#[test]
fn no_other_algorithm_is_taken() {
    for algorithm in ["none", "None", "HS256", "RS256", "ES256", "Ed25519"] {
        let header = with(good_header(), "alg", json!(algorithm));
        let expected = TokenError::Algorithm(algorithm.to_owned());
        assert_eq!(refused(&forge(&header, &good_claims(), &key(1))), expected);
        let unsigned = format!("{}.{}.", part(&header), part(&good_claims()));
        assert_eq!(refused(&unsigned), expected);
    }
}

#[test]
fn a_token_of_another_key_is_refused() {
    let other = Issuer::new(key(2), ISSUER.to_owned(), AUDIENCE.to_owned());
    let honest = other.issue(&somebody().0, now(), ACCESS_LIFETIME).unwrap();
    assert_eq!(refused(&honest), TokenError::OtherKey);
    let lying = forge(&good_header(), &good_claims(), &key(2));
    assert_eq!(refused(&lying), TokenError::Signature);
    let embedded = with(good_header(), "jwk", other.jwks()["keys"][0].clone());
    assert_eq!(
        refused(&forge(&embedded, &good_claims(), &key(2))),
        TokenError::Signature,
        "a key in the header is never used"
    );
}

#[test]
fn another_issuer_and_another_audience_are_told_apart() {
    let claims = with(good_claims(), "aud", json!("somewhere else"));
    assert_eq!(refused_claims(&claims), TokenError::Audience);
    let claims = with(good_claims(), "iss", json!("https://evil.example"));
    assert_eq!(refused_claims(&claims), TokenError::Issuer);
}

#[test]
fn time_is_kept_to_five_seconds() {
    let (issuer, jwt) = (issuer(), token());
    let (begin, end) = (now(), now() + ACCESS_LIFETIME);
    let second = SignedDuration::from_secs(1);
    assert!(issuer.check(&jwt, end + 4 * second).is_ok());
    assert_eq!(issuer.check(&jwt, end + 5 * second), Err(TokenError::Expired(end)));
    assert!(issuer.check(&jwt, begin - 5 * second).is_ok());
    assert_eq!(issuer.check(&jwt, begin - 6 * second), Err(TokenError::NotYetValid(begin)));
}

#[test]
fn an_over_long_token_is_refused_unread() {
    assert_eq!(refused(&"a".repeat(MAX_TOKEN + 1)), TokenError::TooLong);
    let mut asks = somebody().0;
    asks.name = "n".repeat(MAX_TOKEN);
    assert_eq!(issuer().issue(&asks, now(), ACCESS_LIFETIME), Err(TokenError::TooLong));
}

#[test]
fn missing_and_surplus_claims_are_malformed() {
    for claim in ["exp", "nbf", "iat", "iss", "aud", "sub", "jti", "role", "name"] {
        let error = refused_claims(&without(good_claims(), claim));
        assert!(matches!(&error, TokenError::Malformed(why) if why.contains(claim)), "{claim}: {error}");
    }
    for (claim, value) in [
        ("admin", json!(true)),
        ("role", json!("root")),
        ("exp", json!("never")),
        ("exp", json!(i64::MAX)),
        ("aud", json!(["echo", "evil"])),
    ] {
        let error = refused_claims(&with(good_claims(), claim, value));
        assert!(matches!(error, TokenError::Malformed(_)), "{claim}: {error}");
    }
}

#[test]
fn a_role_without_its_scope_is_refused() {
    let claims = without(good_claims(), "customer");
    assert_eq!(refused_claims(&claims), TokenError::Scope(Unscoped(Role::Customer)));
    let claims = with(good_claims(), "role", json!("operator_admin"));
    assert_eq!(refused_claims(&claims), TokenError::Scope(Unscoped(Role::OperatorAdmin)));
    let mut asks = somebody().0;
    asks.customer = None;
    assert!(matches!(issuer().issue(&asks, now(), ACCESS_LIFETIME), Err(TokenError::Scope(_))));
}

#[test]
fn headers_that_want_something_else_are_refused() {
    for (field, value) in [("typ", json!("JWT")), ("crit", json!(["b64"])), ("alg", json!(7))] {
        let error = refused(&forge(&with(good_header(), field, value), &good_claims(), &key(1)));
        assert!(matches!(error, TokenError::Malformed(_)), "{field}: {error}");
    }
    let error = refused(&forge(&without(good_header(), "kid"), &good_claims(), &key(1)));
    assert_eq!(error, TokenError::OtherKey);
}

#[test]
fn other_shapes_are_malformed() {
    let jwt = token();
    for bad in ["", ".", "..", "...", "a.b.c", "Bearer x", &format!("{jwt}.x"), &jwt.replace('.', "")] {
        assert!(matches!(refused(bad), TokenError::Malformed(_)), "{bad}");
    }
}

#[test]
fn a_lifetime_must_be_sensible() {
    let (asks, _) = somebody();
    for lifetime in [
        SignedDuration::ZERO,
        SignedDuration::from_secs(-1),
        SignedDuration::from_millis(999),
        MAX_LIFETIME + SignedDuration::from_secs(1),
        SignedDuration::MAX,
    ] {
        assert_eq!(issuer().issue(&asks, now(), lifetime), Err(TokenError::Lifetime(lifetime)));
    }
}

#[test]
fn the_key_set_holds_the_public_key_alone() {
    // RFC 8037, appendix A.2: the key of RFC 8032's first test.
    let seed = "9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60";
    let mut secret = [0; 32];
    hex::decode_to_slice(seed, &mut secret).unwrap();
    let issuer = Issuer::new(KeyPair::from_secret(&secret), ISSUER.to_owned(), AUDIENCE.to_owned());
    let jwks = issuer.jwks();
    let jwk = &jwks["keys"][0];
    assert_eq!(jwk["x"], "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo");
    assert_eq!((&jwk["kty"], &jwk["crv"]), (&json!("OKP"), &json!("Ed25519")));
    assert!(jwk.get("d").is_none());
    assert!(serde_json::from_value::<jsonwebtoken::jwk::JwkSet>(jwks).is_ok());
}

#[test]
fn the_signing_is_that_of_the_standard() {
    // RFC 8037, appendix A.4.
    let seed = "9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60";
    let mut secret = [0; 32];
    hex::decode_to_slice(seed, &mut secret).unwrap();
    crate::provider::install();
    let key = crate::provider::encoding_key(&KeyPair::from_secret(&secret));
    let message = b"eyJhbGciOiJFZERTQSJ9.RXhhbXBsZSBvZiBFZDI1NTE5IHNpZ25pbmc";
    assert_eq!(
        jsonwebtoken::crypto::sign(message, &key, Algorithm::EdDSA).unwrap(),
        "hgyY0il_MGCjP0JzlnLWG1PPOt7-09PGcvMg3AIbQR6dWbhijcNR4ki4iylGjg5BhVsPt9g7sVvpAr_MuM0KAg"
    );
}

proptest! {
    #[test]
    fn any_changed_byte_is_refused(at in 0_usize..4096, with in 1_u8..128) {
        let mut bytes = token().into_bytes();
        let at = at % bytes.len();
        bytes[at] ^= with;
        if let Ok(changed) = String::from_utf8(bytes) {
            prop_assert!(issuer().check(&changed, now()).is_err());
        }
    }

    #[test]
    fn no_text_makes_it_panic(text in ".{0,200}\\.?.{0,200}\\.?.{0,200}") {
        prop_assert!(issuer().check(&text, now()).is_err());
    }
}
