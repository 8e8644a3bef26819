//! The public side: ledgers, trust chain, keys, headers of every answer.

use axum::http::Method;
use serde_json::json;

use crate::{ask::ask, house::House};

#[tokio::test(flavor = "multi_thread")]
async fn anybody_can_read_a_ledger_and_check_its_head() {
    let house = House::open().await;
    for log in ["genesis", "aeterna"] {
        let checkpoint = ask("GET", &format!("/v1/ledgers/{log}/checkpoint")).send(&house).await;
        assert_eq!((checkpoint.status.as_u16(), checkpoint.header("cache-control")), (200, "no-cache"));
        let vkey = ask("GET", &format!("/v1/ledgers/{log}/log.vkey")).send(&house).await;
        let text = |body: Vec<u8>| String::from_utf8(body).unwrap();
        let head = ledger::verify_checkpoint(&text(checkpoint.body), text(vkey.body).trim()).unwrap();
        if head.size == 0 {
            continue;
        }
        let tile = ask("GET", &format!("/v1/ledgers/{log}/tile/0/000.p/{}", head.size)).send(&house).await;
        assert_eq!(tile.status, 200);
        assert_eq!(tile.body.len() as u64, 32 * head.size);
        assert_eq!(tile.header("cache-control"), "public, max-age=60");
        let bundle = ask("GET", &format!("/v1/ledgers/{log}/tile/entries/000.p/{}", head.size));
        assert_eq!(bundle.send(&house).await.status, 200);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_but_tiles_leaves_the_ledgers_folder() {
    let house = House::open().await;
    for path in [
        "genesis/tile/../stage",
        "genesis/tile/0/../../.lock",
        "genesis/tile/%2e%2e/checkpoint",
        "genesis/tile/..%2f..%2fecho.keystore.json",
        "genesis/tile/0%2f000",
        "genesis/tile/0/000.p",
        "genesis/tile/%00",
        "genesis/tile/%ff",
        "genesis/tile//etc/passwd",
        "genesis/stage",
        "genesis/.lock",
        "genesis/tile",
        "%2e%2e/checkpoint",
        "other/checkpoint",
    ] {
        let answer = ask("GET", &format!("/v1/ledgers/{path}")).send(&house).await;
        let partial = path == "genesis/tile/0%2f000";
        assert_eq!(answer.status, 404, "{path} {partial}");
        assert_eq!(answer.problem(404), "not-found", "{path}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_trust_chain_and_the_keys_are_public() {
    let house = House::open().await;
    let chain = ask("GET", "/v1/trust").send(&house).await;
    assert_eq!(chain.body, house.desk.trust_chain());
    let keys = ask("GET", "/v1/jwks").send(&house).await.expect(200);
    assert_eq!(keys["keys"][0]["alg"], "EdDSA");
    assert_eq!(ask("GET", "/.well-known/jwks.json").send(&house).await.expect(200), keys);
    let document = ask("GET", "/v1/openapi.json").send(&house).await.expect(200);
    assert_eq!(document["openapi"], json!("3.1.0"));
}

#[tokio::test(flavor = "multi_thread")]
async fn every_answer_carries_the_safe_headers() {
    let house = House::open().await;
    for path in ["/v1/me", "/v1/nowhere", "/healthz", "/v1/trust"] {
        let answer = ask("GET", path).send(&house).await;
        assert_eq!(answer.header("x-content-type-options"), "nosniff", "{path}");
        assert!(answer.header("content-security-policy").starts_with("default-src 'none'"), "{path}");
    }
    assert_eq!(house.get("/v1/me", &house.admin).await.header("cache-control"), "no-store");
}

#[tokio::test(flavor = "multi_thread")]
async fn unknown_routes_and_methods_are_problems() {
    let house = House::open().await;
    assert_eq!(ask("GET", "/v1/nowhere").send(&house).await.problem(404), "not-found");
    assert_eq!(ask("GET", "/v1/cases/x/y/z").send(&house).await.problem(404), "not-found");
    for method in [Method::DELETE, Method::PUT, Method::PATCH] {
        let answer = ask(method.as_str(), "/v1/cases").bearer(&house.admin).send(&house).await;
        assert_eq!(answer.problem(405), "method", "{method}");
        assert!(answer.header("allow").contains("GET"), "{:?}", answer.headers);
    }
    let head = ask("HEAD", "/v1/cases").bearer(&house.admin).send(&house).await;
    assert_eq!((head.status.as_u16(), head.body.len()), (200, 0));
}

#[tokio::test(flavor = "multi_thread")]
async fn metrics_are_for_those_who_may_read_them() {
    let house = House::open().await;
    house.get("/v1/cases", &house.admin).await.expect(200);
    let text = String::from_utf8(house.get("/metrics", &house.admin).await.body).unwrap();
    for wanted in [
        "http_server_request_duration_seconds_count{http_request_method=\"GET\",http_route=\"/v1/cases\",http_response_status_code=\"200\"} 1",
        "echo_ledger_entries{log=\"genesis\"}",
        "echo_ready 1",
        "echo_witness_alarms 0",
    ] {
        assert!(text.contains(wanted), "{wanted} is not in\n{text}");
    }
    let customer = house.customer("Bakery Weber").await;
    let person = house.token("Ada", "customer", Some(&customer)).await;
    assert_eq!(house.get("/metrics", &person).await.problem(403), "forbidden");
    assert_eq!(ask("GET", "/metrics").send(&house).await.problem(401), "unauthenticated");
}
