//! The protocol before a desk: what a message does, and what another customer sees of it.

#![expect(clippy::unwrap_used, reason = "all of this is test code, not only its test functions")]

use access::{Principal, Role};
use axum::{
    Extension, Router,
    body::{Body, to_bytes},
    http::Request,
};
use desk::{Call, Desk, NewCustomer, Options};
use echo_core::{CustomerId, Id as _, Mint};
use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::sync::watch;
use tower::ServiceExt as _;

struct House {
    desk: Desk,
    operator: Principal,
    stop: watch::Sender<bool>,
    _home: TempDir,
}

impl House {
    async fn found() -> Self {
        let home = tempfile::tempdir().unwrap();
        let opened = Desk::open(Options::new(home.path().to_owned(), Mint::system())).await.unwrap();
        let desk = opened.desk;
        let tokens = desk.sign_in(&opened.sign_in.secret).await.unwrap();
        let operator = desk.authenticate(&tokens.access_token).await.unwrap();
        Self { desk, operator, stop: watch::Sender::new(false), _home: home }
    }

    async fn customer(&self, name: &str) -> Principal {
        let new = NewCustomer { name: name.to_owned(), plan: "pay-as-you-go".parse().unwrap() };
        let made = self.desk.add_customer(&Call::by(self.operator.clone()), new).await.unwrap();
        let customer: CustomerId = made.customer.id;
        // Replies are kept by subject, so each person has one of their own.
        let subject = format!("person of {}", customer.as_str());
        Principal { role: Role::Customer, customer: Some(customer), subject, ..self.operator.clone() }
    }

    fn app(&self, principal: &Principal) -> Router {
        a2a::router(self.desk.clone(), self.stop.subscribe()).layer(Extension(principal.clone()))
    }

    async fn ask(&self, principal: &Principal, method: &str, params: Value) -> Value {
        let body = json!({"jsonrpc": "2.0", "id": 7, "method": method, "params": params});
        serde_json::from_slice(&post(self.app(principal), &body).await.1).unwrap()
    }

    /// The task of a text that opens a case.
    async fn opened(&self, principal: &Principal, name: &str) -> Value {
        self.ask(principal, "SendMessage", text(name, "The printer prints blank pages.", "")).await["result"]
            ["task"]
            .clone()
    }
}

async fn post(app: Router, body: &Value) -> (u16, Vec<u8>) {
    let request = Request::post(a2a::PATH).header("a2a-version", "1.0").body(Body::from(body.to_string()));
    let response = app.oneshot(request.unwrap()).await.unwrap();
    let status = response.status().as_u16();
    (status, to_bytes(response.into_body(), 1 << 20).await.unwrap().to_vec())
}

fn text(name: &str, words: &str, context: &str) -> Value {
    json!({"message": {
        "messageId": name, "role": "ROLE_USER", "contextId": context, "parts": [{"text": words}],
    }})
}

#[tokio::test]
async fn a_message_is_done_once_and_answered_with_its_receipt() {
    let house = House::found().await;
    let anna = house.customer("Anna").await;
    let task = house.opened(&anna, "m1").await;
    assert_eq!(task["status"]["state"], "TASK_STATE_COMPLETED", "{task}");
    assert_eq!(task["artifacts"][0]["artifactId"], "output");
    assert!(task["artifacts"][1]["parts"][0]["data"]["document"]["proof"].is_string());
    assert_eq!(house.opened(&anna, "m1").await["id"], task["id"]);
    let other = house.ask(&anna, "SendMessage", text("m1", "Something else entirely.", "")).await;
    assert_eq!(other["error"]["code"], -32602, "an id of another message");
    let context = task["contextId"].as_str().unwrap();
    let asked = house.ask(&anna, "SendMessage", text("m2", "What is wrong with the printer?", context)).await;
    assert_eq!(asked["result"]["task"]["metadata"]["skill"], "advisory.answer", "{asked}");
}

