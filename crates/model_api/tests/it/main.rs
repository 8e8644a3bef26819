//! The API before a desk whose model is somewhere else, and says what it is told to.

#![expect(clippy::unwrap_used, reason = "all of this is test code, not only its test functions")]

use std::{ops::ControlFlow, sync::Arc};

use access::{Principal, Role};
use axum::{
    Extension, Router,
    body::{Body, to_bytes},
    http::{Request, Response},
};
use desk::{Call, Desk, NewCustomer, Options};
use echo_core::{Mint, PageRequest};
use models::{Chat, Completion, Embedded, Endpoint, Finish, ModelError, ModelRef, Models, Settings};
use serde_json::{Value, json};
use tempfile::TempDir;
use tower::ServiceExt as _;

/// A model somewhere else that greets.
#[derive(Debug)]
struct Greeter;

fn greeter() -> ModelRef {
    ModelRef { name: "greeter".to_owned(), file: None }
}

impl Endpoint for Greeter {
    fn text(&self) -> Option<ModelRef> {
        Some(greeter())
    }

    fn embedder(&self) -> Option<ModelRef> {
        Some(greeter())
    }

    fn chat(
        &self,
        chat: &Chat,
        each: &mut dyn FnMut(&str) -> ControlFlow<()>,
    ) -> Result<Completion, ModelError> {
        if chat.messages[0].content == "fail" {
            return Err(ModelError::Failed {
                model: "greeter".to_owned(),
                reason: "/srv is full".to_owned(),
            });
        }
        for piece in ["Good ", "morning"] {
            let _ = each(piece);
        }
        let text = "Good morning".to_owned();
        Ok(Completion {
            model: greeter(),
            text,
            prompt_tokens: 3,
            completion_tokens: 2,
            finish: Finish::Stop,
        })
    }

    fn embed(&self, texts: &[String]) -> Result<Embedded, ModelError> {
        Ok(Embedded { model: greeter(), vectors: vec![vec![1.0, 0.0]; texts.len()], tokens: 2 })
    }
}

struct House {
    desk: Desk,
    customer: Principal,
    _home: TempDir,
}

impl House {
    async fn found(models: Models) -> Self {
        let home = tempfile::tempdir().unwrap();
        let options = Options { models, ..Options::new(home.path().to_owned(), Mint::system()) };
        let opened = Desk::open(options).await.unwrap();
        let desk = opened.desk;
        let tokens = desk.sign_in(&opened.sign_in.secret).await.unwrap();
        let operator = desk.authenticate(&tokens.access_token).await.unwrap();
        let new = NewCustomer { name: "Anna".to_owned(), plan: "pay-as-you-go".parse().unwrap() };
        let made = desk.add_customer(&Call::by(operator.clone()), new).await.unwrap();
        let customer = Principal { role: Role::Customer, customer: Some(made.customer.id), ..operator };
        Self { desk, customer, _home: home }
    }

    async fn with_greeter() -> Self {
        let folder = std::path::PathBuf::from("/nowhere");
        Self::found(
            Models::open(Settings { endpoint: Some(Arc::new(Greeter)), ..Settings::new(folder) }).unwrap(),
        )
        .await
    }

    fn app(&self) -> Router {
        model_api::router(self.desk.clone()).layer(Extension(self.customer.clone()))
    }

    async fn post(&self, path: &str, body: &Value) -> Response<Body> {
        let request =
            Request::post(format!("{}{path}", model_api::PREFIX)).body(Body::from(body.to_string()));
        self.app().oneshot(request.unwrap()).await.unwrap()
    }
}

async fn text(response: Response<Body>) -> String {
    String::from_utf8(to_bytes(response.into_body(), 1 << 20).await.unwrap().to_vec()).unwrap()
}

async fn json(response: Response<Body>) -> Value {
    serde_json::from_str(&text(response).await).unwrap()
}

fn hello(stream: bool) -> Value {
    json!({
        "model": "default", "messages": [{"role": "user", "content": "hello"}], "stream": stream,
        "stream_options": {"include_usage": true},
    })
}

