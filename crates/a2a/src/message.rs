//! What comes in: messages, and what they want (A2A 1.0, section 4.1). Unknown fields are passed over, as it asks.

use agents::{Skill, schema};
use echo_core::{CaseId, CustomerId};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

use crate::fault::Fault;

/// The most parts of a message.
const MAX_PARTS: usize = 32;
/// The longest id, in bytes.
const MAX_ID: usize = 255;

/// `SendMessage` and `SendStreamingMessage`.
#[derive(Debug, Deserialize)]
pub(crate) struct SendMessage {
    pub(crate) message: Message,
    #[serde(default)]
    pub(crate) configuration: Configuration,
}

/// How the answer is wanted.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(crate) struct Configuration {
    pub(crate) return_immediately: bool,
    pub(crate) task_push_notification_config: Option<Value>,
}

/// A message. Serialised, it is what makes two messages of one id the same.
#[derive(Debug, Clone, PartialEq, Deserialize, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Message {
    #[serde(rename = "messageId")]
    pub(crate) id: String,
    #[serde(default)]
    pub(crate) context_id: String,
    #[serde(default)]
    pub(crate) task_id: String,
    pub(crate) role: String,
    pub(crate) parts: Vec<Part>,
    #[serde(default)]
    pub(crate) metadata: Map<String, Value>,
}

/// A piece of a message: exactly one of these is there.
#[derive(Debug, Clone, PartialEq, Deserialize, Serialize)]
pub(crate) struct Part {
    #[serde(default)]
    pub(crate) text: Option<String>,
    #[serde(default)]
    pub(crate) data: Option<Value>,
    #[serde(default)]
    raw: Option<Value>,
    #[serde(default)]
    url: Option<Value>,
}

/// What a message wants.
#[derive(Debug, PartialEq)]
pub(crate) enum Wanted {
    /// A skill on a case.
    Skill { skill: Skill, case: CaseId, question: Option<String> },
    /// A new case with this text.
    Case { text: String, customer: Option<CustomerId> },
}

impl Message {
    /// What it wants: data names a skill; a text in a context is a question about its case; a text alone opens a case.
    pub(crate) fn wanted(&self) -> Result<Wanted, Fault> {
        if self.id.is_empty() || self.id.len() > MAX_ID {
            return Err(Fault::invalid("messageId: write 1 to 255 characters, such as a UUID"));
        }
        if self.role != "ROLE_USER" {
            return Err(Fault::invalid("role: a message to an agent is of ROLE_USER"));
        }
        if !self.task_id.is_empty() {
            return Err(Fault::unsupported(
                "a task takes no more messages: send a new one with the same contextId and without taskId",
            ));
        }
        if self.parts.is_empty() || self.parts.len() > MAX_PARTS {
            return Err(Fault::invalid(format!("parts: send 1 to {MAX_PARTS}")));
        }
        let (mut texts, mut data) = (Vec::new(), Vec::new());
        for part in &self.parts {
            match part {
                Part { text: Some(text), data: None, raw: None, url: None } => texts.push(text.as_str()),
                Part { text: None, data: Some(value), raw: None, url: None } => data.push(value),
                Part { text: None, data: None, .. } => return Err(Fault::content()),
                _ => return Err(Fault::invalid("parts: each part has one of text and data")),
            }
        }
        match data.as_slice() {
            [] => self.by_text(texts.join("\n")),
            [data] => self.by_data(data, &texts.join("\n")),
            _ => Err(Fault::invalid("parts: name one skill in one data part")),
        }
    }

    fn by_text(&self, text: String) -> Result<Wanted, Fault> {
        if self.context_id.is_empty() {
            let customer = match self.metadata.get("customer") {
                None => None,
                Some(given) => Some(id("metadata.customer", given.as_str().unwrap_or_default())?),
            };
            return Ok(Wanted::Case { text, customer });
        }
        let given = json!({"case": self.context_id, "question": text});
        self.skill(Skill::AdvisoryAnswer, &given)
    }

