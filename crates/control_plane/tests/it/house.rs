//! A house for a test: a fresh home, the API in front of it, and a clock that the test moves.

use std::sync::Arc;

use axum::Router;
use control_plane::{Options, RateLimits};
use desk::Desk;
use echo_core::{Clock as _, ManualClock, Mint, OsEntropy, SystemClock};
use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::sync::watch;

use crate::ask::ask;

pub struct House {
    pub app: Router,
    pub desk: Desk,
    pub clock: Arc<ManualClock>,
    pub mint: Mint,
    pub stop: watch::Sender<bool>,
    /// The operator's access token.
    pub admin: String,
    pub document: Arc<Value>,
    _home: TempDir,
}

/// So much that no test of something else meets a limit.
pub fn generous() -> RateLimits {
    let many = 1_000_000.try_into().unwrap();
    RateLimits { per_caller: many, caller_burst: many, per_address: many, sign_in: many }
}

impl House {
    pub async fn open() -> Self {
        Self::with_limits(generous()).await
    }

    pub async fn with_limits(limits: RateLimits) -> Self {
        let home = tempfile::tempdir().unwrap();
        let clock = Arc::new(ManualClock::at(SystemClock.now()));
        let mint = Mint::new(clock.clone(), Arc::new(OsEntropy));
        let options = desk::Options::new(home.path().to_owned(), mint.clone());
        let opened = Desk::open(options).await.unwrap();
        let desk = opened.desk;
        let admin = desk.sign_in(&opened.sign_in.secret).await.unwrap().access_token;
        let (stop, shutdown) = watch::channel(false);
        let app = control_plane::router(desk.clone(), Options { limits, ..Options::new(shutdown) });
        let document = Arc::new(serde_json::to_value(control_plane::openapi()).unwrap());
        Self { app, desk, clock, mint, stop, admin, document, _home: home }
    }

    /// A new customer, by the API.
    pub async fn customer(&self, name: &str) -> String {
        let new = json!({"name": name, "plan": "pay-as-you-go"});
        let made = self.post("/v1/customers", &self.admin, &new).await.expect(201);
        made["id"].as_str().unwrap().to_owned()
    }

    /// A new person, by the API; answers a sign-in secret.
    pub async fn person(&self, name: &str, role: &str, customer: Option<&str>) -> String {
        let mut new = json!({"name": name, "role": role});
        if let Some(customer) = customer {
            new["customer"] = json!(customer);
        }
        let made = self.post("/v1/users", &self.admin, &new).await.expect(201);
        let path = format!("/v1/users/{}/sign-in-links", made["id"].as_str().unwrap());
        let link = self.post(&path, &self.admin, &json!({})).await.expect(201);
        link["secret"].as_str().unwrap().to_owned()
    }

    /// A new person's access token.
    pub async fn token(&self, name: &str, role: &str, customer: Option<&str>) -> String {
        let secret = self.person(name, role, customer).await;
        self.sign_in(&secret).await["access_token"].as_str().unwrap().to_owned()
    }

    pub async fn sign_in(&self, secret: &str) -> Value {
        ask("POST", "/v1/sign-in").json(&json!({"secret": secret})).send(self).await.expect(200)
    }

    /// Serves the API on a port of its own.
    pub async fn serve(&self) -> std::net::SocketAddr {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let app = self.app.clone().into_make_service_with_connect_info::<std::net::SocketAddr>();
        tokio::spawn(async move { axum::serve(listener, app).await });
        address
    }
}
