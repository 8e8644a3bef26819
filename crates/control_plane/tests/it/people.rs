//! People who sign in by a link, and devices that are taken out of care.

use serde_json::{Value, json};

use crate::{
    ask::ask,
    isolation::secrets,
    world::{Device, Side, World, claim},
};

/// The lists that a customer's person may read; each holds something in the world of these tests.
const LISTS: [&str; 7] = ["customers", "devices", "cases", "findings", "proofs", "receipts", "invoices"];

/// The single things of a side.
fn things(side: &Side) -> Vec<String> {
    vec![
        format!("/v1/devices/{}", side.device.id),
        format!("/v1/devices/{}/history", side.device.id),
        format!("/v1/cases/{}", side.case),
        format!("/v1/cases/{}/export", side.case),
        format!("/v1/calls/{}", side.call),
        format!("/v1/change-sets/{}", side.change),
        format!("/v1/invoices/{}", side.invoice),
        format!("/v1/documents/receipt/{}", side.receipt),
    ]
}

#[tokio::test(flavor = "multi_thread")]
async fn a_customers_person_who_came_by_a_link_sees_only_their_own_things() {
    let World { house, a, b, .. } = World::build().await;
    let secret = house.person("Ada", "customer", Some(&a.customer)).await;
    let tokens = house.sign_in(&secret).await;
    let ada = tokens["access_token"].as_str().unwrap();
    let again = ask("POST", "/v1/sign-in").json(&json!({"secret": secret})).send(&house).await;
    assert_eq!(again.problem(401), "unauthenticated", "a link works once");

    let me = house.get("/v1/me", ada).await.expect(200);
    assert_eq!((&me["role"], &me["customer"]), (&json!("customer"), &json!(a.customer)));
    for list in LISTS {
        let answer = house.get(&format!("/v1/{list}"), ada).await;
        assert!(!answer.expect(200)["items"].as_array().unwrap().is_empty(), "{list} is empty");
        let text = String::from_utf8(answer.body).unwrap();
        assert!(text.contains(&a.customer), "{list} holds her own");
        for secret in secrets(&b).into_iter().chain(["Garage Lind"]) {
            assert!(!text.contains(secret), "{list} shows {secret}");
        }
    }
    for (own, other) in things(&a).iter().zip(things(&b)) {
        assert_eq!(house.get(own, ada).await.status, 200, "{own}");
        assert_eq!(house.get(&other, ada).await.problem(404), "not-found", "{other}");
    }
    assert_eq!(house.get("/v1/users", ada).await.problem(403), "forbidden");
    let link = format!("/v1/users/{}/sign-in-links", me["subject"].as_str().unwrap());
    assert_eq!(house.post(&link, ada, &json!({})).await.problem(403), "forbidden");
    let foreign = format!("/v1/devices/{}/retire", b.device.id);
    assert_eq!(house.post(&foreign, ada, &json!({})).await.problem(404), "not-found");
    house.get("/v1/device/commands?wait=0", &b.device.token).await.expect(200);
    let own = format!("/v1/devices/{}/retire", a.device.id);
    assert_eq!(house.post(&own, ada, &json!({})).await.expect(200)["state"], "revoked");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_retired_device_is_heard_no_more_and_its_history_stays() {
    let World { house, a, .. } = World::build().await;
    let path = format!("/v1/devices/{}/retire", a.device.id);
    let pulses = json!({"pulses": [a.device.pulse(&house, 1)]});
    house.post("/v1/device/pulses", &a.device.token, &pulses).await.expect(200);
    let retire = async |key: &str| ask("POST", &path).bearer(&a.person).key(key).send(&house).await;
    let retired = retire("once").await.expect(200);
    assert_eq!((&retired["id"], &retired["state"]), (&json!(a.device.id), &json!("revoked")));
    let replayed = retire("once").await;
    assert_eq!(replayed.header("idempotency-replayed"), "true");
    assert_eq!(replayed.expect(200), retired);
    let twice = retire("twice").await;
    assert_eq!(twice.problem(409), "conflict");
    assert!(twice.json()["detail"].as_str().unwrap().contains("retired already"));

    let commands = house.get("/v1/device/commands?wait=0", &a.device.token).await;
    assert_eq!(commands.problem(401), "unauthenticated");
    let pulse = house.post("/v1/device/pulses", &a.device.token, &pulses).await;
    assert_eq!(pulse.problem(401), "unauthenticated");
    let assertion = a.device.assert(&house, &a.device.assertion(&house)).await;
    assert_eq!(assertion.problem(401), "unauthenticated");

    for thing in things(&a) {
        assert_eq!(house.get(&thing, &a.person).await.status, 200, "{thing}");
    }
    let history = house.get(&format!("/v1/devices/{}/history", a.device.id), &a.person).await.expect(200);
    assert_eq!(history["items"].as_array().unwrap().len(), 1);
    let export = house.get(&format!("/v1/cases/{}/export", a.case), &a.person).await;
    dossier::verify(&export.body, house.desk.root()).unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_new_case_may_not_name_a_retired_device() {
    let World { house, a, .. } = World::build().await;
    let open = async |device: Value| {
        let open = json!({
            "form": "general-help", "device": device, "answers": {"what_happened": "The till is slow again"},
        });
        house.post("/v1/cases", &a.person, &open).await
    };
    let path = format!("/v1/devices/{}/retire", a.device.id);
    house.post(&path, &a.person, &json!({})).await.expect(200);
    let refused = open(json!(a.device.id)).await;
    assert_eq!(refused.problem(409), "conflict");
    let detail = refused.json()["detail"].as_str().unwrap().to_owned();
    assert!(detail.contains("till-1 is retired") && detail.contains("enrol"), "{detail}");
    open(Value::Null).await.expect(201);

    // The old key is over for good; the machine comes back with a new one.
    let secret = crate::world::enrolment_secret(&house, &a.customer).await;
    let old = json!({"secret": secret, "claim": claim(&a.device.key, "till-1")});
    assert_eq!(ask("POST", "/v1/enrol").json(&old).send(&house).await.problem(409), "conflict");
    let anew = Device::enrol(&house, &a.customer, "till-1").await;
    open(json!(anew.id)).await.expect(201);
}