    /// `{"skill": "advisory.answer", "case": "case_...", "question": "..."}`: beside the skill's name, its input.
    fn by_data(&self, data: &Value, text: &str) -> Result<Wanted, Fault> {
        let mut given =
            data.as_object().cloned().ok_or_else(|| Fault::invalid("data: send a JSON object"))?;
        let name = given.remove("skill");
        let name = name.as_ref().and_then(Value::as_str);
        let name =
            name.ok_or_else(|| Fault::invalid("data: name a skill, as {\"skill\": \"triage.classify\"}"))?;
        let skill: Skill =
            name.parse().map_err(|e: agents::UnknownName| Fault::invalid(format!("skill: {e}")))?;
        if !self.context_id.is_empty() && !given.contains_key("case") {
            given.insert("case".to_owned(), json!(self.context_id));
        }
        if skill == Skill::AdvisoryAnswer && !text.is_empty() && !given.contains_key("question") {
            given.insert("question".to_owned(), json!(text));
        }
        self.skill(skill, &Value::Object(given))
    }

    fn skill(&self, skill: Skill, given: &Value) -> Result<Wanted, Fault> {
        if !skill.may_be_asked_by_programs() {
            return Err(Fault::unsupported("a change is applied by approving its change set, by a person"));
        }
        if !skill.needs_case() {
            return Err(Fault::unsupported("models are asked at /openai/v1"));
        }
        schema::check(skill, given).map_err(|fault| Fault::invalid(fault.to_string()))?;
        let text = |name: &str| given[name].as_str().map(str::to_owned);
        let case = text("case").unwrap_or_default();
        if !self.context_id.is_empty() && self.context_id != case {
            return Err(Fault::invalid("contextId: it is another case than `case`"));
        }
        Ok(Wanted::Skill { skill, case: id("case", &case)?, question: text("question") })
    }
}

fn id<T: std::str::FromStr<Err: std::fmt::Display>>(field: &str, text: &str) -> Result<T, Fault> {
    text.parse().map_err(|e| Fault::invalid(format!("{field}: {e}")))
}

#[cfg(test)]
mod tests {
    use super::*;

    const CASE: &str = "case_0197c3f0a1b27c3d8e4f5a6b7c8d9e0f";

    fn read(parts: &Value, context: &str) -> Result<Wanted, Fault> {
        let message = json!({
            "messageId": "m1", "role": "ROLE_USER", "parts": parts, "contextId": context, "extensions": ["x"],
        });
        serde_json::from_value::<Message>(message).unwrap().wanted()
    }

    #[test]
    fn a_text_alone_opens_a_case_and_in_a_context_asks_about_it() {
        let text = || json!([{"text": "It is slow."}]);
        assert_eq!(read(&text(), ""), Ok(Wanted::Case { text: "It is slow.".to_owned(), customer: None }));
        let asked = Wanted::Skill {
            skill: Skill::AdvisoryAnswer,
            case: CASE.parse().unwrap(),
            question: Some("It is slow.".to_owned()),
        };
        assert_eq!(read(&text(), CASE), Ok(asked));
    }

    #[test]
    fn data_names_a_skill_and_fits_its_schema() {
        let triage =
            Wanted::Skill { skill: Skill::TriageClassify, case: CASE.parse().unwrap(), question: None };
        assert_eq!(read(&json!([{"data": {"skill": "triage.classify", "case": CASE}}]), ""), Ok(triage));
        for (data, word) in [
            (json!({"skill": "triage.classify"}), "case"),
            (json!({"skill": "triage.classify", "case": CASE, "shell": "rm"}), "shell"),
            (json!({"skill": "triage.guess", "case": CASE}), "triage.guess"),
            (json!({"case": CASE}), "name a skill"),
            (json!({"skill": "remediation.apply", "case": CASE}), "by a person"),
            (json!({"skill": "model.chat", "messages": []}), "/openai/v1"),
            (json!([1]), "JSON object"),
        ] {
            let fault = read(&json!([{"data": data}]), "").unwrap_err().body(&json!(1)).to_string();
            assert!(fault.contains(word), "{fault}");
        }
    }

    #[test]
    fn files_and_addresses_are_not_taken() {
        for part in [json!({"url": "http://127.0.0.1/"}), json!({"raw": "AAAA"}), json!({})] {
            assert_eq!(read(&json!([part]), ""), Err(Fault::content()));
        }
        assert!(read(&json!([{"text": "a", "data": {}}]), "").is_err());
        assert!(read(&json!([]), "").is_err());
    }
}
