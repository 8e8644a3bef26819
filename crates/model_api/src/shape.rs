//! Answers in the `OpenAI` API's shape.

use echo_core::Timestamp;
use models::{Completion, Finish};
use serde_json::{Value, json};

/// Which of the two kinds of answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Shape {
    /// A message of a chat.
    Chat,
    /// A text that goes on.
    Text,
}

/// What all objects of one answer say.
#[derive(Debug, Clone)]
pub(crate) struct Frame {
    pub(crate) shape: Shape,
    /// The call's id.
    pub(crate) call: String,
    pub(crate) created: Timestamp,
    pub(crate) model: String,
}

/// Why it ended, in the API's words.
fn reason(finish: Finish) -> &'static str {
    match finish {
        Finish::Stop => "stop",
        Finish::Length | Finish::Late | Finish::Cancelled => "length",
    }
}

/// What was read and written.
pub(crate) fn usage(completion: &Completion) -> Value {
    json!({
        "prompt_tokens": completion.prompt_tokens,
        "completion_tokens": completion.completion_tokens,
        "total_tokens": completion.prompt_tokens.saturating_add(completion.completion_tokens),
    })
}

impl Frame {
    fn object(&self, of_stream: bool, choices: &Value) -> Value {
        let (prefix, object) = match (self.shape, of_stream) {
            (Shape::Chat, false) => ("chatcmpl", "chat.completion"),
            (Shape::Chat, true) => ("chatcmpl", "chat.completion.chunk"),
            (Shape::Text, _) => ("cmpl", "text_completion"),
        };
        json!({
            "id": format!("{prefix}-{}", self.call), "object": object, "created": self.created.as_second(),
            "model": self.model, "choices": choices,
        })
    }

    /// The whole answer.
    pub(crate) fn whole(&self, completion: &Completion, echo: Value) -> Value {
        let finish = reason(completion.finish);
        let choice = match self.shape {
            Shape::Chat => json!({
                "index": 0, "finish_reason": finish, "logprobs": null,
                "message": {"role": "assistant", "content": completion.text, "refusal": null},
            }),
            Shape::Text => json!({
                "index": 0, "finish_reason": finish, "logprobs": null, "text": completion.text,
            }),
        };
        let mut whole = self.object(false, &json!([choice]));
        whole["usage"] = usage(completion);
        whole["system_fingerprint"] = json!(completion.model.file.map(|file| file.to_string()));
        whole["echo"] = echo;
        whole
    }

    /// The first event of a stream: who speaks. A text has none.
    pub(crate) fn begin(&self) -> Option<Value> {
        (self.shape == Shape::Chat).then(|| self.chunk(&json!({"role": "assistant", "content": ""}), None))
    }

    /// A piece of the answer.
    pub(crate) fn piece(&self, text: &str) -> Value {
        match self.shape {
            Shape::Chat => self.chunk(&json!({ "content": text }), None),
            Shape::Text => self.chunk(&json!(text), None),
        }
    }

    /// The end of the answer, with the call and its receipt.
    pub(crate) fn end(&self, completion: &Completion, echo: Value) -> Value {
        let nothing = if self.shape == Shape::Chat { json!({}) } else { json!("") };
        let mut end = self.chunk(&nothing, Some(reason(completion.finish)));
        end["echo"] = echo;
        end
    }

    /// What was read and written, when the caller asked for it.
    pub(crate) fn usage(&self, completion: &Completion) -> Value {
        let mut told = self.object(true, &json!([]));
        told["usage"] = usage(completion);
        told
    }

    fn chunk(&self, said: &Value, finish: Option<&str>) -> Value {
        let name = if self.shape == Shape::Chat { "delta" } else { "text" };
        let choice = json!({"index": 0, name: said, "finish_reason": finish, "logprobs": null});
        self.object(true, &json!([choice]))
    }
}
