//! A model behind an `OpenAI`-compatible interface: asked over HTTP, its answer read as it comes.
//!
//! Source: the `OpenAI` API reference, "Chat completions" (streamed, as server-sent events) and "Embeddings".

use std::{
    fmt,
    io::{BufRead as _, BufReader, Read as _},
    ops::ControlFlow,
    time::Duration,
};

use echo_core::Reach;
use models::{Chat, Completion, Embedded, Endpoint, Finish, ModelError, ModelRef};
use serde::{Deserialize, Serialize};
use serde_json::json;
use ureq::{Agent, Body, http::Response};
use zeroize::Zeroizing;

use crate::witnesses::{host, is_loopback};

/// How long it may take until a connection stands.
const CONNECT: Duration = Duration::from_secs(10);
/// How long vectors may take, from the name's look-up to the answer's last byte.
const EMBED: Duration = Duration::from_mins(2);
/// The most bytes of a streamed answer.
const MAX_STREAM: u64 = 16 << 20;
/// The most bytes of vectors: 2048 of 4096 numbers.
const MAX_VECTORS: u64 = 128 << 20;
/// The most bytes of an error that are read.
const MAX_ERROR: u64 = 4096;
/// The most numbers of a vector.
const MAX_WIDTH: usize = 8192;

/// Where the model is, and what it is called there.
pub struct Remote {
    agent: Agent,
    url: String,
    key: Option<Zeroizing<String>>,
    text: Option<String>,
    embedding: Option<String>,
    reach: Reach,
}

impl fmt::Debug for Remote {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Remote").field("url", &self.url).field("text", &self.text).finish_non_exhaustive()
    }
}

impl Remote {
    /// The interface at `url`, such as `http://127.0.0.1:8080/v1`. A key goes over TLS, or stays on this machine.
    pub fn new(
        url: &str,
        key: Option<Zeroizing<String>>,
        text: Option<String>,
        embedding: Option<String>,
        reach: Reach,
    ) -> Result<Self, String> {
        let near = is_loopback(url);
        if !(url.starts_with("https://") || url.starts_with("http://"))
            || url.parse::<ureq::http::Uri>().is_err()
        {
            return Err(format!("`{url}` is no address: write it like https://models.example.org/v1"));
        }
        if key.is_some() && !near && !url.starts_with("https://") {
            return Err(format!("a key would go to {url} in the clear: use an https:// address, or no key"));
        }
        if text.is_none() && embedding.is_none() {
            return Err("it says neither `text` nor `embedding`: name a model that is there".to_owned());
        }
        let mut config = Agent::config_builder()
            .http_status_as_error(false)
            // A redirect could carry the key to somebody else.
            .max_redirects(0)
            .timeout_connect(Some(CONNECT))
            .user_agent(concat!("echo_os_prime/", env!("CARGO_PKG_VERSION")));
        if near {
            config = config.proxy(None);
        }
        let url = url.trim_end_matches('/').to_owned();
        Ok(Self { agent: config.build().new_agent(), url, key, text, embedding, reach })
    }

    fn post(&self, path: &str, body: &impl Serialize, time: Duration) -> Result<Response<Body>, String> {
        self.reach.service("the model's endpoint", &host(&self.url)).map_err(|off| off.to_string())?;
        let mut request =
            self.agent.post(format!("{}{path}", self.url)).config().timeout_global(Some(time)).build();
        if let Some(key) = &self.key {
            request = request.header("Authorization", &*Zeroizing::new(format!("Bearer {}", key.as_str())));
        }
        // As one piece with its length: not every server takes a request in chunks.
        let body = serde_json::to_vec(body).map_err(|e| format!("the question cannot be written: {e}"))?;
        let sent = request.header("Content-Type", "application/json").send(&body[..]);
        let mut answer = sent.map_err(|e| format!("{} does not answer: {e}", self.url))?;
        if answer.status().is_success() {
            return Ok(answer);
        }
        let mut said = Vec::new();
        // What it says about the error helps; that it cannot be read changes nothing.
        let _ = answer.body_mut().as_reader().take(MAX_ERROR).read_to_end(&mut said);
        let said: String =
            String::from_utf8_lossy(&said).chars().filter(|c| !c.is_control()).take(300).collect();
        Err(format!("{} answers {}: {said}", self.url, answer.status()))
    }

    fn failed(&self, model: &str) -> impl Fn(String) -> ModelError + use<> {
        let model = format!("{model} at {}", self.url);
        move |reason| ModelError::Failed { model: model.clone(), reason }
    }
}

/// One event of a streamed answer, as far as it is read.
#[derive(Deserialize)]
struct Event {
    #[serde(default)]
    choices: Vec<Choice>,
    usage: Option<Usage>,
}

#[derive(Deserialize)]
struct Choice {
    #[serde(default)]
    delta: Delta,
    finish_reason: Option<String>,
}

#[derive(Default, Deserialize)]
struct Delta {
    content: Option<String>,
}

#[derive(Deserialize)]
struct Usage {
    #[serde(default)]
    prompt_tokens: u32,
    #[serde(default)]
    completion_tokens: u32,
}

#[derive(Deserialize)]
struct Vectors {
    data: Vec<Vector>,
    usage: Option<Usage>,
}

#[derive(Deserialize)]
struct Vector {
    index: usize,
    embedding: Vec<f32>,
}

impl Endpoint for Remote {
    fn text(&self) -> Option<ModelRef> {
        self.text.clone().map(|name| ModelRef { name, file: None })
    }

    fn embedder(&self) -> Option<ModelRef> {
        self.embedding.clone().map(|name| ModelRef { name, file: None })
    }

