//! What a skill takes and gives, as JSON Schema (draft 2020-12), and whether an input fits.
//!
//! The schemas are made of the types that are read and written, so that neither can say what the other does not.

use std::{collections::BTreeMap, sync::LazyLock};

use jsonschema::Validator;
use schemars::{JsonSchema, schema_for};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::{advisory::Advice, remediation::Proposal, skill::Skill, triage::Triage};

/// The longest question, in characters.
pub const MAX_QUESTION: u32 = 1_000;
/// The most messages of one chat.
pub const MAX_MESSAGES: u32 = 256;
/// The most characters of one message, or of one text to turn into a vector.
pub const MAX_TEXT: u32 = 64 * 1024;
/// The most tokens of one answer.
pub const MAX_TOKENS: u32 = 4_096;
/// The most texts of one call.
pub const MAX_TEXTS: u32 = 256;
/// The most words at which an answer ends.
pub const MAX_STOPS: u32 = 4;
/// The most characters of a fault's words: some of them quote the schema.
const MAX_REASON: usize = 300;

/// What a skill on a case takes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct CaseInput {
    /// The case's id: `case_...`.
    #[schemars(length(min = 1, max = 64))]
    pub case: String,
}

/// What `advisory.answer` takes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct QuestionInput {
    /// The case's id: `case_...`.
    #[schemars(length(min = 1, max = 64))]
    pub case: String,
    /// What is asked; white space alone is no question.
    #[schemars(length(min = 1, max = MAX_QUESTION), regex(pattern = r"\S"))]
    pub question: String,
}

/// Who says a message.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum ChatRole {
    /// Whoever set the conversation up.
    System,
    /// Whoever asks.
    User,
    /// The model.
    Assistant,
}

/// One message of a conversation.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ChatMessage {
    /// Who says it.
    pub role: ChatRole,
    /// What is said.
    #[schemars(length(max = MAX_TEXT))]
    pub content: String,
}

/// What `model.chat` takes.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ChatInput {
    /// The model's name; the platform's own choice when not said.
    #[schemars(length(min = 1, max = 200))]
    pub model: Option<String>,
    /// What was said, oldest first.
    #[schemars(length(min = 1, max = MAX_MESSAGES))]
    pub messages: Vec<ChatMessage>,
    /// The most tokens of the answer.
    #[schemars(range(min = 1, max = MAX_TOKENS))]
    pub max_tokens: u32,
    /// 0 takes the likeliest token each time.
    #[schemars(range(min = 0.0, max = 2.0))]
    pub temperature: f32,
    /// Only the likeliest tokens that together have this probability.
    #[schemars(range(min = 0.0, max = 1.0))]
    pub top_p: f32,
    /// The same seed, model and conversation answer the same; a fresh one when not said.
    pub seed: Option<u32>,
    /// The answer ends before any of these.
    #[schemars(length(max = MAX_STOPS), inner(length(min = 1, max = 200)))]
    pub stop: Vec<String>,
}

/// What `model.embed` takes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct EmbedInput {
    /// The texts.
    #[schemars(length(min = 1, max = MAX_TEXTS), inner(length(min = 1, max = MAX_TEXT)))]
    pub texts: Vec<String>,
}

/// Why an input does not fit a skill's schema.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{skill} does not take this: `{place}`: {reason}")]
pub struct InputFault {
    /// Which skill.
    pub skill: Skill,
    /// The field that does not fit, such as `messages/0/role`; `input` for the whole.
    pub place: String,
    /// What would fit.
    pub reason: String,
}

/// The schema of what `skill` takes.
pub fn input(skill: Skill) -> &'static Value {
    &of(skill).input
}

/// The schema of what `skill` answers.
pub fn output(skill: Skill) -> &'static Value {
    &of(skill).output
}

/// Whether `given` is what `skill` takes. The fault quotes nothing of what was given.
pub fn check(skill: Skill, given: &Value) -> Result<(), InputFault> {
    let Some(error) = of(skill).fits.iter_errors(given).next() else { return Ok(()) };
    let path = error.instance_path().to_string();
    let place = match path.trim_start_matches('/') {
        "" => "input".to_owned(),
        path => path.chars().take(100).collect(),
    };
    let reason = error.masked().to_string().chars().take(MAX_REASON).collect();
    Err(InputFault { skill, place, reason })
}

struct Schemas {
    input: Value,
    output: Value,
    fits: Validator,
}

static SCHEMAS: LazyLock<BTreeMap<Skill, Schemas>> =
    LazyLock::new(|| Skill::ALL.iter().map(|skill| (*skill, schemas(*skill))).collect());

fn of(skill: Skill) -> &'static Schemas {
    SCHEMAS.get(&skill).expect("each skill's schemas are made above")
}

fn schemas(skill: Skill) -> Schemas {
    let case = || schema_for!(CaseInput).to_value();
    let (input, output) = match skill {
        Skill::TriageClassify => (case(), schema_for!(Triage).to_value()),
        Skill::DiagnosticsProbe => (case(), diagnosis()),
        Skill::ScannerPosture => {
            (case(), nothing("The findings hang under the case; the call names the scan."))
        }
        Skill::RemediationPlan => (case(), schema_for!(Proposal).to_value()),
        Skill::RemediationApply => (case(), nothing("The run and its proof hang under the case.")),
        Skill::AdvisoryAnswer => (schema_for!(QuestionInput).to_value(), schema_for!(Advice).to_value()),
        Skill::ModelChat => (schema_for!(ChatInput).to_value(), completion()),
        Skill::ModelEmbed => (schema_for!(EmbedInput).to_value(), vectors()),
    };
    let fits =
        jsonschema::draft202012::new(&input).expect("the schemas are made of types, which a test reads");
    Schemas { input, output, fits }
}

