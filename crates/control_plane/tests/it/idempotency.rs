//! Requests that come twice.

use std::sync::Arc;

use futures::future::join_all;
use serde_json::{Value, json};

use crate::{
    ask::{Answer, ask},
    house::House,
};

fn open(words: &str) -> Value {
    json!({"form": "general-help", "answers": {"what_happened": words}})
}

async fn post(house: &House, token: &str, key: &str, body: &Value) -> Answer {
    ask("POST", "/v1/cases").bearer(token).key(key).json(body).send(house).await
}

#[tokio::test(flavor = "multi_thread")]
async fn the_same_request_with_the_same_key_is_done_once() {
    let house = House::open().await;
    let customer = house.customer("Bakery Weber").await;
    let person = house.token("Ada", "customer", Some(&customer)).await;
    let first = post(&house, &person, "k-1", &open("The till is slow")).await;
    first.expect(201);
    let second = post(&house, &person, "k-1", &open("The till is slow")).await;
    second.expect(201);
    assert_eq!(first.body, second.body);
    assert_eq!((first.header("idempotency-replayed"), second.header("idempotency-replayed")), ("", "true"));
    let other = post(&house, &person, "k-1", &open("The till is on fire")).await;
    assert_eq!(other.problem(422), "idempotency-key-reused");
    let cases = house.get("/v1/cases", &person).await.expect(200);
    assert_eq!(cases["items"].as_array().unwrap().len(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_key_belongs_to_its_caller() {
    let house = House::open().await;
    let customer = house.customer("Bakery Weber").await;
    let ada = house.token("Ada", "customer", Some(&customer)).await;
    let bob = house.token("Bob", "customer", Some(&customer)).await;
    post(&house, &ada, "k", &open("mine")).await.expect(201);
    let his = post(&house, &bob, "k", &open("his")).await;
    his.expect(201);
    assert_eq!(his.header("idempotency-replayed"), "");
}

#[tokio::test(flavor = "multi_thread")]
async fn twenty_at_once_with_one_key_make_one_case() {
    let house = Arc::new(House::open().await);
    let customer = house.customer("Bakery Weber").await;
    let person = house.token("Ada", "customer", Some(&customer)).await;
    let asks = (0..20).map(|_| {
        let (house, person) = (house.clone(), person.clone());
        tokio::spawn(async move { post(&house, &person, "one", &open("The till is slow")).await })
    });
    let answers: Vec<Answer> = join_all(asks).await.into_iter().map(Result::unwrap).collect();
    let bodies: Vec<Value> = answers.iter().map(|answer| answer.expect(201)).collect();
    assert!(bodies.iter().all(|body| *body == bodies[0]));
    let replayed = answers.iter().filter(|a| a.header("idempotency-replayed") == "true").count();
    assert_eq!(replayed, 19);
    let cases = house.get("/v1/cases", &person).await.expect(200);
    assert_eq!(cases["items"].as_array().unwrap().len(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_malformed_key_is_refused() {
    let house = House::open().await;
    for key in ["", "two words", &"k".repeat(256)] {
        let answer = post(&house, &house.admin, key, &open("x")).await;
        assert_eq!(answer.status, 422, "{key:?}");
    }
    let two = ask("POST", "/v1/cases").bearer(&house.admin).key("a").key("b").json(&open("x"));
    assert_eq!(two.send(&house).await.problem(400), "idempotency-key");
}