    fn chat(
        &self,
        chat: &Chat,
        each: &mut dyn FnMut(&str) -> ControlFlow<()>,
    ) -> Result<Completion, ModelError> {
        let model = self.text().ok_or_else(|| ModelError::Missing { what: "text model".to_owned() })?;
        let failed = self.failed(&model.name);
        let mut body = json!({
            "model": model.name,
            "messages": chat.messages,
            "max_tokens": chat.max_tokens,
            "temperature": chat.temperature,
            "top_p": chat.top_p,
            "seed": chat.seed,
            "stream": true,
            "stream_options": {"include_usage": true},
        });
        if !chat.stop.is_empty() {
            body["stop"] = json!(chat.stop);
        }
        let time = Duration::from_millis(chat.budget_millis);
        let answer = self.post("/chat/completions", &body, time).map_err(&failed)?;
        let mut told = Told::new(model);
        let mut lines = BufReader::new(answer.into_body().into_reader().take(MAX_STREAM));
        let mut line = String::new();
        loop {
            line.clear();
            match lines.read_line(&mut line) {
                Ok(0) => return Err(failed("its answer ended in the middle".to_owned())),
                Ok(_) => {}
                Err(error) if is_late(&error) => return Ok(told.end(Finish::Late)),
                Err(error) => return Err(failed(format!("its answer broke off: {error}"))),
            }
            let Some(data) = line.trim_end().strip_prefix("data:") else { continue };
            if data.trim() == "[DONE]" {
                let finish = told.finish.unwrap_or(Finish::Stop);
                return Ok(told.end(finish));
            }
            let event = serde_json::from_str(data)
                .map_err(|e| failed(format!("its answer is not as it should be: {e}")))?;
            if told.take(event, each).is_break() {
                return Ok(told.end(Finish::Cancelled));
            }
        }
    }

    fn embed(&self, texts: &[String]) -> Result<Embedded, ModelError> {
        let model =
            self.embedder().ok_or_else(|| ModelError::Missing { what: "embedding model".to_owned() })?;
        let failed = self.failed(&model.name);
        let body = json!({"model": model.name, "input": texts, "encoding_format": "float"});
        let mut answer = self.post("/embeddings", &body, EMBED).map_err(&failed)?;
        let bytes = answer.body_mut().with_config().limit(MAX_VECTORS).read_to_vec();
        let bytes = bytes.map_err(|e| failed(format!("its answer cannot be read: {e}")))?;
        let said: Vectors = serde_json::from_slice(&bytes)
            .map_err(|e| failed(format!("its answer is not as it should be: {e}")))?;
        let tokens = said.usage.as_ref().map_or(0, |usage| usage.prompt_tokens);
        let vectors = in_order(said.data, texts.len()).map_err(failed)?;
        Ok(Embedded { model, vectors, tokens })
    }
}

/// What was said so far.
struct Told {
    model: ModelRef,
    text: String,
    pieces: u32,
    usage: Option<Usage>,
    finish: Option<Finish>,
}

impl Told {
    fn new(model: ModelRef) -> Self {
        Self { model, text: String::new(), pieces: 0, usage: None, finish: None }
    }

    fn take(&mut self, event: Event, each: &mut dyn FnMut(&str) -> ControlFlow<()>) -> ControlFlow<()> {
        self.usage = event.usage.or(self.usage.take());
        // One answer was asked for.
        let Some(choice) = event.choices.into_iter().next() else { return ControlFlow::Continue(()) };
        if let Some(reason) = choice.finish_reason {
            self.finish = Some(if reason == "length" { Finish::Length } else { Finish::Stop });
        }
        let piece = choice.delta.content.unwrap_or_default();
        self.pieces = self.pieces.saturating_add(u32::from(!piece.is_empty()));
        self.text += &piece;
        each(&piece)
    }

    fn end(self, finish: Finish) -> Completion {
        // A piece is about a token, where nobody counted.
        let (prompt_tokens, completion_tokens) =
            self.usage.map_or((0, self.pieces), |usage| (usage.prompt_tokens, usage.completion_tokens));
        Completion { model: self.model, text: self.text, prompt_tokens, completion_tokens, finish }
    }
}

/// One vector of length 1 a text.
fn in_order(data: Vec<Vector>, texts: usize) -> Result<Vec<Vec<f32>>, String> {
    let mut vectors = vec![Vec::new(); texts];
    let width = data.first().map_or(0, |vector| vector.embedding.len());
    for Vector { index, embedding } in data {
        let length = embedding.iter().map(|x| f64::from(*x).powi(2)).sum::<f64>().sqrt();
        if embedding.len() != width || width > MAX_WIDTH || !length.is_finite() || length <= 0.0 {
            return Err("it answers with a vector that is none".to_owned());
        }
        let place = vectors.get_mut(index).ok_or("it answers with more vectors than texts")?;
        #[expect(clippy::cast_possible_truncation, reason = "vectors have single precision")]
        let scaled = |x: &f32| (f64::from(*x) / length) as f32;
        *place = embedding.iter().map(scaled).collect();
    }
    if vectors.iter().any(Vec::is_empty) {
        return Err("it answers with less vectors than texts".to_owned());
    }
    Ok(vectors)
}

fn is_late(error: &std::io::Error) -> bool {
    error.kind() == std::io::ErrorKind::TimedOut
        || error.get_ref().is_some_and(|inner| matches!(inner.downcast_ref(), Some(ureq::Error::Timeout(_))))
}

#[cfg(test)]
mod tests;
