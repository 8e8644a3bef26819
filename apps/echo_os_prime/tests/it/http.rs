//! A person's client of the API.

use std::time::Duration;

use serde_json::Value;

/// An answer: its status and its JSON.
pub type Answer = (u16, Value);

/// Who is signed in, and where.
#[derive(Clone)]
pub struct Client {
    agent: ureq::Agent,
    pub url: String,
    token: String,
}

impl Client {
    /// Trades a one-time secret for a session.
    pub fn sign_in(url: &str, secret: &str) -> Self {
        let agent = ureq::Agent::config_builder()
            .http_status_as_error(false)
            .timeout_global(Some(Duration::from_secs(30)))
            // Each request on its own connection: a killed platform leaves none to be used again.
            .max_idle_connections(0)
            .build()
            .into();
        let mut client = Self { agent, url: url.to_owned(), token: String::new() };
        let (status, tokens) =
            client.post("/v1/sign-in", "", &serde_json::json!({ "secret": secret })).unwrap();
        assert_eq!(status, 200, "{tokens}");
        tokens["access_token"].as_str().unwrap().clone_into(&mut client.token);
        client
    }

    /// GET; fails when there is nobody who answers.
    pub fn get(&self, path: &str) -> Result<Answer, String> {
        let mut answer = self
            .agent
            .get(format!("{}{path}", self.url))
            .header("authorization", format!("Bearer {}", self.token))
            .call()
            .map_err(|e| e.to_string())?;
        Ok((answer.status().as_u16(), answer.body_mut().read_json().map_err(|e| e.to_string())?))
    }

    /// POST under an idempotency key; fails when there is nobody who answers.
    pub fn post(&self, path: &str, key: &str, body: &Value) -> Result<Answer, String> {
        let mut request = self
            .agent
            .post(format!("{}{path}", self.url))
            .header("authorization", format!("Bearer {}", self.token));
        if !key.is_empty() {
            request = request.header("idempotency-key", key);
        }
        let mut answer = request.send_json(body).map_err(|e| e.to_string())?;
        Ok((answer.status().as_u16(), answer.body_mut().read_json().map_err(|e| e.to_string())?))
    }
}