#[tokio::test]
async fn another_customer_sees_no_task() {
    let house = House::found().await;
    let (anna, ben) = (house.customer("Anna").await, house.customer("Ben").await);
    let task = house.opened(&anna, "m1").await;
    let named = json!({"id": task["id"]});
    for method in ["GetTask", "CancelTask", "SubscribeToTask"] {
        assert_eq!(house.ask(&ben, method, named.clone()).await["error"]["code"], -32001, "{method}");
    }
    for listing in [json!({}), json!({"contextId": task["contextId"]})] {
        let listed = house.ask(&ben, "ListTasks", listing).await;
        assert_eq!((&listed["result"]["tasks"], &listed["result"]["totalSize"]), (&json!([]), &json!(0)));
    }
    let asked =
        house.ask(&ben, "SendMessage", text("m1", "What is it?", task["contextId"].as_str().unwrap())).await;
    assert!(asked["error"]["message"].as_str().unwrap().contains("there is no case"), "{asked}");
    assert_eq!(house.ask(&anna, "ListTasks", json!({})).await["result"]["totalSize"], 1);
}

#[tokio::test]
async fn a_stream_tells_the_task_and_ends() {
    let house = House::found().await;
    let anna = house.customer("Anna").await;
    let params = text("m1", "The printer prints blank pages.", "");
    let body = json!({"jsonrpc": "2.0", "id": "s", "method": "SendStreamingMessage", "params": params});
    let (status, body) = post(house.app(&anna), &body).await;
    let events = String::from_utf8(body).unwrap();
    let events: Vec<Value> = events
        .lines()
        .filter_map(|l| l.strip_prefix("data: "))
        .map(|l| serde_json::from_str(l).unwrap())
        .collect();
    assert_eq!((status, events.len()), (200, 1), "{events:?}");
    assert_eq!(
        (&events[0]["id"], &events[0]["result"]["task"]["status"]["state"]),
        (&json!("s"), &json!("TASK_STATE_COMPLETED"))
    );
}

#[tokio::test]
async fn what_is_no_request_is_told_so() {
    let house = House::found().await;
    let anna = house.customer("Anna").await;
    for (body, code) in [
        (json!([]), -32600),
        (json!({"jsonrpc": "2.0", "method": "GetTask"}), -32600),
        (json!({"jsonrpc": "1.0", "id": 1, "method": "GetTask"}), -32600),
        (json!({"jsonrpc": "2.0", "id": 1, "method": "message/send"}), -32601),
        (json!({"jsonrpc": "2.0", "id": 1, "method": "GetTask", "params": {"id": 5}}), -32602),
        (json!({"jsonrpc": "2.0", "id": 1, "method": "ListTasks", "params": {"pageSize": 0}}), -32602),
        (json!({"jsonrpc": "2.0", "id": 1, "method": "CreateTaskPushNotificationConfig"}), -32003),
    ] {
        let answer: Value = serde_json::from_slice(&post(house.app(&anna), &body).await.1).unwrap();
        assert_eq!(answer["error"]["code"], code, "{body}: {answer}");
    }
    let nobody = a2a::router(house.desk.clone(), house.stop.subscribe());
    assert_eq!(post(nobody, &json!({"jsonrpc": "2.0", "id": 1, "method": "ListTasks"})).await.0, 401);
}

#[tokio::test]
async fn the_card_is_signed_where_the_operator_said_the_address() {
    let house = House::found().await;
    house.customer("Anna of the secret address").await;
    let card = async |url: Option<&str>| {
        let app = a2a::card_router(house.desk.clone(), url.map(str::to_owned));
        let request = Request::get(a2a::CARD_PATH).header("host", "127.0.0.1:8460").body(Body::empty());
        let body = to_bytes(app.oneshot(request.unwrap()).await.unwrap().into_body(), 1 << 20).await.unwrap();
        serde_json::from_slice::<Value>(&body).unwrap()
    };
    let plain = card(None).await;
    assert_eq!(plain["supportedInterfaces"][0]["url"], "http://127.0.0.1:8460/a2a");
    assert!(plain.get("signatures").is_none());
    let signed = card(Some("https://help.example.org/")).await;
    assert_eq!(signed["supportedInterfaces"][0]["url"], "https://help.example.org/a2a");
    assert!(signed["signatures"][0]["signature"].as_str().unwrap().len() == 86);
    assert!(!signed.to_string().contains("Anna"));
}
