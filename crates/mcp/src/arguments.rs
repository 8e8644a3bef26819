//! What tools take. The types are the schema: what a client sees is made of them.

use std::{collections::BTreeMap, str::FromStr};

use rmcp::{ErrorData, model::JsonObject};
use schemars::JsonSchema;
use serde::{Deserialize, de::DeserializeOwned};
use serde_json::Value;

/// Nothing.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Nothing {}

/// A skill on a case.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct SkillArguments {
    /// The case's id: `case_...`.
    pub(crate) case: String,
    /// How long to wait for a device's answer, in seconds: 0 to 25, 20 when not said. The call goes on afterwards; read it
    /// with `read_call`.
    #[schemars(range(max = 25))]
    pub(crate) wait_seconds: Option<u8>,
    /// Makes asking again safe: the same key is done, and charged, once. A UUID is good.
    #[schemars(length(min = 1, max = 255))]
    pub(crate) idempotency_key: Option<String>,
}

/// A question about a case.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct QuestionArguments {
    /// The case's id: `case_...`.
    pub(crate) case: String,
    /// The question, at most 1000 characters.
    #[schemars(length(min = 1, max = 1000))]
    pub(crate) question: String,
    /// Makes asking again safe: the same key is done, and charged, once. A UUID is good.
    #[schemars(length(min = 1, max = 255))]
    pub(crate) idempotency_key: Option<String>,
}

/// A new case.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct OpenArguments {
    /// The intake form's id, such as `slow-computer`: see `list_forms`.
    pub(crate) form: String,
    /// The answers by the form's field ids.
    pub(crate) answers: BTreeMap<String, String>,
    /// The device it is about: `dev_...`, see `list_devices`.
    pub(crate) device: Option<String>,
    /// Whose case it is: `cust_...`. Only the operator's people give it.
    pub(crate) customer: Option<String>,
    /// Makes asking again safe: the same key opens one case. A UUID is good.
    #[schemars(length(min = 1, max = 255))]
    pub(crate) idempotency_key: Option<String>,
}

/// One thing.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct IdArgument {
    /// Its id.
    pub(crate) id: String,
}

/// A page of a list, newest first.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct PageArguments {
    /// The `next` of the page before.
    #[schemars(length(max = 100))]
    pub(crate) cursor: Option<String>,
    /// How many, 1 to 200.
    #[schemars(range(min = 1, max = 200))]
    pub(crate) limit: Option<u32>,
}

/// Reads a tool's arguments.
pub(crate) fn read<T: DeserializeOwned>(arguments: Option<JsonObject>) -> Result<T, ErrorData> {
    serde_json::from_value(Value::Object(arguments.unwrap_or_default())).map_err(|e| {
        ErrorData::invalid_params(format!("the arguments do not fit the tool's schema: {e}"), None)
    })
}

/// Reads an id.
pub(crate) fn id<T: FromStr<Err: std::fmt::Display>>(field: &str, text: &str) -> Result<T, ErrorData> {
    text.parse().map_err(|e| ErrorData::invalid_params(format!("`{field}`: {e}"), None))
}