fn nothing(why: &str) -> Value {
    json!({ "type": "null", "description": why })
}

/// A diagnosis is of the crate that makes it; here stands what every reader may rely on.
fn diagnosis() -> Value {
    json!({
        "type": "object",
        "required": ["at", "facts", "metrics", "notes"],
        "properties": {
            "at": { "type": "string", "format": "date-time", "description": "When it was made." },
            "facts": { "type": "object", "description": "What the machine is." },
            "metrics": { "type": "object", "description": "How it does." },
            "notes": { "type": "array", "description": "What is remarkable, the gravest first." }
        }
    })
}

fn completion() -> Value {
    json!({
        "type": "object",
        "required": ["model", "text", "prompt_tokens", "completion_tokens", "finish"],
        "properties": {
            "model": { "type": "object", "description": "Which model, with the SHA-256 of its file." },
            "text": { "type": "string", "description": "The answer. Its SHA-256 is the receipt's `output`." },
            "prompt_tokens": { "type": "integer", "minimum": 0 },
            "completion_tokens": { "type": "integer", "minimum": 0 },
            "finish": { "enum": ["stop", "length", "late", "cancelled"] }
        }
    })
}

fn vectors() -> Value {
    json!({
        "type": "object",
        "required": ["model", "vectors", "tokens"],
        "properties": {
            "model": { "type": "object", "description": "Which model, with the SHA-256 of its file." },
            "vectors": {
                "type": "array",
                "description": "One a text, of length 1. The SHA-256 of all numbers as 32-bit floats, little endian, is \
                                the receipt's `output`.",
                "items": { "type": "array", "items": { "type": "number" } }
            },
            "tokens": { "type": "integer", "minimum": 0 }
        }
    })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn chat() -> ChatInput {
        let message = ChatMessage { role: ChatRole::User, content: "Good morning".to_owned() };
        ChatInput {
            model: None,
            messages: vec![message],
            max_tokens: 16,
            temperature: 0.0,
            top_p: 1.0,
            seed: None,
            stop: Vec::new(),
        }
    }

    fn refused(skill: Skill, given: &Value) -> InputFault {
        check(skill, given).expect_err("it does not fit")
    }

    #[test]
    fn what_fits_is_taken() {
        for skill in Skill::ALL {
            let given = match skill {
                Skill::AdvisoryAnswer => json!({"case": "case_1", "question": "Why is it slow?"}),
                Skill::ModelChat => serde_json::to_value(chat()).unwrap(),
                Skill::ModelEmbed => json!({"texts": ["a"]}),
                _ => json!({"case": "case_1"}),
            };
            assert_eq!(check(*skill, &given), Ok(()), "{skill}");
        }
    }

    #[test]
    fn what_does_not_fit_is_named_and_not_quoted() {
        let secret = "hunter2".repeat(1000);
        let fault = refused(Skill::AdvisoryAnswer, &json!({"case": "case_1", "question": secret}));
        assert_eq!(fault.place, "question");
        assert!(fault.reason.contains("1000") && !fault.to_string().contains("hunter2"), "{fault}");
        let fault = refused(Skill::TriageClassify, &json!({"case": "case_1", "shell": "rm"}));
        assert!(fault.reason.len() <= MAX_REASON && fault.place == "input", "{fault}");
        assert_eq!(refused(Skill::TriageClassify, &json!([])).place, "input");
    }

    #[test]
    fn bounds_hold() {
        for (question, fits) in [("", false), (" \n", false), ("?", true)] {
            let given = json!({"case": "case_1", "question": question});
            assert_eq!(check(Skill::AdvisoryAnswer, &given).is_ok(), fits, "{question:?}");
        }
        let with = |change: fn(&mut ChatInput)| {
            let mut chat = chat();
            change(&mut chat);
            check(Skill::ModelChat, &serde_json::to_value(chat).unwrap())
        };
        assert_eq!(with(|_| ()), Ok(()));
        assert_eq!(with(|c| c.messages.clear()).unwrap_err().place, "messages");
        assert_eq!(with(|c| c.max_tokens = MAX_TOKENS + 1).unwrap_err().place, "max_tokens");
        assert_eq!(with(|c| c.temperature = 2.5).unwrap_err().place, "temperature");
        assert_eq!(with(|c| c.stop = vec![String::new()]).unwrap_err().place, "stop/0");
        let many = json!({"texts": vec!["a"; 257]});
        assert_eq!(refused(Skill::ModelEmbed, &many).place, "texts");
    }

    proptest! {
        /// What the schema takes, the type reads; so no caller is told two things.
        #[test]
        fn the_schema_takes_nothing_that_the_type_refuses(text in "\\PC{0,40}", role in "(user|system|robot)", tokens in -5_i64..5000) {
            let given = json!({
                "model": null, "messages": [{"role": role, "content": text}], "max_tokens": tokens,
                "temperature": 0.5, "top_p": 1, "seed": null, "stop": [],
            });
            if check(Skill::ModelChat, &given).is_ok() {
                prop_assert!(serde_json::from_value::<ChatInput>(given).is_ok());
            }
        }
    }
}
