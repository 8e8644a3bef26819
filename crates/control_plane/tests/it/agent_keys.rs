//! Programs that call with a key of their own.

use std::{fs, path::Path};

use futures::future::join_all;
use serde_json::{Value, json};

use crate::{
    ask::{Answer, ask},
    house::House,
    world::{Device, World},
};

struct Agent {
    id: String,
    secret: String,
}

/// A key of `customer` with a cap in cents.
async fn key(house: &House, customer: &str, skills: &[&str], cap: Option<i64>) -> Agent {
    let cap = cap.map(|minor| json!({"minor": minor, "currency": "EUR"}));
    let new = json!({"customer": customer, "name": "night shift", "skills": skills, "cap": cap, "days": 30});
    let made = house.post("/v1/agent-keys", &house.admin, &new).await.expect(201);
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    Agent { id: text(&made["key"]["id"]), secret: text(&made["secret"]) }
}

async fn open(house: &House, token: &str, device: Option<&Device>) -> Answer {
    let open = json!({
        "form": "general-help", "device": device.map(|d| &d.id), "answers": {"what_happened": "The till is slow again"},
    });
    house.post("/v1/cases", token, &open).await
}

async fn call(house: &House, token: &str, case: &str, skill: &str) -> Answer {
    house.post(&format!("/v1/cases/{case}/calls"), token, &json!({"skill": skill})).await
}

