//! Tokens that are not good, and what becomes of them.

use access::{Principal, Role, token::Issuer};
use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use jiff::SignedDuration;
use serde_json::{Value, json};
use trust::KeyPair;

use crate::{
    ask::ask,
    house::House,
    world::{Device, claim, enrolment_secret},
};

async fn refused(house: &House, token: &str) {
    let answer = house.get("/v1/me", token).await;
    assert_eq!(answer.problem(401), "unauthenticated", "{token}");
    assert!(answer.header("www-authenticate").starts_with("Bearer"));
}

fn parts(token: &str) -> (Value, Value) {
    let mut parts = token.split('.').map(|part| {
        URL_SAFE_NO_PAD
            .decode(part)
            .ok()
            .and_then(|json| serde_json::from_slice(&json).ok())
            .unwrap_or_default()
    });
    (parts.next().unwrap(), parts.next().unwrap())
}

fn joined(header: &Value, claims: &Value, signature: &[u8]) -> String {
    let part = |value: &Value| URL_SAFE_NO_PAD.encode(value.to_string());
    format!("{}.{}.{}", part(header), part(claims), URL_SAFE_NO_PAD.encode(signature))
}

#[tokio::test(flavor = "multi_thread")]
async fn forged_tokens_are_refused() {
    let house = House::open().await;
    let (header, claims) = parts(&house.admin);
    let signature = URL_SAFE_NO_PAD.decode(house.admin.rsplit('.').next().unwrap()).unwrap();
    for algorithm in ["none", "HS256", "RS256"] {
        let mut header = header.clone();
        header["alg"] = json!(algorithm);
        refused(&house, &joined(&header, &claims, b"")).await;
        refused(&house, &joined(&header, &claims, &signature)).await;
    }
    let mut other = claims.clone();
    other["role"] = json!("customer");
    refused(&house, &joined(&header, &other, &signature)).await;
    for nonsense in ["", "x", "a.b.c", &"a".repeat(100_000)] {
        refused(&house, nonsense).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_token_of_another_key_or_for_another_platform_is_refused() {
    let house = House::open().await;
    let (header, mut claims) = parts(&house.admin);
    let stranger = KeyPair::from_secret(&[7; 32]);
    let principal = Principal {
        subject: claims["sub"].as_str().unwrap().to_owned(),
        name: "Operator".to_owned(),
        role: Role::OperatorAdmin,
        customer: None,
        device: None,
        token: house.mint.id(),
        family: None,
    };
    let issuer = Issuer::new(stranger.clone(), "echo".to_owned(), house.desk.root().to_string());
    let forged = issuer.issue(&principal, house.mint.now(), SignedDuration::from_mins(5)).unwrap();
    refused(&house, &forged).await;
    claims["aud"] = json!("sha256:another");
    let message = joined(&header, &claims, b"");
    let signature = stranger.sign(message.trim_end_matches('.').as_bytes());
    refused(&house, &joined(&header, &claims, &signature)).await;
    // The same operator's token of another house.
    let other = House::open().await;
    refused(&house, &other.admin).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_expired_token_is_refused() {
    let house = House::open().await;
    house.get("/v1/me", &house.admin).await.expect(200);
    house.clock.advance_millis(11 * 60 * 1000);
    refused(&house, &house.admin).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_refresh_token_that_comes_again_ends_the_session() {
    let house = House::open().await;
    let secret = house.person("Tess", "technician", None).await;
    let first = house.sign_in(&secret).await;
    let refresh = async |tokens: &Value| {
        let body = json!({"refresh_token": tokens["refresh_token"]});
        ask("POST", "/v1/refresh").json(&body).send(&house).await
    };
    let second = refresh(&first).await.expect(200);
    house.get("/v1/me", second["access_token"].as_str().unwrap()).await.expect(200);
    assert_eq!(refresh(&first).await.problem(401), "unauthenticated");
    refused(&house, second["access_token"].as_str().unwrap()).await;
    refused(&house, first["access_token"].as_str().unwrap()).await;
    assert_eq!(refresh(&second).await.problem(401), "unauthenticated");
}

#[tokio::test(flavor = "multi_thread")]
async fn signing_out_ends_the_session() {
    let house = House::open().await;
    let secret = house.person("Tess", "technician", None).await;
    let tokens = house.sign_in(&secret).await;
    let access = tokens["access_token"].as_str().unwrap();
    let out = ask("POST", "/v1/sign-out").bearer(access).send(&house).await;
    assert_eq!(out.status, 204);
    refused(&house, access).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn one_time_secrets_are_good_once_and_for_their_purpose() {
    let house = House::open().await;
    let customer = house.customer("Bakery Weber").await;
    let secret = house.person("Tess", "technician", None).await;
    house.sign_in(&secret).await;
    let sign_in =
        async |secret: &str| ask("POST", "/v1/sign-in").json(&json!({"secret": secret})).send(&house).await;
    assert_eq!(sign_in(&secret).await.problem(401), "unauthenticated");
    assert_eq!(sign_in("").await.problem(401), "unauthenticated");
    let enrolment = enrolment_secret(&house, &customer).await;
    assert_eq!(sign_in(&enrolment).await.problem(422), "invalid");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_enrolment_token_enrols_one_device() {
    let house = House::open().await;
    let customer = house.customer("Bakery Weber").await;
    let secret = enrolment_secret(&house, &customer).await;
    let enrol = async |key: &KeyPair, signer: &KeyPair| {
        let mut signed = claim(key, "till-1");
        if signer.public() != key.public() {
            let payload = signed.payload_unchecked().unwrap();
            signed = trust::Envelope::sign_bytes(device_link::ENROLMENT_TYPE, &payload, &[signer]);
        }
        let body = json!({"secret": secret, "claim": signed});
        ask("POST", "/v1/enrol").json(&body).send(&house).await
    };
    let (one, two) = (KeyPair::from_secret(&[1; 32]), KeyPair::from_secret(&[2; 32]));
    assert_eq!(enrol(&one, &two).await.problem(422), "invalid");
    let first = enrol(&one, &one).await.expect(201);
    assert_eq!(enrol(&one, &one).await.expect(201), first, "a retry gets the same answer");
    assert_eq!(enrol(&two, &two).await.problem(401), "unauthenticated");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_assertion_is_good_once_and_for_a_minute() {
    let house = House::open().await;
    let customer = house.customer("Bakery Weber").await;
    let device = Device::enrol(&house, &customer, "till-1").await;
    let assertion = device.assertion(&house);
    device.assert(&house, &assertion).await.expect(200);
    assert_eq!(device.assert(&house, &assertion).await.problem(401), "unauthenticated");
    let late = device.assertion(&house);
    house.clock.advance_millis(61_000);
    assert_eq!(device.assert(&house, &late).await.problem(401), "unauthenticated");
    let mut stranger = Device { key: KeyPair::from_secret(&[9; 32]), ..device };
    assert_eq!(stranger.assert(&house, &stranger.assertion(&house)).await.problem(401), "unauthenticated");
    stranger.id = house.mint.id::<echo_core::DeviceId>().to_string();
    assert_eq!(stranger.assert(&house, &stranger.assertion(&house)).await.problem(401), "unauthenticated");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_cookie_serves_our_pages_alone() {
    let house = House::open().await;
    let cookie = format!("{}={}", control_plane::ACCESS_COOKIE, house.admin);
    let me = async |site: &str| {
        ask("GET", "/v1/me").header("cookie", &cookie).header("sec-fetch-site", site).send(&house).await
    };
    me("same-origin").await.expect(200);
    assert_eq!(me("cross-site").await.problem(401), "unauthenticated");
    let new = json!({"name": "X", "plan": "pay-as-you-go"});
    let add = |site: &str| {
        ask("POST", "/v1/customers").header("cookie", &cookie).header("sec-fetch-site", site).json(&new)
    };
    add("same-origin").send(&house).await.expect(201);
    assert_eq!(add("none").send(&house).await.problem(401), "unauthenticated");
    assert_eq!(add("same-site").send(&house).await.problem(401), "unauthenticated");
}
