//! What is asked, in the `OpenAI` API's words, and what of it the desk is asked.

use agents::schema::{ChatInput, ChatMessage, ChatRole, EmbedInput};
use axum::{body::Bytes, http::HeaderMap};
use echo_core::CustomerId;
use serde::{Deserialize, de::DeserializeOwned};
use serde_json::{Map, Value, json};

use crate::failure::Failure;

/// How many tokens an answer has at most when nothing is said.
const DEFAULT_TOKENS: u32 = 512;
/// The name that stands for the platform's own choice.
const DEFAULT_MODEL: &str = "default";
/// By which the operator's people say for which customer they ask.
const CUSTOMER: &str = "echo-customer";

/// What changes nothing here, whatever it says.
const WITHOUT_EFFECT: [&str; 9] = [
    "metadata",
    "parallel_tool_calls",
    "prompt_cache_key",
    "prompt_cache_retention",
    "safety_identifier",
    "service_tier",
    "store",
    "user",
    "verbosity",
];

/// What is not offered, with the value that asks for nothing.
fn not_offered() -> [(&'static str, Value); 17] {
    [
        ("audio", Value::Null),
        ("best_of", json!(1)),
        ("echo", json!(false)),
        ("frequency_penalty", json!(0)),
        ("function_call", json!("none")),
        ("functions", json!([])),
        ("logit_bias", json!({})),
        ("logprobs", json!(false)),
        ("modalities", json!(["text"])),
        ("prediction", Value::Null),
        ("presence_penalty", json!(0)),
        ("reasoning_effort", json!("none")),
        ("response_format", json!({"type": "text"})),
        ("suffix", json!("")),
        ("tool_choice", json!("none")),
        ("tools", json!([])),
        ("top_logprobs", json!(0)),
    ]
}

/// One text, or several.
#[derive(Debug, Deserialize)]
#[serde(untagged)]
enum Texts {
    One(String),
    Many(Vec<String>),
}

impl Texts {
    fn into_vec(self) -> Vec<String> {
        match self {
            Self::One(text) => vec![text],
            Self::Many(texts) => texts,
        }
    }
}

#[derive(Debug, Deserialize)]
struct MessageIn {
    role: String,
    content: Option<Content>,
}

#[derive(Debug, Deserialize)]
#[serde(untagged)]
enum Content {
    Text(String),
    Parts(Vec<Part>),
}

#[derive(Debug, Deserialize)]
struct Part {
    #[serde(rename = "type")]
    kind: String,
    text: Option<String>,
}

#[derive(Debug, Default, Deserialize)]
struct StreamOptions {
    #[serde(default)]
    include_usage: bool,
}

/// What chats and completions have in common.
#[derive(Debug, Deserialize)]
struct Sampling {
    model: String,
    max_tokens: Option<u32>,
    max_completion_tokens: Option<u32>,
    temperature: Option<f32>,
    top_p: Option<f32>,
    n: Option<u32>,
    seed: Option<i64>,
    stop: Option<Texts>,
    stream: Option<bool>,
    stream_options: Option<StreamOptions>,
}

#[derive(Debug, Deserialize)]
struct EmbeddingsIn {
    model: String,
    input: Texts,
    encoding_format: Option<String>,
    dimensions: Option<usize>,
}

/// A chat, and how its answer is wanted.
#[derive(Debug, PartialEq)]
pub(crate) struct Asked {
    pub(crate) input: ChatInput,
    pub(crate) stream: bool,
    pub(crate) include_usage: bool,
}

/// Texts to turn into vectors, and how these are wanted.
#[derive(Debug, PartialEq)]
pub(crate) struct AskedVectors {
    /// Nothing for the platform's own choice.
    pub(crate) model: Option<String>,
    pub(crate) input: EmbedInput,
    pub(crate) base64: bool,
    pub(crate) dimensions: Option<usize>,
}

/// Reads a chat.
pub(crate) fn chat(body: &Bytes) -> Result<Asked, Failure> {
    let mut fields = object(body)?;
    let messages: Vec<MessageIn> = field(&mut fields, "messages")?;
    let messages = messages.into_iter().enumerate().map(|(at, message)| message_of(at, message));
    let messages = messages.collect::<Result<Vec<_>, _>>()?;
    sampled(fields, messages)
}

/// Reads a completion: its prompt is what the user says.
pub(crate) fn completion(body: &Bytes) -> Result<Asked, Failure> {
    let mut fields = object(body)?;
    let mut prompts = field::<Texts>(&mut fields, "prompt")?.into_vec();
    let (Some(content), true) = (prompts.pop(), prompts.is_empty()) else {
        return Err(Failure::unsupported("prompt", "send one prompt, as text"));
    };
    sampled(fields, vec![ChatMessage { role: ChatRole::User, content }])
}

/// Reads texts to turn into vectors.
pub(crate) fn embeddings(body: &Bytes) -> Result<AskedVectors, Failure> {
    let fields = object(body)?;
    if fields.get("input").and_then(Value::as_array).is_some_and(|input| !input.iter().all(Value::is_string))
    {
        return Err(Failure::unsupported("input", "send texts: tokens of another model mean nothing here"));
    }
    only(&fields, &["model", "input", "encoding_format", "dimensions"])?;
    let asked: EmbeddingsIn = typed(fields)?;
    let base64 = match asked.encoding_format.as_deref() {
        None | Some("float") => false,
        Some("base64") => true,
        Some(_) => return Err(Failure::invalid("encoding_format", "write `float` or `base64`")),
    };
    let input = EmbedInput { texts: asked.input.into_vec() };
    Ok(AskedVectors { model: chosen(asked.model), input, base64, dimensions: asked.dimensions })
}

/// For which customer one of the operator's people asks.
pub(crate) fn customer(headers: &HeaderMap) -> Result<Option<CustomerId>, Failure> {
    let Some(given) = headers.get(CUSTOMER) else { return Ok(None) };
    let id = given.to_str().ok().and_then(|given| given.parse().ok());
    id.map(Some).ok_or_else(|| Failure::invalid(CUSTOMER, "write a customer's id: cus_..."))
}

fn sampled(fields: Map<String, Value>, messages: Vec<ChatMessage>) -> Result<Asked, Failure> {
    only(
        &fields,
        &[
            "model",
            "max_tokens",
            "max_completion_tokens",
            "temperature",
            "top_p",
            "n",
            "seed",
            "stop",
            "stream",
            "stream_options",
        ],
    )?;
    let asked: Sampling = typed(fields)?;
    if asked.n.unwrap_or(1) != 1 {
        return Err(Failure::unsupported(
            "n",
            "one answer a call is offered: leave n out, and call again for more",
        ));
    }
    let stop = asked.stop.map(Texts::into_vec).unwrap_or_default();
    let input = ChatInput {
        model: chosen(asked.model),
        messages,
        max_tokens: asked.max_completion_tokens.or(asked.max_tokens).unwrap_or(DEFAULT_TOKENS),
        temperature: asked.temperature.unwrap_or(1.0),
        top_p: asked.top_p.unwrap_or(1.0),
        // Any seed that a client may send is one of the 2^32 that a sampler has.
        seed: asked.seed.map(|seed| u32::try_from(seed.rem_euclid(1 << 32)).unwrap_or(0)),
        stop,
    };
    Ok(Asked {
        input,
        stream: asked.stream.unwrap_or(false),
        include_usage: asked.stream_options.unwrap_or_default().include_usage,
    })
}

fn chosen(model: String) -> Option<String> {
    (model != DEFAULT_MODEL).then_some(model)
}

fn message_of(at: usize, message: MessageIn) -> Result<ChatMessage, Failure> {
    let place = format!("messages.{at}");
    let role = match message.role.as_str() {
        "system" | "developer" => ChatRole::System,
        "user" => ChatRole::User,
        "assistant" => ChatRole::Assistant,
        _ => {
            return Err(Failure::unsupported(
                &place,
                "a message is of `system`, `developer`, `user` or `assistant`: tools are not offered",
            ));
        }
    };
    let content = match message.content {
        Some(Content::Text(text)) => text,
        Some(Content::Parts(parts)) => joined(&place, parts)?,
        None => return Err(Failure::invalid(&place, "a message has a text as its content")),
    };
    Ok(ChatMessage { role, content })
}

fn joined(place: &str, parts: Vec<Part>) -> Result<String, Failure> {
    let mut text = String::new();
    for part in parts {
        match (part.kind.as_str(), part.text) {
            ("text", Some(more)) => text.push_str(&more),
            _ => {
                return Err(Failure::unsupported(
                    place,
                    "parts of a message are texts: no images, no sounds",
                ));
            }
        }
    }
    Ok(text)
}

fn object(body: &Bytes) -> Result<Map<String, Value>, Failure> {
    serde_json::from_slice(body)
        .map_err(|e| Failure::unreadable(format!("the body is not a JSON object: {e}")))
}

fn field<T: DeserializeOwned>(fields: &mut Map<String, Value>, name: &str) -> Result<T, Failure> {
    let value = fields.remove(name).ok_or_else(|| Failure::invalid(name, format!("`{name}` is missing")))?;
    serde_json::from_value(value).map_err(|e| Failure::invalid(name, format!("`{name}`: {e}")))
}

fn typed<T: DeserializeOwned>(fields: Map<String, Value>) -> Result<T, Failure> {
    serde_json::from_value(Value::Object(fields)).map_err(|e| Failure::invalid("body", e.to_string()))
}

/// Refuses what is asked for beyond `known`, unless it asks for nothing.
fn only(fields: &Map<String, Value>, known: &[&str]) -> Result<(), Failure> {
    for (name, value) in fields {
        let name = name.as_str();
        if known.contains(&name) || WITHOUT_EFFECT.contains(&name) || value.is_null() {
            continue;
        }
        match not_offered().into_iter().find(|(other, _)| *other == name) {
            Some((_, nothing)) if same(value, &nothing) => {}
            Some(_) => {
                return Err(Failure::unsupported(name, format!("`{name}` is not offered: leave it out")));
            }
            None => return Err(Failure::unsupported(name, format!("`{name}` is not known: leave it out"))),
        }
    }
    Ok(())
}

/// 0 and 0.0 say the same.
fn same(value: &Value, nothing: &Value) -> bool {
    match (value.as_f64(), nothing.as_f64()) {
        (Some(value), Some(nothing)) => (value - nothing).abs() < f64::EPSILON,
        _ => value == nothing,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(body: &Value) -> Result<Asked, Failure> {
        chat(&Bytes::from(body.to_string()))
    }

    fn hello(more: Value) -> Value {
        let mut body = json!({"model": "default", "messages": [{"role": "user", "content": "Hello"}]});
        if let (Some(body), Value::Object(more)) = (body.as_object_mut(), more) {
            body.extend(more);
        }
        body
    }

    #[test]
    fn what_clients_send_by_habit_is_taken() {
        let more = json!({
            "frequency_penalty": 0.0, "logprobs": false, "user": "u", "tools": [], "response_format": {"type": "text"},
            "n": 1, "stop": "END", "seed": -1, "max_completion_tokens": 7, "max_tokens": 9, "stream": true,
            "stream_options": {"include_usage": true}, "temperature": 0, "functions": null,
        });
        let asked = read(&hello(more)).unwrap();
        assert_eq!((asked.input.max_tokens, asked.input.seed), (7, Some(u32::MAX)));
        assert_eq!((asked.input.stop, asked.input.model), (vec!["END".to_owned()], None));
        assert!(asked.stream && asked.include_usage);
    }

    #[test]
    fn what_is_not_offered_is_refused_by_name() {
        for (name, value) in [
            ("n", json!(2)),
            ("tools", json!([{"type": "function"}])),
            ("logprobs", json!(true)),
            ("response_format", json!({"type": "json_object"})),
            ("presence_penalty", json!(0.5)),
            ("surprise", json!(1)),
        ] {
            let refused = read(&hello(json!({name: value}))).unwrap_err().body();
            assert_eq!(
                (&refused["error"]["param"], &refused["error"]["code"]),
                (&json!(name), &json!("unsupported_parameter"))
            );
        }
    }

    #[test]
    fn a_message_is_a_text_or_parts_of_one() {
        let parts = json!([{"type": "text", "text": "a"}, {"type": "text", "text": "b"}]);
        let asked =
            read(&json!({"model": "m", "messages": [{"role": "developer", "content": parts}]})).unwrap();
        let message = ChatMessage { role: ChatRole::System, content: "ab".to_owned() };
        assert_eq!((asked.input.messages, asked.input.model), (vec![message], Some("m".to_owned())));
        let image = json!([{"type": "image_url", "image_url": {"url": "data:"}}]);
        assert!(read(&json!({"model": "m", "messages": [{"role": "user", "content": image}]})).is_err());
        assert!(read(&json!({"model": "m", "messages": [{"role": "tool", "content": "x"}]})).is_err());
        assert!(read(&json!({"model": "m"})).is_err());
        assert!(chat(&Bytes::from_static(b"[1]")).is_err());
    }

    #[test]
    fn a_completion_has_one_prompt_and_embeddings_have_texts() {
        let read = |body: Value| completion(&Bytes::from(body.to_string()));
        assert_eq!(read(json!({"model": "m", "prompt": ["a"]})).unwrap().input.messages[0].content, "a");
        assert!(read(json!({"model": "m", "prompt": ["a", "b"]})).is_err());
        let read = |body: Value| embeddings(&Bytes::from(body.to_string()));
        let asked = read(json!({"model": "default", "input": "a", "encoding_format": "base64"})).unwrap();
        assert!(asked.base64 && asked.model.is_none() && asked.input.texts == ["a"]);
        assert!(read(json!({"model": "m", "input": [1, 2]})).is_err());
        assert!(read(json!({"model": "m", "input": "a", "encoding_format": "hex"})).is_err());
    }
}