fn id_of(view: &Value) -> String {
    view["case"]["id"].as_str().unwrap().to_owned()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_program_works_with_its_key_until_the_cap_is_reached() {
    let house = House::open().await;
    let customer = house.customer("Bakery Weber").await;
    let agent = key(&house, &customer, &["triage.classify"], Some(25)).await;
    let case = id_of(&open(&house, &agent.secret, None).await.expect(201));
    let made = call(&house, &agent.secret, &case, "triage.classify").await.expect(201);
    assert_eq!((&made["key"], &made["asked_by"]), (&json!(agent.id), &json!("night shift")));
    let over = call(&house, &agent.secret, &case, "triage.classify").await;
    assert_eq!(over.problem(402), "spend-cap");
    let detail = over.json()["detail"].as_str().unwrap().to_owned();
    assert!(detail.contains("has spent 0.20 EUR of its 0.25 EUR this month"), "{detail}");
    assert_eq!(open(&house, &agent.secret, None).await.problem(402), "spend-cap");
    let cases = house.get("/v1/cases", &agent.secret).await.expect(200);
    assert_eq!(cases["items"].as_array().unwrap().len(), 1, "a case that cannot be triaged is not opened");
    assert_eq!(call(&house, &agent.secret, &case, "advisory.answer").await.status, 422, "no question");
    let other = json!({"skill": "advisory.answer", "question": "Why is the till slow?"});
    let unlisted = house.post(&format!("/v1/cases/{case}/calls"), &agent.secret, &other).await;
    assert_eq!(unlisted.problem(403), "forbidden");
    assert!(unlisted.json()["detail"].as_str().unwrap().contains("it is for triage.classify"));

    let me = house.get("/v1/me", &agent.secret).await.expect(200);
    assert_eq!(
        (&me["role"], &me["subject"], &me["token"]),
        (&json!("agent"), &json!(agent.id), &json!(agent.id))
    );
    let own = &me["agent_key"];
    assert_eq!((&own["spent"], &own["cap"]["minor"]), (&json!("0.2"), &json!(25)));
    assert_eq!(own["skills"], json!(["triage.classify"]));
    let list = house.get("/v1/agent-keys", &house.admin).await.expect(200);
    assert_eq!(list["items"], json!([own]));
    let nobody = house.get("/v1/me", &house.admin).await.expect(200);
    assert!(nobody.get("agent_key").is_none());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_failed_call_gives_back_what_it_held() {
    let house = House::open().await;
    let customer = house.customer("Bakery Weber").await;
    let device = Device::enrol(&house, &customer, "till-1").await;
    let agent = key(&house, &customer, &["triage.classify", "diagnostics.probe"], Some(60)).await;
    let case = id_of(&open(&house, &agent.secret, Some(&device)).await.expect(201));
    let probe = call(&house, &agent.secret, &case, "diagnostics.probe").await.expect(201);
    assert_eq!((&probe["state"], &probe["held"]), (&json!("running"), &json!("0.5")));
    assert_eq!(call(&house, &agent.secret, &case, "triage.classify").await.problem(402), "spend-cap");
    device.work(&house, |_| json!({"outcome": "failed", "reason": "no disk"})).await;
    call(&house, &agent.secret, &case, "triage.classify").await.expect(201);
    let me = house.get("/v1/me", &agent.secret).await.expect(200);
    assert_eq!((&me["agent_key"]["spent"], &me["agent_key"]["held"]), (&json!("0.2"), &json!("0")));
}

#[tokio::test(flavor = "multi_thread")]
async fn two_at_once_do_not_both_pass_the_last_cent() {
    let house = House::open().await;
    let customer = house.customer("Bakery Weber").await;
    let agent = key(&house, &customer, &["triage.classify"], Some(30)).await;
    let case = id_of(&open(&house, &agent.secret, None).await.expect(201));
    let answers = join_all((0..6).map(|_| call(&house, &agent.secret, &case, "triage.classify"))).await;
    let passed = answers.iter().filter(|answer| answer.status == 201).count();
    assert_eq!(passed, 2);
    for refused in answers.iter().filter(|answer| answer.status != 201) {
        assert_eq!(refused.problem(402), "spend-cap");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_revoked_or_expired_key_opens_nothing() {
    let house = House::open().await;
    let customer = house.customer("Bakery Weber").await;
    let person = house.token("Ada", "customer", Some(&customer)).await;
    let first = key(&house, &customer, &["triage.classify"], None).await;
    let path = format!("/v1/agent-keys/{}/revoke", first.id);
    assert_eq!(house.post(&path, &first.secret, &json!({})).await.problem(403), "forbidden");
    house.get("/v1/cases", &first.secret).await.expect(200);
    assert_eq!(house.post(&path, &person, &json!({})).await.expect(200)["state"], "revoked");
    let refused = house.get("/v1/cases", &first.secret).await;
    assert_eq!(refused.problem(401), "unauthenticated");
    assert!(refused.json()["detail"].as_str().unwrap().contains("revoked"));
    assert_eq!(house.post(&path, &person, &json!({})).await.problem(409), "conflict");

    let second = key(&house, &customer, &["triage.classify"], None).await;
    house.get("/v1/cases", &second.secret).await.expect(200);
    house.clock.advance_millis(30 * 24 * 3600 * 1000);
    assert_eq!(house.get("/v1/cases", &second.secret).await.problem(401), "unauthenticated");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_key_is_no_way_around_its_cap_or_to_more_rights() {
    let World { house, a, b, .. } = World::build().await;
    let grant = json!({
        "holder": a.device.node(), "skills": ["diagnostics.probe"], "calls": 200, "hours": 1,
    });
    let path = format!("/v1/cases/{}/grants", a.case);
    assert_eq!(
        house.post(&path, &a.agent, &grant).await.problem(403),
        "forbidden",
        "grants are paid without a cap"
    );
    let own = json!({"name": "another", "skills": ["triage.classify"]});
    assert_eq!(house.post("/v1/agent-keys", &a.agent, &own).await.problem(403), "forbidden");
    let foreign = json!({"customer": b.customer, "name": "another", "skills": ["triage.classify"]});
    assert_eq!(house.post("/v1/agent-keys", &a.person, &foreign).await.problem(404), "not-found");
    let made = house.post("/v1/agent-keys", &a.person, &own).await.expect(201);
    assert_eq!(made["key"]["customer"], json!(a.customer));
    let user = json!({"name": "Eve", "role": "agent"});
    assert_eq!(house.post("/v1/users", &house.admin, &user).await.problem(422), "invalid");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_secret_of_a_key_is_answered_once_and_kept_nowhere() {
    let house = House::open().await;
    let customer = house.customer("Bakery Weber").await;
    let new = json!({"customer": customer, "name": "night shift", "skills": ["triage.classify"]});
    let send =
        async || ask("POST", "/v1/agent-keys").bearer(&house.admin).key("once").json(&new).send(&house).await;
    let made = send().await.expect(201);
    let again = send().await;
    assert_eq!(again.problem(409), "conflict");
    assert!(again.json()["detail"].as_str().unwrap().contains(made["key"]["id"].as_str().unwrap()));
    let secret = made["secret"].as_str().unwrap();
    let case = id_of(&open(&house, secret, None).await.expect(201));
    let person = house.token("Ada", "customer", Some(&customer)).await;
    let export = house.get(&format!("/v1/cases/{case}"), &person).await;
    let random = &secret[secret.len() - 64..];
    assert!(!String::from_utf8(export.body).unwrap().contains(random));
    let list = house.get("/v1/agent-keys", &house.admin).await;
    assert!(!String::from_utf8(list.body).unwrap().contains(random));
    assert!(!holds(house.desk.home(), random), "a file of the home holds the secret");
}

/// Whether a file below `folder` holds `text`.
fn holds(folder: &Path, text: &str) -> bool {
    fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).any(|path| {
        if path.is_dir() {
            return holds(&path, text);
        }
        fs::read(path).unwrap().windows(text.len()).any(|window| window == text.as_bytes())
    })
}