#[tokio::test(flavor = "multi_thread")]
async fn a_chat_is_answered_with_its_call_and_receipt() {
    let house = House::with_greeter().await;
    let response = house.post("/chat/completions", &hello(false)).await;
    let call = response.headers()["echo-call"].to_str().unwrap().to_owned();
    let answer = json(response).await;
    assert_eq!(answer["choices"][0]["message"]["content"], "Good morning");
    assert_eq!((&answer["usage"]["total_tokens"], &answer["model"]), (&json!(5), &json!("greeter")));
    assert_eq!(answer["echo"]["call"]["id"], *call);
    assert!(answer["echo"]["receipt"]["document"]["proof"].is_string(), "{answer}");
    let text = house.post("/completions", &json!({"model": "greeter", "prompt": "hello"})).await;
    assert_eq!(json(text).await["choices"][0]["text"], "Good morning");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stream_tells_pieces_the_end_the_tokens_and_that_it_is_over() {
    let house = House::with_greeter().await;
    let told = text(house.post("/chat/completions", &hello(true)).await).await;
    let data: Vec<&str> = told.lines().filter_map(|line| line.strip_prefix("data: ")).collect();
    let (over, events) = data.split_last().unwrap();
    let events: Vec<Value> = events.iter().map(|data| serde_json::from_str(data).unwrap()).collect();
    let said: String = events.iter().filter_map(|e| e["choices"][0]["delta"]["content"].as_str()).collect();
    assert_eq!((*over, said.as_str(), events.len()), ("[DONE]", "Good morning", 5), "{told}");
    assert_eq!(events[3]["choices"][0]["finish_reason"], "stop");
    assert!(events[3]["echo"]["receipt"].is_object());
    assert_eq!((&events[4]["choices"], &events[4]["usage"]["completion_tokens"]), (&json!([]), &json!(2)));
}

#[tokio::test(flavor = "multi_thread")]
async fn vectors_come_as_numbers_or_as_base64() {
    let house = House::with_greeter().await;
    for (format, expected) in [("float", json!([1.0, 0.0])), ("base64", json!("AACAPwAAAAA="))] {
        let asked = json!({"model": "default", "input": ["a", "b"], "encoding_format": format});
        let answer = json(house.post("/embeddings", &asked).await).await;
        assert_eq!(answer["data"][1]["embedding"], expected, "{answer}");
    }
    let unknown = house.post("/embeddings", &json!({"model": "ada", "input": "a"})).await;
    assert_eq!(json(unknown).await["error"]["code"], "model_not_found");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_fails_says_why_in_the_apis_words() {
    let house = House::with_greeter().await;
    let mut failing = hello(true);
    failing["messages"][0]["content"] = json!("fail");
    let failed = house.post("/chat/completions", &failing).await;
    assert_eq!(failed.status(), 500, "before the first piece it is an ordinary error");
    let failed = json(failed).await;
    assert_eq!(failed["error"]["code"], "model_failed");
    assert!(!failed.to_string().contains("/srv"), "{failed}");
    let mut unknown = hello(false);
    unknown["model"] = json!("gpt-9");
    assert_eq!(house.post("/chat/completions", &unknown).await.status(), 404);
    assert_eq!(house.post("/audio/speech", &json!({})).await.status(), 404);
    let huge = json!({"model": "default", "messages": [{"role": "user", "content": "x".repeat(2 << 20)}]});
    assert_eq!(house.post("/chat/completions", &huge).await.status(), 413);
    let app = model_api::router(house.desk.clone());
    let nobody = Request::get("/openai/v1/models").body(Body::empty()).unwrap();
    assert_eq!(app.oneshot(nobody).await.unwrap().status(), 401);
}

#[tokio::test(flavor = "multi_thread")]
async fn without_a_model_it_says_so_and_charges_nothing() {
    let house = House::found(Models::none()).await;
    let refused = house.post("/chat/completions", &hello(false)).await;
    assert_eq!(
        (refused.status().as_u16(), &refused.headers()["x-should-retry"]),
        (503, &"false".parse().unwrap())
    );
    assert_eq!(json(refused).await["error"]["code"], "no_model");
    let receipts = house.desk.receipts(&house.customer, &PageRequest::default()).await.unwrap();
    assert!(receipts.items.is_empty());
}
