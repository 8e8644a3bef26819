//! A customer sees nothing of another.

use access::Role;
use serde_json::json;

use crate::{
    ask::ask,
    routes::{Of, ROWS, Who},
    world::{Side, World},
};

/// All that must not be seen of a side.
pub fn secrets(side: &Side) -> Vec<&str> {
    vec![
        &side.customer,
        &side.device.id,
        &side.case,
        &side.call,
        &side.change,
        &side.invoice,
        &side.receipt,
        &side.agent_key,
    ]
}

#[tokio::test(flavor = "multi_thread")]
async fn another_customers_thing_is_not_found() {
    let world = World::build().await;
    let mut tried = 0;
    for row in ROWS.iter().filter(|row| !matches!(row.of, Of::Nothing | Of::User)) {
        let Who::May(action) = row.who else { panic!("{} names a thing and is for everybody", row.route) };
        for role in [Role::Customer, Role::Device, Role::Agent] {
            if !access::allowed(role, action) {
                continue;
            }
            let own = ask(row.method(), &row.path(&row.id(&world.a))).bearer(world.token(role));
            if row.method() == "GET" {
                assert_eq!(own.send(&world.house).await.status, 200, "{}", row.route);
            }
            let path = row.path(&row.id(&world.b));
            let ask = ask(row.method(), &path).bearer(world.token(role));
            let answer = ask.bytes(row.body.as_bytes().to_vec()).send(&world.house).await;
            assert_eq!(answer.problem(404), "not-found", "{} as {role}", row.route);
            tried += 1;
        }
    }
    assert!(tried >= 22, "only {tried} routes were tried");
}

#[tokio::test(flavor = "multi_thread")]
async fn no_list_shows_another_customers_things() {
    let world = World::build().await;
    for (role, least) in [(Role::Customer, 9), (Role::Agent, 5)] {
        let full = lists_with_own_things(&world, role).await;
        assert!(full >= least, "only {full} lists hold the {role}'s own things");
    }
}

/// How many lists show something of one's own customer; none may show another's.
async fn lists_with_own_things(world: &World, role: Role) -> usize {
    let mut full = 0;
    for row in ROWS.iter().filter(|row| row.method() == "GET" && matches!(row.of, Of::Nothing)) {
        let Who::May(action) = row.who else { continue };
        // Streams have tests of their own.
        let stays = ["GET /v1/events", "GET /v1/mesh/ws"].contains(&row.route);
        if !access::allowed(role, action) || stays {
            continue;
        }
        let answer = world.house.get(&row.path(""), world.token(role)).await;
        assert_eq!(answer.status, 200, "{}", row.route);
        let text = String::from_utf8(answer.body).unwrap();
        for secret in secrets(&world.b) {
            assert!(!text.contains(secret), "{} shows {secret} to the {role}", row.route);
        }
        full += usize::from(text.contains(&world.a.customer));
    }
    full
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_is_done_in_another_customers_name() {
    let World { house, a, b, .. } = World::build().await;
    let answers = json!({"what_happened": "x"});
    for body in [
        json!({"form": "general-help", "customer": b.customer, "answers": answers}),
        json!({"form": "general-help", "device": b.device.id, "answers": answers}),
        json!({"form": "general-help", "customer": a.customer, "device": b.device.id, "answers": answers}),
    ] {
        assert_eq!(house.post("/v1/cases", &a.person, &body).await.problem(404), "not-found", "{body}");
    }
    let token = house.post("/v1/enrolment-tokens", &a.person, &json!({"customer": b.customer})).await;
    assert_eq!(token.problem(404), "not-found");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_cursor_of_another_customer_opens_nothing() {
    let World { house, a, b, .. } = World::build().await;
    let page = house.get(&format!("/v1/cases?cursor={}", b.case), &a.person).await.expect(200);
    for item in page["items"].as_array().unwrap() {
        assert_eq!(item["customer"], json!(a.customer));
    }
}
