//! Echo as a witness over HTTP, and what the operator says about witnesses.

use axum::http::StatusCode;
use serde_json::{Value, json};

use crate::{
    ask::{Answer, ask},
    house::House,
};

const ADD: &str = "/v1/witness/add-checkpoint";

/// The request of one of the house's own ledgers, which stands in for a log of others.
async fn request(house: &House, old: u64) -> String {
    let note = ask("GET", "/v1/ledgers/genesis/checkpoint").send(house).await.body;
    format!("old {old}\n\n{}", String::from_utf8(note).unwrap())
}

async fn submit(house: &House, body: &str) -> Answer {
    ask("POST", ADD).header("content-type", "text/plain").bytes(body.as_bytes().to_vec()).send(house).await
}

async fn witness_genesis(house: &House) -> String {
    let vkey = ask("GET", "/v1/ledgers/genesis/log.vkey").send(house).await.body;
    let vkey = String::from_utf8(vkey).unwrap().trim().to_owned();
    let edit = json!({"edit": "add", "vkey": vkey});
    house.post("/v1/witnessed-logs", &house.admin, &edit).await.expect(200);
    vkey
}

#[tokio::test(flavor = "multi_thread")]
async fn a_log_is_cosigned_by_the_statuses_of_the_protocol() {
    let house = House::open().await;
    let body = request(&house, 0).await;
    assert_eq!(submit(&house, &body).await.problem(404), "not-found");
    let log = witness_genesis(&house).await;
    let line = submit(&house, &body).await;
    assert_eq!(line.status, 200);
    let line = String::from_utf8(line.body).unwrap();
    let vkey = ask("GET", "/v1/witness/vkey").send(&house).await.body;
    let vkey = String::from_utf8(vkey).unwrap();
    let policy = witness::Policy::default().with_log(&log, None).unwrap();
    let policy = policy.with_witness("echo", vkey.trim(), None).unwrap().with_quorum("echo").unwrap();
    let note = body.split_once("\n\n").unwrap().1.to_owned() + &line;
    let size = policy.evaluate(&note).unwrap().checkpoint.size;

    let origin = log.split('+').next().unwrap();
    let hash = echo_core::Digest::of(origin.as_bytes()).hex();
    let shown = ask("GET", &format!("/v1/witness/{hash}/checkpoint")).send(&house).await;
    assert_eq!(String::from_utf8(shown.body).unwrap(), note);

    let stale = submit(&house, &request(&house, 1).await).await;
    assert_eq!((stale.status, stale.header("content-type")), (StatusCode::CONFLICT, "text/x.tlog.size"));
    assert_eq!(stale.body, format!("{size}\n").into_bytes());
    let proof = "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=";
    let proven = body.replacen("old 0\n", &format!("old {size}\n{proof}\n"), 1);
    assert_eq!(submit(&house, &proven).await.problem(422), "inconsistent");
    let forged = body.replacen(&format!("\n{size}\n"), &format!("\n{}\n", size + 1), 1);
    assert_eq!(submit(&house, &forged).await.problem(403), "signature");
    let back = body.replacen("old 0", &format!("old {}", size + 1), 1);
    assert_eq!(submit(&house, &back).await.problem(400), "body");
    assert_eq!(submit(&house, "hello").await.problem(400), "body");
    let same = body.replacen("old 0", &format!("old {size}"), 1);
    assert_eq!(submit(&house, &same).await.status, 200);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_the_operator_says_about_witnesses_is_checked_and_told() {
    let house = House::open().await;
    let vkey = String::from_utf8(ask("GET", "/v1/witness/vkey").send(&house).await.body).unwrap();
    let post = async |edit: Value| house.post("/v1/witnesses", &house.admin, &edit).await;
    let add =
        |name: &str, vkey: &str, url: &str| json!({"edit": "add", "name": name, "vkey": vkey, "url": url});
    assert_eq!(post(add("w", "x", "https://w.example")).await.problem(422), "invalid");
    assert_eq!(post(add("w", vkey.trim(), "w.example")).await.problem(422), "invalid");
    let now = post(add("w", vkey.trim(), "https://w.example/")).await.expect(200);
    assert_eq!(now["witnesses"][0]["url"], "https://w.example");
    post(json!({"edit": "group", "name": "g", "threshold": 1, "members": ["w"]})).await.expect(200);
    assert_eq!(post(json!({"edit": "quorum", "name": "g"})).await.expect(200)["quorum"], "g");
    assert_eq!(post(json!({"edit": "remove", "name": "w"})).await.problem(422), "invalid");
    let policy = ask("GET", "/v1/ledgers/aeterna/policy").send(&house).await.body;
    let policy = witness::Policy::parse(&String::from_utf8(policy).unwrap()).unwrap();
    assert_eq!((policy.quorum(), policy.logs().len()), (Some("g"), 1));
    assert_eq!(
        ask("GET", "/v1/ledgers/aeterna/checkpoint.cosigned").send(&house).await.problem(404),
        "not-found"
    );
    let now = house.get("/v1/witnesses", &house.admin).await.expect(200);
    assert_eq!(now["groups"][0]["members"], json!(["w"]));
    assert_eq!(house.get("/readyz", "").await.expect(200)["alarms"], 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn commitments_are_listed_and_exported() {
    let house = House::open().await;
    let made = house.post("/v1/treasury/commit", &house.admin, &json!({})).await.expect(200);
    assert_eq!(made[0]["log"], "genesis");
    let page = house.get("/v1/treasury", &house.admin).await.expect(200);
    assert_eq!(page["items"][0], made[0]);
    let text = house.get("/v1/treasury/export", &house.admin).await;
    let text = String::from_utf8(text.body).unwrap();
    assert!(text.ends_with(made[0]["checkpoint"].as_str().unwrap()), "{text}");
}
