//! Rate limits over HTTP.

use control_plane::RateLimits;
use serde_json::json;

use crate::{
    ask::ask,
    house::{House, generous},
};

#[tokio::test(flavor = "multi_thread")]
async fn a_caller_that_asks_too_much_is_told_to_wait() {
    let limits =
        RateLimits { per_caller: 6.try_into().unwrap(), caller_burst: 2.try_into().unwrap(), ..generous() };
    let house = House::with_limits(limits).await;
    let first = house.get("/v1/me", &house.admin).await;
    assert_eq!(first.header("ratelimit-policy"), "\"address\";q=1000000;w=60, \"caller\";q=6;w=60");
    assert!(first.header("ratelimit").ends_with(", \"caller\";r=1;t=10"), "{}", first.header("ratelimit"));
    house.get("/v1/me", &house.admin).await.expect(200);
    let refused = house.get("/v1/me", &house.admin).await;
    assert_eq!(refused.problem(429), "rate-limit");
    let wait: u64 = refused.header("retry-after").parse().unwrap();
    assert!((1..=10).contains(&wait), "{wait}");
    assert!(refused.header("ratelimit").contains("\"caller\";r=0"));
}

#[tokio::test(flavor = "multi_thread")]
async fn guessing_secrets_is_slow() {
    let limits = RateLimits { sign_in: 3.try_into().unwrap(), ..generous() };
    let house = House::with_limits(limits).await;
    let guess = || ask("POST", "/v1/sign-in").json(&json!({"secret": "tok_guess"})).send(&house);
    for _ in 0..3 {
        assert_eq!(guess().await.problem(401), "unauthenticated");
    }
    assert_eq!(guess().await.problem(429), "rate-limit");
    house.get("/v1/me", &house.admin).await.expect(200);
}

#[tokio::test(flavor = "multi_thread")]
async fn whether_the_process_is_up_may_be_asked_always() {
    let limits = RateLimits { per_address: 1.try_into().unwrap(), ..generous() };
    let house = House::with_limits(limits).await;
    house.get("/v1/trust", "").await.expect(200);
    assert_eq!(house.get("/v1/trust", "").await.problem(429), "rate-limit");
    for _ in 0..3 {
        assert_eq!(house.get("/healthz", "").await.status, 200);
    }
}
